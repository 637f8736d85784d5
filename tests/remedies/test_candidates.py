import pytest

from rareseg.errors import SettingError
from rareseg.remedies import catalogue
from rareseg.remedies.candidates import USUAL, YARDSTICKS, parse

PLAIN = {
    "loss.name": "cross_entropy",
    "weights.rule": "none",
    "sampling.rule": "uniform",
    "initialisation.prior_bias": "false",
}


def _settings(name, **shared):
    return next(one.settings for one in parse([name], shared) if one.name == name)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("none", {}),
        ("dice", {"loss.name": "dice"}),
        ("cross_entropy+0.5*dice", {"loss.name": "cross_entropy+0.5*dice"}),
        ("enet", {"weights.rule": "enet"}),
        ("class_centred", {"sampling.rule": "class_centred"}),
        ("prior_bias", {"initialisation.prior_bias": "true"}),
        (
            "rare_class+focal+prior_bias+sqrt_inverse",
            {
                "loss.name": "focal",
                "weights.rule": "sqrt_inverse",
                "sampling.rule": "rare_class",
                "initialisation.prior_bias": "true",
            },
        ),
    ],
)
def test_a_candidate_is_the_bare_plan_with_what_it_names(name, changes):
    assert _settings(name) == PLAIN | changes


def test_the_default_leaves_everything_to_the_rules():
    assert _settings("default") == {}
    assert _settings("default+dice") == {"loss.name": "dice"}


def test_yardsticks_are_added_in_front_where_they_are_not_named():
    assert [one.name for one in parse(["dice"])] == [*YARDSTICKS, "dice"]
    assert [one.name for one in parse(["dice", "default"])] == ["none", "dice", "default"]


def test_a_large_factor_keeps_its_plus():
    one = parse(["1e+3*dice + enet + focal"])[-1]
    assert one.settings == PLAIN | {"loss.name": "1e3*dice+focal", "weights.rule": "enet"}
    assert _settings("1e+3*dice", **{"loss.dice.squared": "true"})["loss.dice.squared"] == "true"


def test_spaces_do_not_matter():
    assert parse([" prior_bias +  0.5 * dice "])[-1].name == "prior_bias+0.5*dice"


def test_every_remedy_that_training_can_use_is_a_candidate():
    names = [name for family in ("loss", "weights", "sampling") for name in catalogue.names(family)]
    for name in names:
        changed = {key: text for key, text in _settings(name).items() if PLAIN[key] != text}
        assert list(changed.values()) == ([] if name == "cross_entropy" else [name])


def test_the_usual_candidates_are_about_a_dozen_and_of_every_family():
    found = parse(USUAL)
    assert [one.name for one in found][:2] == list(YARDSTICKS)
    assert 10 <= len(found) <= 14
    for key, plain in PLAIN.items():
        assert any(one.settings.get(key, plain) != plain for one in found)


def test_a_loss_of_the_users_own_is_a_candidate(monkeypatch):
    from rareseg.remedies.catalogue import own

    monkeypatch.setattr(own, "remedies", dict(own.remedies))
    monkeypatch.setattr(own, "functions", dict(own.functions))
    catalogue.add_loss("mine", lambda logits, labels, *, strength=1.0: logits.sum() * strength)
    assert _settings("0.5*mine+dice")["loss.name"] == "0.5*mine+dice"


def test_shared_settings_reach_every_candidate():
    for one in parse(["dice"], {"model.width": 8}):
        assert one.settings["model.width"] == "8"


@pytest.mark.parametrize(
    ("key", "takers"),
    [
        ("loss.focal.gamma", ["focal", "prior_bias+focal"]),
        ("loss.cross_entropy.smoothing", ["none", "enet"]),
        ("weights.cap", ["enet"]),
    ],
)
def test_settings_of_a_remedy_reach_only_those_who_name_it(key, takers):
    found = parse(["none", "default", "focal", "prior_bias+focal", "enet"], {key: "1"})
    assert [one.name for one in found if key in one.settings] == takers


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (
            ["tverski"],
            {},
            r"tverski: Unknown remedy 'tverski'. Did you mean 'tversky'\? Known: none, default",
        ),
        (["none+dice"], {}, "none stands alone"),
        (["enet+inverse"], {}, "names enet and inverse, and a plan takes one rule for weights"),
        (["uniform"], {}, "Unknown remedy 'uniform'"),
        (["dice+brier"], {}, r"Unknown remedy 'brier'.*rareseg\.losses\.add\('brier', function\)\.$"),
        (["undo_shift"], {}, "undo_shift is done after training and trains nothing"),
        (
            ["dice+logit_adjustment"],
            {},
            "logit_adjustment is done after training.*`rareseg remedies logit_adj",
        ),
        (["dice*0.5"], {}, r"a factor stands before its loss, as in 0.5\*dice; received 'dice\*0.5'"),
        (["dice+"], {}, "expected a term on either side of each"),
        (["dice"], {"loss": "x"}, "Expected settings as section.field, such as crop.size; received 'loss'"),
        (["dice"], {"": "x"}, "Expected settings as section.field"),
        (["2*enet"], {}, "only losses take a factor, and enet belongs to weights"),
        (["x*dice"], {}, "expected a number above 0 before the"),
        (["dice+dice"], {}, "names dice twice"),
        (["dice", " dice"], {}, "The candidate dice is named twice"),
        (["+"], {}, "Expected a candidate such as none, dice"),
        ([""], {}, "Expected a candidate such as none, dice"),
        (["dice"], {"loss.name": "focal"}, "loss.name is what is compared"),
        (["dice"], {"budget.steps": "3"}, "budget.steps is decided by the comparison"),
        (["dice"], {"seed": "3"}, "seed is decided by the comparison"),
        (["dice"], {"weights.cap": "3"}, "No candidate takes weights.cap"),
        (["dice"], {"loss.focal.gamma": "3"}, "No candidate takes loss.focal.gamma"),
    ],
)
def test_what_cannot_be_compared_is_refused(names, settings, message):
    with pytest.raises(SettingError, match=message):
        parse(names, settings)
