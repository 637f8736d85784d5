"""Where classes lie, on its way from the audit to the training."""

import pytest

from rareseg.progress import Silent
from rareseg.stages import places
from rareseg.stages.audit import audit_data
from rareseg.stages.places import find_places, keep_places


class Listening(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def audited(roads, monkeypatch):
    monkeypatch.setattr(places, "_LATEST", {})
    return audit_data(roads)


def test_the_places_of_the_latest_audit_are_found_in_memory(audited):
    keep_places(audited.audit, audited.places)
    progress = Listening()
    assert find_places(audited.audit, None, progress=progress) is audited.places
    assert not progress.said


def test_those_of_an_audit_on_disk_are_found_beside_it(audited, tmp_path):
    keep_places(audited.audit, audited.places, audit_file=tmp_path / "my.json")
    places._LATEST.clear()
    progress = Listening()
    found = find_places(audited.audit, tmp_path / "my.json", progress=progress)
    assert found.keys() == audited.places.keys()
    assert not progress.said


def test_only_one_audit_is_kept_in_memory(audited):
    keep_places(audited.audit, audited.places)
    keep_places(type(audited.audit)(**(fields(audited.audit) | {"notes": ("another",)})), {})
    assert list(places._LATEST.values()) == [{}]


def fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


@pytest.mark.parametrize(
    ("name", "reason"), [("audit.json", "audit.places.npz does not exist"), (None, "made elsewhere")]
)
def test_where_none_are_found_one_sentence_says_why(audited, tmp_path, name, reason):
    progress = Listening()
    assert find_places(audited.audit, tmp_path / name if name else None, progress=progress) is None
    assert len(progress.said) == 1 and reason in progress.said[0]
    assert progress.said[0].endswith("where classes lie is counted anew from the masks.")
