"""From records to the page: which files are read, and which are not."""

import shutil

import pytest
from msgspec.structs import replace

from rareseg import verbs
from rareseg.errors import OutputExistsError, RecordError, SettingError
from rareseg.records import codec
from rareseg.records.report import Report
from rareseg.stages.report import drawn_before, page_file, report_page, views_folder


@pytest.fixture(scope="module")
def evaluated(roads_run, roads, tmp_path_factory):
    """A copy of the run with its report, page and pictures."""
    folder = tmp_path_factory.mktemp("shown") / "run"
    shutil.copytree(roads_run, folder)
    verbs.evaluate(folder, roads, output=folder / "report.json", part="all")
    return folder


@pytest.fixture
def copied(evaluated, tmp_path):
    return shutil.copytree(evaluated, tmp_path / "run")


def test_evaluate_writes_the_report_its_page_and_its_pictures(evaluated):
    report = codec.read(evaluated / "report.json", Report)
    assert report.views_folder == "report.views"
    names = {name for view in report.views for name in (view.photo, view.truth, *view.answers)}
    assert {path.name for path in views_folder(evaluated / "report.json").iterdir()} == names
    page = (evaluated / "report.html").read_text()
    assert page == report_page([evaluated])
    assert len(page) < 5_000_000


def test_what_is_there_is_kept_unless_told_otherwise(copied, roads):
    with pytest.raises(OutputExistsError):
        verbs.evaluate(copied, roads, output=copied / "report.json")
    (copied / "report.json").unlink()
    with pytest.raises(OutputExistsError, match=r"report\.html"):
        verbs.evaluate(copied, roads, output=copied / "report.json")
    (copied / "report.views" / "99_photo.jpg").write_bytes(b"stale")
    (copied / "report.views" / "mine.txt").write_text("kept")
    verbs.evaluate(copied, roads, output=copied / "report.json", overwrite=True)
    assert not (copied / "report.views" / "99_photo.jpg").exists()
    assert (copied / "report.views" / "mine.txt").read_text() == "kept"
    assert drawn_before(copied / "nowhere") == []


def test_the_page_of_a_report_lies_beside_it(copied, tmp_path):
    (copied / "report.html").unlink()
    assert verbs.report(copied) == copied / "report.html"
    with pytest.raises(OutputExistsError):
        verbs.report(copied)
    both = verbs.report(copied, copied / "report.json", output=tmp_path / "both.html")
    assert both.read_text().count("<html") == 1
    with pytest.raises(SettingError, match="output for the page of 2 reports"):
        page_file([copied, copied], None)
    with pytest.raises(SettingError, match="received none"):
        page_file([], None)


def test_a_run_without_a_report_says_how_to_write_one(roads_run):
    with pytest.raises(
        RecordError, match=r"report\.json is not there\. Write one by: rareseg evaluate RUN DATA -o"
    ):
        report_page([roads_run])


def test_records_of_another_run_are_not_shown(copied):
    report = codec.read(copied / "report.json", Report)
    whole = report_page([copied])
    codec.write(copied / "report.json", replace(report, run_digest="0" * 16), overwrite=True)
    assert len(report_page([copied])) < len(whole)


def test_names_in_a_report_do_not_lead_elsewhere(copied, tmp_path):
    report = codec.read(copied / "report.json", Report)
    shutil.move(copied / "report.views", tmp_path / "report.views")
    secret = report_page([copied])
    for folder in ("../report.views", str(tmp_path / "report.views")):
        codec.write(copied / "report.json", replace(report, views_folder=folder), overwrite=True)
        assert len(report_page([copied])) == len(secret)
    view = report.views[0]
    outside = replace(view, photo=f"../../report.views/{view.photo}")
    told = replace(report, views=(outside,), views_folder="report.views")
    (copied / "report.views").mkdir()
    codec.write(copied / "report.json", told, overwrite=True)
    assert "image/jpeg;base64" not in report_page([copied])
