"""The losses as the catalogue of remedies describes them, and their sums as a plan asks for them."""

import inspect
import math
from collections.abc import Iterator

import pytest
import torch

from rareseg import losses
from rareseg.errors import SettingError, TrainingError
from rareseg.network.losses import LOSSES, build, cross_entropy, dice, focal
from rareseg.records.plan import LossChoice, WeightsChoice
from rareseg.remedies import loss_sums
from rareseg.remedies.catalogue import PUBLISHED, find, names, own

WHY = {"because": "a test", "reference": "none"}
NAMES = names("loss")
GIVEN_BY_TRAINING = {"weights", "shares", "overlapping", "ignore_index", "valid"}
SHARES = (0.7, 0.2, 0.09, 0.01)
EQUAL = WeightsChoice(rule="none", values=(1.0,) * 4, **WHY)
WEIGHTED = WeightsChoice(rule="given", values=(0.5, 2.0, 4.0, 1.0), **WHY)


def choice(name, settings=None):
    """Return the choice of a loss with its usual settings, some of them changed."""
    return LossChoice(name=name, settings=loss_sums.settings(name) | (settings or {}), **WHY)


def example(*, overlapping=False, rows=32, cols=40):
    """Return logits and labels of 3 images and 4 classes: blobs, void, and a class that does not occur."""
    generator = torch.Generator().manual_seed(3)
    top = 8 if overlapping else 3
    coarse = torch.randint(0, top, (3, rows // 8, cols // 8), generator=generator)
    labels = coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels[:, 11:17, 5:30] = 1
    labels[0, :, :6] = 255
    logits = torch.randn((3, 4, rows, cols), generator=generator)
    # Smooth enough that maps have skeletons of more than one erosion, and better than chance.
    logits = 4 * torch.nn.functional.avg_pool2d(logits, 7, stride=1, padding=3)
    for label in range(3):
        here = (labels >> label) & 1 == 1 if overlapping else labels == label
        logits[:, label] += 1.5 * (here & (labels != 255)) - (2.0 * ~here if overlapping else 0.0)
    if overlapping:
        # A pixel is only right if all of its answers are: sure enough that some pixels are.
        logits[:, 3] -= 2.0
        logits *= 1.5
    return logits, labels


def value_and_gradient(loss, logits, labels):
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, labels)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.item(), gradient


def differ(one, other):
    """Tell whether two values or gradients differ by more than rounding."""
    (value, gradient), (changed, moved) = one, other
    scale = float(gradient.norm()) + 1e-12
    return (
        abs(value - changed) > 1e-4 * (abs(value) + 1e-3) or float((gradient - moved).norm()) > 1e-3 * scale
    )


def test_every_loss_of_the_catalogue_is_a_public_function_and_no_other_is():
    assert sorted(LOSSES) == sorted(NAMES)
    for name, function in LOSSES.items():
        assert getattr(losses, name) is function
        assert function.__name__ == name
        assert inspect.getdoc(function)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_the_settings_with_their_usual_values(name):
    parameters = inspect.signature(LOSSES[name]).parameters
    assert list(parameters)[:2] == ["logits", "labels"]
    assert all(
        given.kind is inspect.Parameter.KEYWORD_ONLY
        for key, given in parameters.items()
        if key not in ("logits", "labels")
    )
    remedy = find(name)
    own_settings = {
        key: given.default
        for key, given in parameters.items()
        if key not in GIVEN_BY_TRAINING | {"logits", "labels"}
    }
    told = {entry.name: entry.default for entry in remedy.settings if entry.name != loss_sums.RAMP}
    assert own_settings == told
    assert {key: type(value) for key, value in own_settings.items()} == {
        key: type(value) for key, value in told.items()
    }
    assert ("weights" in parameters) == remedy.takes_weights
    assert ("shares" in parameters) == remedy.takes_shares
    assert {"overlapping", "ignore_index", "valid"} <= set(parameters)
    assert parameters["overlapping"].default is False
    assert parameters["ignore_index"].default == 255
    assert parameters["valid"].default is None


OTHERS = {
    "cross_entropy.smoothing": (0.1, 0.5),
    "focal.gamma": (0.0, 5.0),
    "focal.alpha": ((1.0, 0.5, 0.25, 1.0), (0.25, 0.75, 0.75, 0.5)),
    "top_k.share": (0.3, 1.0),
    "ohem.threshold": (0.2, 0.95),
    "ohem.least_share": (0.9, 1.0),
    "logit_adjusted.temperature": (0.0, 2.0),
    "ldam.max_margin": (0.0, 2.0),
    "ldam.scale": (0.5, 10.0),
    "dice.squared": (True,),
    "dice.per_image": (True,),
    "dice.smoothing": (0.0, 500.0),
    "dice.classes": ((1, 2), (0,)),
    "generalised_dice.weighting": ("inverse", "uniform"),
    "generalised_dice.per_image": (True,),
    "generalised_dice.classes": ((1, 2), (0,)),
    "jaccard.squared": (True,),
    "jaccard.per_image": (True,),
    "jaccard.smoothing": (0.0, 500.0),
    "jaccard.classes": ((1, 2), (0,)),
    "tversky.false_positive_weight": (0.0, 1.0),
    "tversky.false_negative_weight": (0.0, 1.0),
    "tversky.per_image": (True,),
    "tversky.smoothing": (0.0, 500.0),
    "tversky.classes": ((1, 2), (0,)),
    "focal_tversky.false_positive_weight": (0.0, 1.0),
    "focal_tversky.false_negative_weight": (0.0, 1.0),
    "focal_tversky.exponent": (0.5, 2.0),
    "focal_tversky.per_image": (True,),
    "focal_tversky.smoothing": (0.0, 500.0),
    "focal_tversky.classes": ((1, 2), (0,)),
    "combo.balance": (0.0, 1.0),
    "combo.false_negative_weight": (0.1, 0.9),
    "combo.smoothing": (0.0, 500.0),
    "unified_focal.asymmetric": (False,),
    "unified_focal.balance": (0.0, 1.0),
    "unified_focal.delta": (0.2, 0.9),
    "unified_focal.gamma": (0.0, 0.9),
    "unified_focal.background": (1, 2),
    "lovasz.per_image": (True,),
    "lovasz.classes": ("all",),
    "lovasz.bins": (4, 16),
    "boundary.classes": ((1,), (0, 2)),
    "hausdorff.exponent": (1.0, 4.0),
    "hausdorff.classes": ((1,), (0, 2)),
    "cldice.iterations": (1, 2),
    "cldice.smoothing": (0.0, 500.0),
    "cldice.classes": ((1,), (0, 2)),
    "skeleton_recall.radius": (0, 1),
    "skeleton_recall.smoothing": (0.0, 500.0),
    "skeleton_recall.classes": ((1,), (0, 2)),
    "rmi.radius": (2, 4),
    "rmi.pool": (1, 3),
}
"""Other legal values of every setting: two, or the one that there is."""


def test_the_walk_below_leaves_no_setting_out():
    every = [
        f"{name}.{entry.name}"
        for name in NAMES
        for entry in find(name).settings
        if entry.name != loss_sums.RAMP
    ]
    assert list(OTHERS) == every
    for key, values in OTHERS.items():
        name, _, field = key.partition(".")
        setting = find(name).setting(field)
        single = setting.kind == "flag" or len(setting.choices) == 2
        assert len(values) == (1 if single else 2)
        assert all(setting.checked(value, key) == value != setting.default for value in values)


@pytest.mark.parametrize("overlapping", [False, True], ids=["exclusive", "overlapping"])
@pytest.mark.parametrize("key", OTHERS)
def test_no_setting_is_accepted_and_then_ignored(key, overlapping):
    """Each other value changes the loss or its gradient, in a way of its own, or raises."""
    name = key.partition(".")[0]
    logits, labels = example(overlapping=overlapping)
    still = {f"{name}.ramp": 0.0} if find(name).setting("ramp") else {}
    seen = [
        value_and_gradient(
            build(choice(name, still), EQUAL, shares=SHARES, overlapping=overlapping), logits, labels
        )
    ]
    for value in OTHERS[key]:
        try:
            loss = build(choice(name, still | {key: value}), EQUAL, shares=SHARES, overlapping=overlapping)
        except SettingError as error:
            assert overlapping and f"loss.{key}" in str(error)
            assert find(name).setting(key.partition(".")[2]).exclusive_only
            continue
        found = value_and_gradient(loss, logits, labels)
        assert math.isfinite(found[0]) and bool(found[1].isfinite().all())
        assert all(differ(found, other) for other in seen), value
        seen.append(found)
        direct = {key.partition(".")[2]: value}
        if find(name).takes_shares:
            direct["shares"] = SHARES
        expected = LOSSES[name](logits, labels, overlapping=overlapping, **direct)
        assert found[0] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if find(name).takes_weights])
