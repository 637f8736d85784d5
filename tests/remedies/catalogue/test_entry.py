"""One setting: what it takes as a value, as text, and what it says about anything else."""

import math

import pytest

from rareseg.errors import SettingError
from rareseg.remedies.catalogue import Setting


def _setting(kind, default, **more):
    return Setting(name="s", kind=kind, default=default, meaning="what it does", **more)


GAMMA = _setting("number", 2.0, low=0, high=20)
BETA = _setting("number", 0.9, low=0, high=1, open_high=True)
SHARE = _setting("number", 0.1, low=0, high=1, open_low=True)
CAP = _setting("number", None, low=1)
TIMES = _setting("whole number", 10, low=1, high=1000, unit="px")
FLAG = _setting("flag", False)
WORD = _setting("name", "present", choices=("present", "all"))
ALPHA = _setting("numbers", None, low=0, high=1)
CLASSES = _setting("class indices", None, low=0)
SCALES = _setting("list", (1.0, 2.0))


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (GAMMA, "3", 3.0),
        (GAMMA, " 1e-1 ", 0.1),
        (GAMMA, "0", 0.0),
        (GAMMA, "20", 20.0),
        (BETA, "0", 0.0),
        (SHARE, "1", 1.0),
        (CAP, "none", None),
        (CAP, "None", None),
        (CAP, "1", 1.0),
        (TIMES, "3", 3),
        (TIMES, "3.0", 3),
        (FLAG, "true", True),
        (FLAG, "False", False),
        (WORD, "all", "all"),
        (ALPHA, "none", None),
        (ALPHA, "0.25, 0.75", (0.25, 0.75)),
        (ALPHA, "1", (1.0,)),
        (CLASSES, "none", None),
        (CLASSES, "2", (2,)),
        (CLASSES, "2,0", (2, 0)),
        (SCALES, "-1,2,3", (-1.0, 2.0, 3.0)),
    ],
)
def test_text_becomes_the_value_it_stands_for(setting, text, value):
    found = setting.parsed(text, "loss.x.s")
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, tuple):
        assert [type(number) for number in found] == [type(number) for number in value]
    assert setting.checked(found, "loss.x.s") == value


@pytest.mark.parametrize(
    ("setting", "text", "allowed"),
    [
        (GAMMA, "-0.1", "0 <= number <= 20"),
        (GAMMA, "20.5", "0 <= number <= 20"),
        (GAMMA, "nan", "0 <= number <= 20"),
        (GAMMA, "1e400", "0 <= number <= 20"),
        (GAMMA, "none", "0 <= number <= 20"),
        (GAMMA, "x", "0 <= number <= 20"),
        (GAMMA, "1,2", "0 <= number <= 20"),
        (GAMMA, "true", "0 <= number <= 20"),
        (GAMMA, "", "0 <= number <= 20"),
        (BETA, "1", "0 <= number < 1"),
        (SHARE, "0", "0 < number <= 1"),
        (CAP, "0.5", "1 <= number, or none"),
        (CAP, "inf", "1 <= number, or none"),
        (TIMES, "0", "1 <= whole number <= 1000, in px"),
        (TIMES, "2.5", "1 <= whole number <= 1000, in px"),
        (FLAG, "1", "true or false"),
        (FLAG, "none", "true or false"),
        (WORD, "some", "present or all"),
        (WORD, "none", "present or all"),
        (ALPHA, "0.5,2", "0 <= one number per class <= 1, or none"),
        (ALPHA, "0.5,", "0 <= one number per class <= 1, or none"),
        (CLASSES, "-1", "0 <= class indices, or none"),
        (CLASSES, "0.5", "0 <= class indices, or none"),
        (CLASSES, "road", "0 <= class indices, or none"),
        (SCALES, "1,inf", "numbers"),
        (SCALES, "none", "numbers"),
    ],
)
def test_text_that_stands_for_no_value_is_refused_with_what_is_allowed_and_what_it_means(
    setting, text, allowed
):
    with pytest.raises(SettingError) as caught:
        setting.parsed(text, "loss.x.s")
    shown = text.replace("1e400", "inf")
    assert str(caught.value) == f"loss.x.s={shown}: expected {allowed}: what it does."


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (GAMMA, True),
        (GAMMA, "2"),
        (GAMMA, (2.0,)),
        (GAMMA, None),
        (GAMMA, math.nan),
        (TIMES, 1.5),
        (TIMES, False),
        (FLAG, 1),
        (FLAG, None),
        (WORD, 1),
        (ALPHA, ()),
        (ALPHA, ("a",)),
        (ALPHA, (0.5, True)),
        (ALPHA, (0.5, math.inf)),
        (CLASSES, (0, 1.5)),
        (CLASSES, (-1,)),
    ],
)
def test_values_of_another_type_are_refused(setting, value):
    with pytest.raises(SettingError, match=r"^loss\.x\.s=.*: expected .*: what it does\.$"):
        setting.checked(value, "loss.x.s")


def test_numbers_come_out_in_the_type_of_the_setting():
    assert type(GAMMA.checked(3, "s")) is float
    assert type(TIMES.checked(3.0, "s")) is int
    assert [type(n) for n in CLASSES.checked((1.0, 2.0), "s")] == [int, int]
    assert [type(n) for n in ALPHA.checked((1, 0), "s")] == [float, float]
    assert CLASSES.checked([1, 2], "s") == (1, 2)
