"""A user's own loss: what its signature says, and what cannot be one."""

import functools
import math
from collections.abc import Iterator

import pytest

from rareseg.errors import SettingError
from rareseg.remedies import loss_sums
from rareseg.remedies.catalogue import add_loss, find_loss, names, own


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Forget what a test makes known."""
    functions, remedies = dict(own.functions), dict(own.remedies)
    yield
    own.functions.clear()
    own.remedies.clear()
    own.functions.update(functions)
    own.remedies.update(remedies)


def mine(logits, labels, *, strength=2.0, times=3, squared=False, scales=(1.0, 2.0, 3.0), weights=None):
    """Penalise strangeness.

    More about it.
    """


def test_settings_follow_from_the_defaults():
    add_loss("mine", mine)
    remedy = find_loss("mine")
    assert "mine" in names() and "mine" in names("loss")
    assert remedy.summary == "Penalise strangeness."
    assert [(entry.name, entry.kind, entry.default) for entry in remedy.settings] == [
        ("strength", "number", 2.0),
        ("times", "whole number", 3),
        ("squared", "flag", False),
        ("scales", "list", (1.0, 2.0, 3.0)),
    ]
    assert (remedy.takes_weights, remedy.takes_shares) == (True, False)
    assert own.functions["mine"] is mine


def test_it_stands_in_sums_and_its_settings_are_typed():
    add_loss("mine", mine, summary="what it is")
    assert find_loss("mine").summary == "what it is"
    assert [(term.weight, term.remedy.name) for term in loss_sums.terms("cross_entropy + 0.5*mine")] == [
        (1.0, "cross_entropy"),
        (0.5, "mine"),
    ]
    found = loss_sums.settings("mine", {"mine.times": "4", "mine.scales": "5", "mine.squared": "true"})
    assert found == {"mine.strength": 2.0, "mine.times": 4, "mine.squared": True, "mine.scales": (5.0,)}
    with pytest.raises(SettingError, match=r"loss\.mine\.times=1\.5: expected whole number"):
        loss_sums.settings("mine", {"mine.times": "1.5"})


def test_arguments_that_training_fills_in_are_no_settings():
    def filled(logits, labels, *, overlapping, shares, weights, bias=0.5): ...

    add_loss("filled", filled)
    remedy = find_loss("filled")
    assert [entry.name for entry in remedy.settings] == ["bias"]
    assert remedy.takes_weights and remedy.takes_shares
    assert own.takes("filled", "overlapping")
    assert remedy.summary == "a loss of your own"
    add_loss("mine", mine)
    assert not own.takes("mine", "overlapping")


def test_a_partial_function_shows_what_is_left_to_set():
    add_loss("stronger", functools.partial(mine, strength=9.0))
    assert find_loss("stronger").setting("strength").default == 9.0


def test_a_name_of_your_own_may_be_given_anew():
    add_loss("mine", mine)
    add_loss("mine", lambda logits, labels, *, power=1.0: None)
    assert [entry.name for entry in find_loss("mine").settings] == ["power"]


@pytest.mark.parametrize("name", ["dice", "enet", "class_centred", "prior_bias"])
def test_names_of_the_package_are_taken(name: str):
    with pytest.raises(SettingError, match=f"'{name}' is a remedy of the package already"):
        add_loss(name, mine)
    assert name not in own.functions


@pytest.mark.parametrize("name", ["", "my loss", "2x", "a.b", "a+b", "a*b", "mine\n"])
def test_names_that_no_plan_could_spell_are_refused(name: str):
    with pytest.raises(SettingError, match="Expected a name of letters, digits and underscores"):
        add_loss(name, mine)


def _three(logits, labels, weights): ...
def _one(logits): ...
def _open(logits, labels, **settings): ...
def _no_default(logits, labels, *, power): ...
def _text(logits, labels, *, mode="hard"): ...
def _none(logits, labels, *, power=None): ...
def _list(logits, labels, *, scales=[1.0]): ...  # noqa: B006
def _infinite(logits, labels, *, power=math.inf): ...
def _empty(logits, labels, *, scales=()): ...
def _words(logits, labels, *, scales=("a",)): ...
def _ramp(logits, labels, *, ramp=0.5): ...


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (_three, r"\(logits, labels, weights\)\. Make every other argument keyword-only"),
        (_one, r"function\(logits, labels, \*, settings\.\.\.\); its arguments are \(logits\)"),
        (_open, "Make every other argument keyword-only"),
        (_no_default, "Argument 'power' of loss 'mine' needs a default that is a number"),
        (_text, "Argument 'mode' of loss 'mine' needs a default that is a number"),
        (_none, "Argument 'power' of loss 'mine' needs a default that is a number"),
        (_list, "Argument 'scales' of loss 'mine' needs a default that is a number"),
        (_infinite, "Argument 'power' of loss 'mine'=inf: expected number"),
        (_empty, r"Argument 'scales' of loss 'mine'=\(\): expected numbers"),
        (_words, "Argument 'scales' of loss 'mine'=a: expected numbers"),
        (_ramp, "Argument 'ramp' of loss 'mine' has a name that sums of losses use"),
        (5, "a function whose arguments can be read; received 5"),
        (max, "a function whose arguments can be read; received <built-in function max>"),
    ],
)
def test_functions_that_cannot_be_a_loss_are_refused(function, complaint):
    with pytest.raises(SettingError, match=complaint):
        add_loss("mine", function)
    assert "mine" not in names()
