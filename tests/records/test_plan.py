import json

import msgspec
import pytest

from rareseg.errors import RecordError
from rareseg.records.codec import decode, digest, encode
from rareseg.records.plan import Choice, Plan


def test_choices_are_the_sections_in_the_order_of_the_fields(plan_record: Plan):
    choices = plan_record.choices()
    assert list(choices) == [name for name in Plan.__struct_fields__ if name in choices]
    assert all(isinstance(choice, Choice) for choice in choices.values())
    left = [name for name in Plan.__struct_fields__ if name not in choices]
    assert left == ["audit_digest", "classes", "overlapping", "shares", "seed"]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("", "seed", -1),
        ("", "seed", 2**63),
        ("model", "width", 0),
        ("", "shares", [1.5, 0]),
        ("loss", "name", 3),
        ("loss", "settings", ["focal.gamma"]),
        ("weights", "values", [1, -1]),
        ("weights", "rule", "guess"),
        ("weights", "constant", 1),
        ("weights", "beta", 1),
        ("weights", "counted", "pixels"),
        ("weights", "cap", 0.5),
        ("weights", "deferred", 1.1),
        ("sampling", "rule", "centred"),
        ("sampling", "share", 1.1),
        ("sampling", "temperature", 0),
        ("sampling", "minimum_pixels", 0),
        ("sampling", "labels", [0.5]),
        ("initialisation", "prior", [1.5, 0]),
        ("optimizer", "learning_rate", 0),
        ("optimizer", "warmup", 1),
        ("optimizer", "warmup", 0),
        ("optimizer", "ema_decay", 1),
        ("optimizer", "clip_norm", None),
        ("crop", "size", 15),
        ("batch", "size", 0),
        ("budget", "steps", 0),
        ("budget", "minutes", -1),
        ("precision", "name", "16-mixed"),
        ("augmentation", "mirror", "vertical"),
        ("augmentation", "brightness", -1),
        ("inference", "window", 63),
        ("inference", "overlap", -1),
        ("inference", "views", 4),
        ("watch", "every_steps", 0),
        ("watch", "validations", 0),
        ("watch", "set_by", "me"),
    ],
)
def test_an_edited_plan_out_of_range_is_refused_where_it_is(
    plan_record: Plan, section: str, field: str, value: object
):
    content = json.loads(encode(plan_record))
    (content[section] if section else content)[field] = value
    place = rf"{section}\.{field}" if section else field
    with pytest.raises(RecordError, match=rf"plan.json is not a valid Plan record: .* - at `\$\.{place}"):
        decode(json.dumps(content).encode(), Plan, "plan.json")


@pytest.mark.parametrize("value", [{"a": 1}, [1, "b"], [[1]], [True]])
def test_settings_of_a_loss_hold_plain_values(plan_record: Plan, value: object):
    content = json.loads(encode(plan_record))
    content["loss"]["settings"] = {"focal.gamma": value}
    with pytest.raises(RecordError, match=r"at `\$\.loss\.settings\["):
        decode(json.dumps(content).encode(), Plan, "plan.json")


@pytest.mark.parametrize("value", [2.0, 2, True, False, None, "present", (0.25, 1.0), (1,), (2, 0), ()])
def test_a_setting_of_a_loss_is_read_as_it_was_written(plan_record: Plan, value: object):
    """In value, in type, and in the digest by which a run knows its plan."""
    loss = msgspec.structs.replace(plan_record.loss, settings={"dice.setting": value})
    plan = msgspec.structs.replace(plan_record, loss=loss)
    again = decode(encode(plan), Plan, "plan.json")
    found = again.loss.settings["dice.setting"]
    assert found == value and type(found) is type(value)
    if isinstance(value, tuple):
        assert [type(number) for number in found] == [type(number) for number in value]
    assert digest(again) == digest(plan)
