import pytest
from tests.references.comparisons import comparison

from rareseg.errors import OutputExistsError, RecordError, SettingError
from rareseg.network.contest_folder import Asked, check_free, remove_comparison, requested
from rareseg.records import codec
from rareseg.remedies.candidates import USUAL

NOTHING = Asked(None, None, None, None, None, keep_weights=False, resume=False, overwrite=False)


def test_nothing_asked_for_gives_the_usual(tmp_path):
    found = requested(tmp_path / "new", NOTHING)
    assert (found.remedies, found.seeds, found.minutes, found.steps) == (USUAL, 3, 30.0, None)
    assert found.settings == {}
    assert not found.keep_weights


def test_what_is_asked_for_is_taken_over(tmp_path):
    asked = NOTHING._replace(
        remedies=["dice"], seeds=1, steps=90, settings={"model.width": 8}, keep_weights=True
    )
    found = requested(tmp_path / "new", asked)
    assert (found.remedies, found.seeds, found.minutes, found.steps) == (("dice",), 1, None, 90)
    assert found.settings == {"model.width": "8"}
    assert found.keep_weights


def test_one_text_is_a_list_as_on_the_command_line(tmp_path):
    found = requested(tmp_path / "new", NOTHING._replace(remedies="dice,none"))
    assert found.remedies == ("dice", "none")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"minutes": 1.0, "steps": 2}, "Give minutes or steps, not both"),
        ({"minutes": 0.0}, "minutes must be a number above 0"),
        ({"minutes": float("nan")}, "minutes must be a number above 0"),
        ({"seeds": 0}, "seeds must be a whole number from 1 to 100; received 0"),
        ({"seeds": 1.5}, "seeds must be a whole number from 1 to 100; received 1.5"),
        ({"steps": 1.5}, "steps must be a whole number above 0; received 1.5"),
        ({"seeds": 101}, "seeds must be a whole number from 1 to 100"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, asked, message):
    with pytest.raises(SettingError, match=message):
        requested(tmp_path / "new", NOTHING._replace(**asked))


def test_resuming_goes_on_with_what_was_asked_for(tmp_path):
    made = comparison()
    codec.write(tmp_path / "comparison.json", made)
    assert requested(tmp_path, NOTHING._replace(resume=True)) == made.request
    with pytest.raises(RecordError, match="expected a Comparison record"):
        requested(tmp_path / "none", NOTHING._replace(resume=True))


@pytest.mark.parametrize(
    "asked",
    [
        {"remedies": ["dice"]},
        {"seeds": 2},
        {"minutes": 3.0},
        {"steps": 4},
        {"settings": {"a.b": "c"}},
        {"keep_weights": True},
        {"overwrite": True},
    ],
)
def test_resuming_takes_nothing_else(tmp_path, asked):
    codec.write(tmp_path / "comparison.json", comparison())
    with pytest.raises(SettingError, match="leave out everything but the data and the folder"):
        requested(tmp_path, NOTHING._replace(resume=True, **asked))


def test_a_used_folder_is_refused_unless_it_is_a_comparison_that_may_go(tmp_path):
    folder = tmp_path / "out"
    check_free(folder, overwrite=False)
    folder.mkdir()
    check_free(folder, overwrite=False)
    (folder / "thesis.txt").touch()
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="holds files, but no comparison"):
            check_free(folder, overwrite=overwrite)
    codec.write(folder / "comparison.json", comparison())
    with pytest.raises(OutputExistsError, match="Go on with it by --resume"):
        check_free(folder, overwrite=False)
    check_free(folder, overwrite=True)
    with pytest.raises(OutputExistsError, match="is a file"):
        check_free(folder / "thesis.txt", overwrite=True)


def test_removing_a_comparison_leaves_other_files(tmp_path):
    for name in (
        "audit.json",
        "comparison.json",
        "plan.json",
        "comparison.html",
        "comparison.png",
        "thesis.txt",
    ):
        (tmp_path / name).touch()
    (tmp_path / "trials" / "dice-0-50").mkdir(parents=True)
    (tmp_path / "trials" / "dice-0-50" / "trial.json").touch()
    remove_comparison(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
