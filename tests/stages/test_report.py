"""From records to the page: which files are read, and which are not."""

import json
import re
import shutil

import pytest
from msgspec.structs import replace

from rareseg import verbs
from rareseg.errors import OutputExistsError, RecordError, SettingError
from rareseg.records import codec
from rareseg.records.report import Report
from rareseg.records.scores import Difference, Interval
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
    names = {
        name for view in report.views for name in (view.photo, view.truth, view.given, *view.answers)
    } | {name for one in report.examples for name in (one.photo, one.truth)}
    assert len(report.examples) > 2
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


@pytest.mark.parametrize("folder", ["..", "report.views\0", "views"])
def test_other_folders_than_those_of_views_are_not_looked_into(copied, folder):
    report = codec.read(copied / "report.json", Report)
    view = report.views[0]
    if "\0" not in folder:
        (copied / folder).mkdir(exist_ok=True)
        shutil.copy(copied / "report.views" / view.photo, copied / folder / view.photo)
    codec.write(copied / "report.json", replace(report, views_folder=folder), overwrite=True)
    assert "image/jpeg;base64" not in report_page([copied])


@pytest.mark.parametrize("name", ["run.json", "00_photo.jpg\0", "../00_photo.jpg", ".."])
def test_other_files_than_pictures_are_not_embedded(copied, name):
    report = codec.read(copied / "report.json", Report)
    before = json.loads(viewer_data(report_page([copied])))
    (copied / "report.views" / "run.json").write_text("secret")
    views = (replace(report.views[0], photo=name), *report.views[1:])
    codec.write(copied / "report.json", replace(report, views=views), overwrite=True)
    after = json.loads(viewer_data(report_page([copied])))
    assert len(after["runs"][0]["views"]) == len(before["runs"][0]["views"]) - 1


def viewer_data(page):
    return page.split('id="viewer-data">')[1].split("</script>")[0]


def edited(report, **changes):
    scores = replace(report.classes["foreground"], **changes)
    return replace(report, classes={**report.classes, "foreground": scores})


def shorter(held, field):
    return replace(held, **{field: getattr(held, field)[:-1]})


GAP = Difference(name="foreground", score="iou", this=0.5, other=0.4, difference=0.1, interval=None)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda one: edited(one, iou=7.0), "classes.foreground.iou: expected 0 to 1, got 7"),
        (lambda one: edited(one, pixels=10**12), "classes.foreground.pixels: expected 0 to counted_pixels"),
        (
            lambda one: edited(one, curve=shorter(one.classes["foreground"].curve, "recall")),
            "classes.foreground.curve: expected lists of one length",
        ),
        (
            lambda one: edited(one, reliability=shorter(one.classes["foreground"].reliability, "pixels")),
            "classes.foreground.reliability: expected lists of one length",
        ),
        (
            lambda one: edited(one, operating=(replace(one.classes["foreground"].operating[0], iou=-2.0),)),
            "classes.foreground.operating: expected 0 to 1 for 'best F1 and IoU'",
        ),
        (lambda one: replace(one, confusion=((1, 2),)), "confusion: expected 2 rows of 2 counts, got 1 rows"),
        (lambda one: replace(one, classes={}), "classes: expected at least one, got none"),
        (lambda one: replace(one, counted_pixels=-1), "expected counts, got 12 images and -1"),
        (
            lambda one: replace(one, by_image=(shorter(one.by_image[0], "iou"),)),
            "by_image[0]: expected 2 pixels, given, iou and average_precision",
        ),
        (
            lambda one: replace(one, views=(replace(one.views[0], width=0),)),
            "views[0]: expected a picture with pixels",
        ),
        (
            lambda one: replace(one, against=edited(one, f1=-1.0)),
            "against.classes.foreground.f1: expected 0 to 1, got -1",
        ),
        (
            lambda one: replace(one, against=replace(one, classes={"road": one.classes["foreground"]})),
            "against.classes: expected the same, background, foreground, got road",
        ),
        (
            lambda one: replace(one, against=replace(one, against=one)),
            "against.against: expected none",
        ),
        (
            lambda one: replace(one, differences=(replace(GAP, name="river"),)),
            "differences[0].name: expected a class, or none for the mean, got 'river'",
        ),
        (
            lambda one: replace(one, differences=(replace(GAP, interval=Interval(low=1.0, high=0.0)),)),
            "differences[0].interval: expected low up to high",
        ),
        (
            lambda one: edited(one, intervals={"iou": Interval(low=0.7, high=0.1)}),
            "classes.foreground.intervals.iou: expected low up to high, got 0.7 and 0.1",
        ),
        (
            lambda one: edited(one, lines=replace(one.classes["foreground"].lines, apls=3.0)),
            "classes.foreground.lines.apls: expected 0 to 1, got 3",
        ),
        (
            lambda one: replace(one, examples=(replace(one.examples[0], height=0),)),
            "examples[0]: expected a picture with pixels and a share from 0 to 1",
        ),
    ],
)
def test_a_report_that_was_edited_into_nonsense_is_refused(copied, edit, told):
    report = codec.read(copied / "report.json", Report)
    codec.write(copied / "report.json", edit(report), overwrite=True)
    with pytest.raises(RecordError, match=re.escape(told)) as refused:
        report_page([copied])
    assert str(copied / "report.json") in str(refused.value)
    assert "Write it anew by: rareseg evaluate" in str(refused.value)


def test_of_many_contradictions_some_are_told(copied):
    report = codec.read(copied / "report.json", Report)
    images = tuple(shorter(one, "iou") for one in report.by_image)
    codec.write(copied / "report.json", replace(report, by_image=images), overwrite=True)
    with pytest.raises(RecordError, match=r"by_image\[4\][^;]*; and more\. Write it anew"):
        report_page([copied])


def test_pictures_of_an_earlier_report_stay_until_the_new_one_is_there(copied, roads, monkeypatch):
    earlier = {path.name: path.read_bytes() for path in (copied / "report.views").iterdir()}

    def full(path, data, *, overwrite=False):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(codec, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        verbs.evaluate(copied, roads, output=copied / "report.json", overwrite=True)
    assert {path.name: path.read_bytes() for path in (copied / "report.views").iterdir()} == earlier


def test_runs_of_one_name_are_told_apart_on_the_page(copied, roads, tmp_path):
    other = shutil.copytree(copied, tmp_path / "elsewhere" / "run")
    assert codec.read(copied / "report.json", Report).name == "run"
    page = report_page([copied, other])
    assert str(copied) in page
    assert str(other) in page
    assert str(copied) not in report_page([copied])
