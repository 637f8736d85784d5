import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.losses import LOSSES, build, cross_entropy, dice, focal, lovasz, tversky
from rareseg.records.plan import LossChoice, WeightsChoice
from rareseg.remedies import imbalance

WHY = {"because": "a test", "reference": "none"}
EQUAL = WeightsChoice(rule="none", values=(1.0, 1.0), **WHY)
GIVEN = WeightsChoice(rule="given", values=(0.5, 2.0), **WHY)


def choice(name, **settings):
    return LossChoice(name=name, **settings, **WHY)


def example():
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 2, 8, 8), generator=generator), torch.randint(0, 2, (2, 8, 8), generator=generator)


def test_names_are_those_the_plan_knows():
    assert tuple(LOSSES) == imbalance.LOSSES
    assert tuple(name for name, entry in LOSSES.items() if entry.takes_weights) == imbalance.PIXELWISE


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize(
    ("asked", "function", "settings"),
    [
        (choice("cross_entropy"), cross_entropy, {}),
        (choice("focal", gamma=1.5), focal, {"gamma": 1.5}),
        (choice("dice"), dice, {}),
        (
            choice("tversky", false_positive_weight=0.2, false_negative_weight=0.8),
            tversky,
            {"false_positive_weight": 0.2, "false_negative_weight": 0.8},
        ),
        (choice("lovasz"), lovasz, {}),
    ],
)
def test_each_name_gives_its_function_with_its_settings(overlapping, asked, function, settings):
    found = build(asked, EQUAL, overlapping=overlapping)(*example())
    assert found.item() == function(*example(), overlapping=overlapping, **settings).item()


def test_sum_adds_its_terms():
    asked = choice("cross_entropy + dice+focal", gamma=2.0)
    logits, labels = example()
    found = build(asked, GIVEN, overlapping=False)(logits, labels)
    weights = GIVEN.values
    expected = (
        cross_entropy(logits, labels, weights=weights)
        + dice(logits, labels)
        + focal(logits, labels, gamma=2.0, weights=weights)
    )
    torch.testing.assert_close(found, expected)


def test_class_weights_change_the_loss():
    equal = build(choice("cross_entropy"), EQUAL, overlapping=False)(*example())
    given = build(choice("cross_entropy"), GIVEN, overlapping=False)(*example())
    assert equal.item() != pytest.approx(given.item(), rel=1e-3)


@pytest.mark.parametrize(
    ("asked", "weights", "message"),
    [
        (
            choice("dise"),
            EQUAL,
            "Unknown loss 'dise'. Did you mean 'dice'. Known: cross_entropy, focal",
        ),
        (choice("dice+"), EQUAL, "Unknown loss ''"),
        (choice("dice+focal+dice", gamma=2.0), EQUAL, "names dice twice"),
        (choice("focal"), EQUAL, "loss.name=focal needs loss.gamma; received none"),
        (choice("tversky", false_positive_weight=0.3), EQUAL, "needs loss.false_negative_weight"),
        (
            choice("dice", gamma=2.0),
            EQUAL,
            "loss.gamma=2.0 has no effect on loss.name=dice: only focal",
        ),
        (
            choice("dice", false_positive_weight=0.3),
            EQUAL,
            "false_positive_weight=0.3 has no effect on loss.name=dice: only tversky uses it",
        ),
        (
            choice("tversky", false_positive_weight=0.0, false_negative_weight=0.0),
            EQUAL,
            "not both 0; received 0.0 and 0.0",
        ),
        (
            choice("dice"),
            GIVEN,
            "weights.rule=given has no effect on loss.name=dice: add cross_entropy or",
        ),
        (
            choice("cross_entropy"),
            WeightsChoice(rule="none", values=(1.0, 2.0), **WHY),
            r"weights.rule=none means that every class weighs 1; received weights.values=\(1.0, 2.0\)",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(asked, weights, message):
    with pytest.raises(SettingError, match=message):
        build(asked, weights, overlapping=False)
