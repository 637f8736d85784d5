import json
import stat
from pathlib import Path

import msgspec
import pytest

from rareseg.errors import OutputExistsError, RecordError
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.codec import Record, decode, decode_toml, digest, encode, read, write, write_bytes
from rareseg.records.dataset import ClassSpec, DataSpec
from rareseg.records.plan import Choice, Plan
from rareseg.records.report import Report
from rareseg.records.run import Run


class Score(Record, frozen=True, kw_only=True):
    name: str
    value: float | None = None


class Table(Record, frozen=True, kw_only=True):
    scores: tuple[Score, ...] = ()
    best: Score | None = None
    more: tuple[Score, ...] | None = None
    by_name: dict[str, Score] = {}
    numbers: tuple[float, ...] = ()
    count: int = 0


RECORDS = ("audit_record", "plan_record", "run_record", "report_record")
KINDS = {"audit_record": Audit, "plan_record": Plan, "run_record": Run, "report_record": Report}


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("name", RECORDS)
def test_what_is_encoded_decodes_to_the_same_record(name: str, request: pytest.FixtureRequest):
    record = request.getfixturevalue(name)
    assert decode(encode(record), KINDS[name], "x") == record
    assert encode(record).endswith(b"}\n")


def test_report_keeps_the_order_of_its_classes(report_record: Report):
    assert list(json.loads(encode(report_record))["classes"]) == ["background", "road", "bridge"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_lacks_becomes_null(value: float):
    assert json.loads(encode(Score(name="a", value=value)))["value"] is None


@pytest.mark.parametrize(
    ("text", "field", "place"),
    [
        ('{"count": 1, "cuont": 2}', "cuont", ""),
        ('{"": 2}', "", ""),
        ('{"a`b\\n": 2}', "a`b\n", ""),
    ],
)
def test_unknown_key_is_named_with_the_known_ones(text: str, field: str, place: str):
    with pytest.raises(RecordError) as caught:
        decode(text.encode(), Table, "table.json")
    known = "scores, best, more, by_name, numbers, count"
    assert str(caught.value) == f"table.json: unknown key `{field}`{place}. Known keys: {known}."


NESTED = {
    "scores": '{"scores": [{"name": "a"}, {"name": "b", "vaule": 1}]}',
    "best": '{"best": {"name": "a", "vaule": 1}}',
    "more": '{"more": [{"name": "b", "vaule": 1}]}',
    "by_name": '{"by_name": {"x": {"name": "b", "vaule": 1}}}',
}


@pytest.mark.parametrize("place", NESTED)
def test_unknown_key_within_lists_and_tables_is_named_with_its_place(place: str):
    with pytest.raises(
        RecordError, match=rf"^t: unknown key `vaule` at {place}.*\. Known keys: name, value\.$"
    ):
        decode(NESTED[place].encode(), Table, "t")


def test_unknown_key_in_toml_is_named_with_its_place_and_the_known_ones():
    text = b'[[classes]]\nname = "a"\n[[classes]]\nname = "b"\ncolour = 3\n'
    with pytest.raises(RecordError, match=r"^roads.toml: unknown key `colour` at classes.*: name, values\.$"):
        decode_toml(text, DataSpec, "roads.toml")
    with pytest.raises(RecordError, match=r"unknown key `mask`\. Known keys: images, masks, train,"):
        decode_toml(b'mask = "labels"', DataSpec, "roads.toml")
    with pytest.raises(RecordError, match=r"unknown key `glob` at train\. Known keys: images, masks\."):
        decode_toml(b'[train]\nimages = "a"\nmasks = "b"\nglob = "c"', DataSpec, "roads.toml")


def test_toml_is_read():
    spec = decode_toml(
        b'images = "i"\nmasks = "m"\n[[classes]]\nname = "road"\nvalues = [255]', DataSpec, "x"
    )
    assert spec == DataSpec(images="i", masks="m", classes=(ClassSpec(name="road", values=(255,)),))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b'{"count": "3"}', r"Expected `int`, got `str` - at `\$.count`"),
        (b'{"count": 1.5}', r"Expected `int`, got `float`"),
        (b'{"count": NaN}', "malformed"),
        (b'{"count": 1} {}', "trailing characters"),
        (b'{"scores": [{"value": 1}]}', r"missing required field `name` - at `\$.scores\[0\]`"),
        (b"[" * 100_000 + b"]" * 100_000, "Expected `object`, got `array`"),
        (b'{"numbers":' + b"[" * 100_000, "got `array`"),
        (b'{"count": ' + b"9" * 10_000 + b"}", "out of range"),
        (b'{"numbers": [1e999]}', "out of range"),
        (b'{"scores": [{"name": "\xff"}]}', "it is not UTF-8 text"),
        (b"\xff\xfe\x00", r"it is not UTF-8 text \(byte 0xff at 0\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r"it is not UTF-8 text \(byte 0x89 at 0\)"),
        (b'{"count": 1, "count": 2}', "the key `count` stands twice"),
        (b'{"best": {"name": "a", "name": "a"}}', "the key `name` stands twice"),
        (b'{"by_name": {"x": {"name": "a"}, "x": {"name": "b"}}}', "the key `x` stands twice"),
    ],
)
def test_hostile_json_is_an_error_that_says_what_and_where(text: bytes, complaint: str):
    with pytest.raises(RecordError, match=complaint) as caught:
        decode(text, Table, "table.json")
    assert str(caught.value).startswith("table.json")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"count = ", "Invalid value"),
        (b"count = " + b"[" * 100_000, "its lists are nested too deeply"),
        (b"count = " + b"9" * 10_000, "it holds a number that cannot be read"),
        (b"count = 1\ncount = 2", "Cannot overwrite a value"),
        (b"count = 1979-05-27", "Expected `int`, got `date`"),
        (b"count = true", "Expected `int`, got `bool`"),
        (b'name = "\xff"', r"it is not UTF-8 text \(byte 0xff at 8\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "it is not UTF-8 text"),
        (b"\x00\x01\x02", "Invalid"),
    ],
)
def test_hostile_toml_is_an_error_that_says_what_and_where(text: bytes, complaint: str):
    with pytest.raises(RecordError, match=complaint) as caught:
        decode_toml(text, Table, "table.toml")
    assert str(caught.value).startswith("table.toml is not a valid Table record: ")