@pytest.mark.parametrize("overlapping", [False, True], ids=["exclusive", "overlapping"])
def test_class_weights_change_every_loss_that_takes_them(name, overlapping):
    logits, labels = example(overlapping=overlapping)
    equal, weighted = (
        value_and_gradient(
            build(choice(name), weights, shares=SHARES, overlapping=overlapping), logits, labels
        )
        for weights in (EQUAL, WEIGHTED)
    )
    assert differ(equal, weighted)


@pytest.mark.parametrize("name", [name for name in NAMES if find(name).takes_shares])
def test_shares_change_every_loss_that_takes_them(name):
    logits, labels = example()
    usual, even = (
        value_and_gradient(build(choice(name), EQUAL, shares=shares, overlapping=False), logits, labels)
        for shares in (SHARES, (0.1, 0.2, 0.3, 0.4))
    )
    assert differ(usual, even)


@pytest.mark.parametrize("name", [name for name in NAMES if find(name).takes_shares])
def test_a_class_that_the_training_part_lacks_is_no_obstacle(name):
    """Its share is 0, which has no logarithm; what is done about the other classes must not hang on it."""
    logits, labels = example()
    absent = build(choice(name), EQUAL, shares=(0.7, 0.2, 0.1, 0.0), overlapping=False)
    value, gradient = value_and_gradient(absent, logits, labels)
    assert math.isfinite(value) and bool(gradient.isfinite().all())
    if name == "ldam":
        # Margins go by the rarest class that occurs.
        expected = LOSSES[name](logits, labels, shares=(0.7, 0.2, 0.1, 0.1))
        assert value == pytest.approx(expected.item(), rel=1e-5)


