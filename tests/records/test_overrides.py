from typing import Literal

import msgspec
import pytest

from rareseg.errors import SettingError
from rareseg.records.codec import Record
from rareseg.records.overrides import override, parse, settable, unknown
from rareseg.records.plan import Count, NotNegative, Positive, Share


class Knobs(Record, frozen=True, kw_only=True):
    name: str = "a"
    label: str | None = "b"
    count: Count = 1
    steps: Count | None = 5
    rate: Positive = 1.0
    weight: NotNegative | None = None
    shares: tuple[Share, ...] = ()
    labels: tuple[int, ...] | None = None
    mirror: Literal["none", "both"] = "both"
    kernel: Literal["matched", "original"] | None = None
    views: Literal[1, 2, 8] = 1
    on: bool = False
    maybe: bool | None = None
    because: str = "rule"


def test_parse_splits_at_the_first_equals_sign_and_strips():
    assert parse(["loss.name = dice", "seed=3", "model.encoder_weights=a=b.safetensors"]) == {
        "loss.name": "dice",
        "seed": "3",
        "model.encoder_weights": "a=b.safetensors",
    }
    assert parse(["loss.focal.gamma = 3", "loss.focal.alpha=0.2,0.8"]) == {
        "loss.focal.gamma": "3",
        "loss.focal.alpha": "0.2,0.8",
    }
    assert parse([]) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "loss.name",
        "loss=dice",
        "loss.focal.gamma.x=1",
        "loss.focal.=1",
        "loss..gamma=1",
        "loss.fo cal.gamma=1",
        "loss.focal.gamma=",
        "=1",
        ".=1",
        "..=1",
        "loss.=1",
        ".name=1",
        "loss.name=",
        "seed=",
        "seed.x.y.z=1",
    ],
)
def test_parse_refuses_other_forms(text: str):
    with pytest.raises(SettingError, match=r"Expected a setting as section.field=value.*received "):
        parse([text])


def test_parse_refuses_a_key_that_is_set_twice():
    with pytest.raises(SettingError, match="loss.name is set twice: to 'dice' and to 'focal'. Keep one."):
        parse(["loss.name=dice", " loss.name =focal"])
    with pytest.raises(SettingError, match="loss.focal.gamma is set twice: to '2' and to '2'. Keep one."):
        parse(["loss.focal.gamma=2", "loss.focal.gamma=2"])


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("name", "1", "1"),
        ("name", "none", "none"),
        ("label", "none", None),
        ("label", "null", "null"),
        ("count", "3", 3),
        ("steps", "None", None),
        ("rate", "1e-3", 1e-3),
        ("rate", "2", 2.0),
        ("weight", "0", 0.0),
        ("shares", "0.25", (0.25,)),
        ("shares", "0.25, 0.75", (0.25, 0.75)),
        ("labels", "1", (1,)),
        ("labels", "2,1", (2, 1)),
        ("labels", "none", None),
        ("mirror", "none", "none"),
        ("kernel", "none", None),
        ("kernel", "original", "original"),
        ("views", "8", 8),
        ("on", "true", True),
        ("on", "False", False),
        ("on", "1", True),
        ("maybe", "false", False),
        ("maybe", "none", None),
    ],
)
def test_text_becomes_the_type_of_the_field(field: str, text: str, value: object):
    changed = override(Knobs(), {field: text})
    assert getattr(changed, field) == value
    assert type(getattr(changed, field)) is type(value)
    assert msgspec.structs.replace(changed, **{field: getattr(Knobs(), field)}) == Knobs()


@pytest.mark.parametrize(
    ("field", "text", "complaint"),
    [
        ("count", "x", r"Expected `int`\."),
        ("count", "1.5", r"Expected `int`\."),
        ("count", "0", r"Expected `int` >= 1\."),
        ("count", "none", r"Expected `int`\."),
        ("count", "9" * 5000, r"out of range\."),
        ("steps", "x", r"Expected `int \| none`\."),
        ("rate", "0", r"Expected `float` > 0\.0\."),
        ("rate", "nan", "Expected"),
        ("rate", "inf", r"Expected `float` <= 1000000000000\.0\."),
        ("weight", "-1", r"Expected `float` >= 0\.0\."),
        ("weight", "inf", r"Expected `float` <= 1000000000000\.0\."),
        ("shares", "0.5,1.5", r"Expected `float` <= 1\.0 as number 2 of the list\."),
        ("shares", "0.5,", r"Expected `float` as number 2 of the list\."),
        ("shares", "nan", "Expected"),
        ("shares", "none", r"Expected `float` as number 1 of the list\."),
        ("labels", "road", r"Expected `int` as number 1 of the list\."),
        ("mirror", "vertical", r"Expected one of none, both\."),
        ("kernel", "new", r"Expected one of matched, original, none\."),
        ("views", "3", r"Expected one of 1, 2, 8\."),
        ("on", "maybe", r"Expected one of true, false\."),
        ("on", "none", r"Expected one of true, false\."),
        ("maybe", "yes", r"Expected one of true, false, none\."),
    ],
)
def test_a_value_out_of_type_or_range_is_refused_with_the_whole_key(field: str, text: str, complaint: str):
    with pytest.raises(SettingError, match=rf"^knobs\.{field}={text}: .*{complaint}"):
        override(Knobs(), {field: text}, section="knobs")


def test_unknown_field_is_named_with_its_section_the_nearest_and_the_known_ones():
    with pytest.raises(SettingError) as caught:
        override(Knobs(), {"nam": "x"}, section="knobs", fixed=("because",))
    names = [field for field in Knobs.__struct_fields__ if field != "because"]
    known = ", ".join(f"knobs.{name}" for name in names)
    assert str(caught.value) == f"Unknown setting 'knobs.nam'. Did you mean 'knobs.name'? Known: {known}."


def test_a_fixed_field_can_neither_be_set_nor_is_it_offered():
    with pytest.raises(SettingError, match="^Unknown setting 'because'") as caught:
        override(Knobs(), {"because": "I say so"}, fixed=("because",))
    assert "because" not in str(caught.value).partition("Known:")[2]
    assert "because" not in settable(Knobs, fixed=("because",))
    assert list(settable(Knobs)) == list(Knobs.__struct_fields__)


def test_the_nearest_name_is_looked_for_without_the_prefix():
    assert "Did you mean" not in unknown("setting", "zzz", ["name", "gamma"], prefix="augmentation.")
    assert unknown("loss", "dise", ["dice", "focal"]) == (
        "Unknown loss 'dise'. Did you mean 'dice'? Known: dice, focal."
    )