def test_a_text_that_is_not_unicode_cannot_be_written_and_is_named():
    with pytest.raises(RecordError, match=r"The ClassSpec record holds .*udcff.* is not Unicode"):
        encode(ClassSpec(name="a\udcff"))
    with pytest.raises(RecordError, match="rename that"):
        digest(ClassSpec(name="a\udcff"))


@pytest.mark.parametrize("name", RECORDS)
def test_digest_changes_with_every_field(name: str, request: pytest.FixtureRequest):
    record = request.getfixturevalue(name)
    first = digest(record)
    assert first == digest(decode(encode(record), KINDS[name], "x"))
    assert len(first) == 16 and set(first) <= set("0123456789abcdef")
    # Structs take any value unchecked, so that one stands in for every other.
    changed = [msgspec.structs.replace(record, **{field: "other"}) for field in record.__struct_fields__]
    assert len({first, *map(digest, changed)}) == len(changed) + 1


def test_digest_changes_with_every_field_of_a_section(plan_record: Plan):
    digests = {digest(plan_record)}
    number = 1
    for name, section in plan_record.choices().items():
        assert isinstance(section, Choice)
        for field in section.__struct_fields__:
            other = msgspec.structs.replace(section, **{field: "other"})
            digests.add(digest(msgspec.structs.replace(plan_record, **{name: other})))
            number += 1
    assert len(digests) == number


def test_digest_does_not_depend_on_the_order_of_a_table():
    scores = {"a": Score(name="a"), "b": Score(name="b")}
    assert digest(Table(by_name=scores)) == digest(Table(by_name=dict(reversed(scores.items()))))


def test_write_and_read(tmp_path: Path, plan_record: Plan):
    path = tmp_path / "new" / "plan.json"
    write(path, plan_record)
    assert read(path, Plan) == plan_record
    assert _names(path.parent) == ["plan.json"]


def test_a_written_file_has_the_mode_of_any_new_file(tmp_path: Path):
    (tmp_path / "usual").write_bytes(b"")
    write(tmp_path / "record", Score(name="a"))
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "record")}
    assert len(modes) == 1


def test_an_existing_file_is_replaced_only_if_asked(tmp_path: Path):
    path = tmp_path / "score.json"
    write(path, Score(name="old"))
    with pytest.raises(OutputExistsError, match=r"score.json exists already.*--overwrite"):
        write(path, Score(name="new"))
    assert read(path, Score).name == "old"
    write(path, Score(name="new"), overwrite=True)
    assert read(path, Score).name == "new"


def test_a_folder_is_never_replaced_by_a_file(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputExistsError, match=r"folder is a folder, and a file is to be written"):
        write(tmp_path / "folder", Score(name="a"), overwrite=True)
    assert _names(tmp_path) == ["folder"]


@pytest.mark.parametrize("failing", ["write", "rename", "interrupt"])
def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
):
    path = tmp_path / "score.json"
    write(path, Score(name="old"))

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt if failing == "interrupt" else OSError("disk full")

    if failing == "write":
        data: object = "text, which a binary file refuses"
    else:
        data = b"new"
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises((OSError, TypeError, KeyboardInterrupt)):
        write_bytes(path, data, overwrite=True)  # type: ignore[arg-type]
    assert _names(tmp_path) == ["score.json"]
    assert read(path, Score).name == "old"


def test_nothing_is_seen_under_the_final_name_before_all_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "score.json"
    seen = []
    rename = Path.replace

    def look(self: Path, target: Path) -> Path:
        seen.append((path.exists(), self.parent, self.read_bytes()))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", look)
    write(path, Score(name="a"))
    assert seen == [(False, tmp_path, encode(Score(name="a")))]


def test_a_file_that_cannot_be_read_is_named_with_what_was_expected(tmp_path: Path):
    with pytest.raises(RecordError, match=r"plan.json: expected a Plan record.*No such file"):
        read(tmp_path / "plan.json", Plan)
    with pytest.raises(RecordError, match=r"expected a Plan record.*directory"):
        read(tmp_path, Plan)


def test_a_record_of_another_kind_is_refused(tmp_path: Path, plan_record: Plan):
    write(tmp_path / "plan.json", plan_record)
    with pytest.raises(
        RecordError, match=r"plan.json: unknown key `audit_digest`\. Known keys: dataset, total"
    ):
        read(tmp_path / "plan.json", Audit)


def test_records_are_frozen_and_strict(plan_record: Plan):
    with pytest.raises(AttributeError):
        plan_record.seed = 1  # type: ignore[misc]
    kinds = [codec.Record]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    assert len(kinds) > 30
    for kind in kinds:
        assert kind.__struct_config__.frozen and kind.__struct_config__.forbid_unknown_fields, kind