FUNCTION_SETTINGS = [
    (name, entry.name)
    for name in NAMES
    for entry in find(name).settings
    if entry.name != loss_sums.RAMP and entry.kind not in ("flag",)
]


def _beyond(entry):
    """Return values that no function may take, whether a plan stands behind it or not."""
    if entry.kind == "name":
        return ["something"]
    if entry.kind == "class indices":
        return [(-1,), (4,), (1, 1), ()]
    if entry.kind == "numbers":
        return [(-0.1, 1.0, 1.0, 1.0), (1.1, 1.0, 1.0, 1.0), (0.5,), (math.nan, 1.0, 1.0, 1.0)]
    if entry.kind == "whole number":
        return [entry.low - 1]
    below = entry.low if entry.open_low else entry.low - 0.01
    above = [entry.high if entry.open_high else entry.high + 0.01] if entry.high <= 1 else [math.inf]
    return [below, math.nan, *above]


@pytest.mark.parametrize(("name", "field"), FUNCTION_SETTINGS)
def test_functions_refuse_values_out_of_range_by_name(name, field):
    logits, labels = example()
    needed = {"shares": SHARES} if find(name).takes_shares else {}
    for value in _beyond(find(name).setting(field)):
        with pytest.raises(SettingError, match=field):
            LOSSES[name](logits, labels, **needed, **{field: value})


