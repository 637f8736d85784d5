import json

import pytest

from rareseg.errors import RecordError
from rareseg.records.codec import decode, encode
from rareseg.records.plan import Choice, Plan


def test_choices_are_the_sections_in_the_order_of_the_fields(plan_record: Plan):
    choices = plan_record.choices()
    assert list(choices) == [name for name in Plan.__struct_fields__ if name in choices]
    assert all(isinstance(choice, Choice) for choice in choices.values())
    left = [name for name in Plan.__struct_fields__ if name not in choices]
    assert left == ["audit_digest", "classes", "overlapping", "seed"]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("", "seed", -1),
        ("", "seed", 2**63),
        ("model", "width", 0),
        ("loss", "gamma", -0.1),
        ("weights", "values", [1, -1]),
        ("weights", "rule", "guess"),
        ("sampling", "share", 1.1),
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