@pytest.mark.parametrize(("name", "field"), FUNCTION_SETTINGS)
def test_functions_take_both_ends_of_the_range(name, field):
    """What a plan may hold is not refused by the loss once training starts."""
    entry = find(name).setting(field)
    logits, labels = example(rows=40)
    ends = [
        end
        for end, is_open in ((entry.low, entry.open_low), (entry.high, entry.open_high))
        if math.isfinite(end) and not is_open
    ]
    if entry.kind not in ("number", "whole number"):
        ends = []
    for end in ends:
        text = f"cross_entropy + {name}" if name != "cross_entropy" else name
        settings = {f"{name}.{field}": int(end) if entry.kind == "whole number" else end}
        if field == "pool":
            settings["rmi.radius"] = 1  # more would not fit into an example of this size
        loss = build(choice(text, settings), EQUAL, shares=SHARES, overlapping=False)
        value, gradient = value_and_gradient(loss, logits, labels)
        assert math.isfinite(value) and bool(gradient.isfinite().all())


@pytest.mark.parametrize("overlapping", [False, True], ids=["exclusive", "overlapping"])
def test_a_sum_adds_its_terms_by_their_weights(overlapping):
    logits, labels = example(overlapping=overlapping)
    asked = choice("cross_entropy + 0.5*dice+2*focal", {"focal.gamma": 1.5, "dice.squared": True})
    found = build(asked, WEIGHTED, shares=SHARES, overlapping=overlapping)(logits, labels)
    weights = WEIGHTED.values
    expected = (
        cross_entropy(logits, labels, weights=weights, overlapping=overlapping)
        + 0.5 * dice(logits, labels, squared=True, overlapping=overlapping)
        + 2 * focal(logits, labels, gamma=1.5, weights=weights, overlapping=overlapping)
    )
    torch.testing.assert_close(found, expected)


RAMPS = [name for name in NAMES if find(name).setting("ramp")]


def test_losses_that_serve_beside_others_may_come_in_slowly():
    assert RAMPS == ["lovasz", "boundary", "hausdorff", "cldice", "skeleton_recall", "rmi"]


@pytest.mark.parametrize("name", RAMPS)
@pytest.mark.parametrize("ramp", [0.25, 1.0])
def test_a_ramp_raises_the_weight_from_0_to_full(name, ramp):
    logits, labels = example()
    loss = build(
        choice(f"cross_entropy + 0.5*{name}", {f"{name}.ramp": ramp}), EQUAL, shares=SHARES, overlapping=False
    )
    first = value_and_gradient(cross_entropy, logits, labels)
    term = value_and_gradient(LOSSES[name], logits, labels)
    for progress in (0.0, ramp / 4, ramp / 2, ramp, 1.0):
        weight = 0.5 * min(progress / ramp, 1.0)
        found = value_and_gradient(lambda *data, now=progress: loss(*data, now), logits, labels)
        assert found[0] == pytest.approx(first[0] + weight * term[0], rel=1e-5)
        torch.testing.assert_close(found[1], first[1] + weight * term[1])
    assert loss(logits, labels).item() == loss(logits, labels, 1.0).item()
    full = build(
        choice(f"cross_entropy + 0.5*{name}", {f"{name}.ramp": 0.0}), EQUAL, shares=SHARES, overlapping=False
    )
    assert full(logits, labels, 0.0).item() == pytest.approx(first[0] + 0.5 * term[0], rel=1e-5)


def test_weights_may_start_late():
    logits, labels = example()
    late = WeightsChoice(rule="given", values=WEIGHTED.values, deferred=0.8, **WHY)
    loss = build(choice("cross_entropy + 0.5*dice"), late, shares=SHARES, overlapping=False)
    before, after = (
        build(choice("cross_entropy + 0.5*dice"), weights, shares=SHARES, overlapping=False)(logits, labels)
        for weights in (EQUAL, WEIGHTED)
    )
    assert before.item() != pytest.approx(after.item(), rel=1e-3)
    for progress, expected in ((0.0, before), (0.79, before), (0.8, after), (1.0, after)):
        torch.testing.assert_close(loss(logits, labels, progress), expected)


def test_a_sum_without_a_counted_pixel_is_0_and_still_connected():
    logits, labels = example()
    loss = build(choice("cross_entropy + 0.5*boundary"), EQUAL, shares=SHARES, overlapping=False)
    for progress in (0.0, 1.0):
        value, gradient = value_and_gradient(
            lambda *data, now=progress: loss(*data, now), logits, torch.full_like(labels, 255)
        )
        assert value == 0
        assert not gradient.any()


@pytest.mark.parametrize(
    ("asked", "weights", "overlapping", "message"),
    [
        (
            LossChoice(name="dise", **WHY),
            EQUAL,
            False,
            "Unknown loss 'dise'. Did you mean 'dice'. Known: cross_en",
        ),
        (LossChoice(name="dice+", **WHY), EQUAL, False, "expected a term on either side of each"),
        (LossChoice(name="dice+focal+dice", **WHY), EQUAL, False, "names dice twice"),
        (
            LossChoice(name="focal", **WHY),
            EQUAL,
            False,
            "loss.name=focal needs loss.focal.gamma, which is not set",
        ),
        (
            choice("dice", {"focal.gamma": 2.0}),
            EQUAL,
            False,
            "loss.focal.gamma has no effect on loss.name=dice: name focal in the sum",
        ),
        (
            choice("tversky", {"tversky.false_positive_weight": 0.0, "tversky.false_negative_weight": 0.0}),
            EQUAL,
            False,
            "are both 0",
        ),
        (
            choice("balanced_softmax"),
            EQUAL,
            True,
            "balanced_softmax needs exclusive classes, and these overlap",
        ),
        (choice("dice"), WEIGHTED, False, "weights.rule=given has no effect on loss.name=dice: add a term"),
        (
            choice("logit_adjusted + balanced_softmax"),
            WEIGHTED,
            False,
            r"weights.rule=given has no effect on loss.name=logit_adjusted \+ balanced_softmax",
        ),
        (
            choice("cross_entropy"),
            WeightsChoice(rule="none", values=(1.0, 2.0, 1.0, 1.0), **WHY),
            False,
            r"weights.rule=none means that every class weighs 1; received weights.values=\(1.0, 2.0",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(asked, weights, overlapping, message):
    with pytest.raises(SettingError, match=message):
        build(asked, weights, shares=SHARES, overlapping=overlapping)


def test_weights_and_a_loss_that_adjusts_for_shares_go_together_where_each_has_its_term():
    logits, labels = example()
    loss = build(choice("cross_entropy + logit_adjusted"), WEIGHTED, shares=SHARES, overlapping=False)
    expected = cross_entropy(logits, labels, weights=WEIGHTED.values) + losses.logit_adjusted(
        logits, labels, shares=SHARES
    )
    torch.testing.assert_close(loss(logits, labels), expected)


@pytest.fixture
def nothing_stays() -> Iterator[None]:
    """Forget what a test makes known."""
    functions, remedies = dict(own.functions), dict(own.remedies)
    yield
    for held, kept in ((own.functions, functions), (own.remedies, remedies)):
        held.clear()
        held.update(kept)


@pytest.mark.usefixtures("nothing_stays")
def test_a_loss_of_the_user_is_called_with_its_settings_and_what_training_fills_in():
    calls = []

    def mine(logits, labels, *, strength=2.0, scales=(1.0, 2.0), overlapping, weights, shares):
        """Square the logits."""
        calls.append((strength, scales, overlapping, weights, shares))
        return strength * logits.square().mean()

    losses.add("mine", mine)
    logits, labels = example()
    asked = LossChoice(
        name="cross_entropy + 0.5*mine",
        settings={"cross_entropy.smoothing": 0.0, "mine.strength": 3.0, "mine.scales": (4.0,)},
        **WHY,
    )
    late = WeightsChoice(rule="given", values=WEIGHTED.values, deferred=0.5, **WHY)
    loss = build(asked, late, shares=SHARES, overlapping=False)
    found = loss(logits, labels)
    expected = cross_entropy(logits, labels, weights=WEIGHTED.values) + 1.5 * logits.square().mean()
    torch.testing.assert_close(found, expected)
    assert calls == [(3.0, (4.0,), False, WEIGHTED.values, SHARES)]
    loss(logits, labels, 0.0)
    assert calls[-1] == (3.0, (4.0,), False, None, SHARES)
    build(asked, EQUAL, shares=SHARES, overlapping=True)(*example(overlapping=True))
    assert calls[-1] == (3.0, (4.0,), True, None, SHARES)
    with pytest.raises(SettingError, match="loss.name=mine needs loss.mine.strength, which is not set"):
        build(LossChoice(name="mine", **WHY), EQUAL, shares=SHARES, overlapping=False)
    with pytest.raises(SettingError, match=r"Unknown setting 'loss\.mine\.strenght'. Did you mean"):
        build(choice("mine", {"mine.strenght": 1.0}), EQUAL, shares=SHARES, overlapping=False)


@pytest.mark.usefixtures("nothing_stays")
def test_a_bare_loss_of_the_user_needs_no_more_than_logits_and_labels():
    losses.add("bare", lambda logits, labels: logits.square().mean())
    logits, labels = example()
    loss = build(choice("2*bare"), EQUAL, shares=SHARES, overlapping=True)
    torch.testing.assert_close(loss(logits, labels), 2 * logits.square().mean())
    with pytest.raises(SettingError, match="weights.rule=given has no effect on loss.name=bare"):
        build(choice("bare"), WEIGHTED, shares=SHARES, overlapping=False)
    assert "bare" not in LOSSES and "bare" not in PUBLISHED


@pytest.mark.usefixtures("nothing_stays")
@pytest.mark.parametrize("term", ["stiff", "cross_entropy + stiff"])
def test_a_loss_of_the_user_without_a_gradient_is_refused_by_name(term):
    losses.add("stiff", lambda logits, labels: (logits.argmax(dim=1) != labels).float().mean())
    logits, labels = example()
    loss = build(choice(term), EQUAL, shares=SHARES, overlapping=False)
    with pytest.raises(TrainingError, match="Loss 'stiff' returned .* without a gradient"):
        loss(logits.detach().requires_grad_(), labels)
    # Nobody asks for a gradient where a loss is only measured.
    assert loss(logits.detach(), labels) > 0


@pytest.mark.usefixtures("nothing_stays")
def test_a_loss_of_the_user_may_be_nothing_on_a_batch():
    losses.add("seldom", lambda logits, labels: logits.new_zeros(()))
    logits, labels = example()
    logits = logits.detach().requires_grad_()
    build(choice("seldom"), EQUAL, shares=SHARES, overlapping=False)(logits, labels).backward()
    assert logits.grad is not None and not logits.grad.any()


@pytest.mark.parametrize("name", ["none", "default"])
def test_names_of_plans_are_no_names_of_losses(name):
    with pytest.raises(SettingError, match=f"'{name}' stands for a plan of its own in comparisons"):
        losses.add(name, lambda logits, labels: logits.sum())


def test_a_loss_of_the_user_in_a_plan_read_from_disk_is_said_how_to_add():
    asked = LossChoice(name="secret", settings={"secret.power": 1.0}, **WHY)
    with pytest.raises(
        SettingError,
        match=r"A function of your own is made known by rareseg\.losses\.add\('secret', function\)\.",
    ):
        build(asked, EQUAL, shares=SHARES, overlapping=False)
