"""Evaluate: scores of a run, or of anybody's predictions, with the constant predictor and others beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from rareseg.errors import DataError, RecordError, SettingError
from rareseg.imagery.answers.said_thresholds import by_class
from rareseg.imagery.answers.source import Source, of_folder
from rareseg.imagery.answers.written import Written
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.sets.scored import Choice, for_predictions, for_run, seen_notes
from rareseg.measures import reporting
from rareseg.measures.evaluation import Evaluation
from rareseg.measures.map_counts import boundary_px
from rareseg.measures.shape_counts import Shape
from rareseg.measures.telling import rarest
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.dataset import Dataset, Pair
from rareseg.records.places import places_file, read_places
from rareseg.records.report import Report
from rareseg.records.scores import Example
from rareseg.scoring.counting import evaluate_source
from rareseg.scoring.examples import examples
from rareseg.scoring.shapes import shapes_of
from rareseg.scoring.views import Scored, telling_views

if TYPE_CHECKING:
    from rareseg.network.trained import TrainedRun

_RUN = "run.json"
"""What tells the folder of a run from one of predictions."""


class Asked(NamedTuple):
    """How somebody wants it scored."""

    part: str | None = None
    against: Path | None = None
    """Another run or a folder of predictions, scored on the same images."""
    written: Written = Written()
    """What is known of predictions that files do not say."""
    shapes: bool = True
    """Whether lines and objects are scored, which takes longest."""


USUAL = Asked()


class Evaluated(NamedTuple):
    """A report, and its pictures by file name."""

    report: Report
    pictures: Mapping[str, bytes]


class _Data(NamedTuple):
    """Where the truth lies, and how it is looked at."""

    path: Path
    root: Path
    dataset: Dataset
    progress: Progress


class _Subject(NamedTuple):
    """What is scored: a run or a folder of predictions, on chosen images."""

    here: _Data
    choice: Choice
    source: Source
    run_digest: str
    chosen_shares: Sequence[float | None]
    """Of each class, where thresholds were chosen."""
    learned_from: "_Learned | None" = None
    """What a run was trained on."""


class _Learned(NamedTuple):
    audit: Audit
    audit_file: Path


class _Look(NamedTuple):
    """How both maps are looked at."""

    width: int
    """px, of the strips along edges."""
    shapes: Mapping[int, Shape]
    """Classes whose shapes are scored, by index."""


def evaluate_run(
    folder: Path, data: Path, asked: Asked = USUAL, *, progress: Progress | None = None
) -> Evaluated:
    """Score the run in `folder` on the labelled images in `data` with the run's own thresholds.

    Images are known by their content, whatever their names and folder. Without `asked.part`: if all of them belong
    to the run's data, its held-out part ("test", or "val" where there is no test part); else everything but
    what the run was trained or tuned on.

    Raises:
        DataError: if the data cannot be read, or does not fit the run (bands, dtype, classes).
        SettingError: if the part does not exist.
    """
    # Late: predictions of other tools are scored without PyTorch, which takes seconds and most of a gigabyte.
    from rareseg.network.trained import load_run  # noqa: PLC0415

    progress = progress or Silent()
    trained = load_run(folder)
    own = trained.audit.dataset
    here = _Data(data, *discover(data, progress, like=own), progress)
    choice = for_run(here.dataset, own, asked.part)
    return _evaluated(_run(trained, folder, folder.resolve().name, here, choice), asked)


def _run(trained: "TrainedRun", folder: Path, name: str, here: _Data, choice: Choice) -> _Subject:
    from rareseg.network.answering import check_fit, of_run  # noqa: PLC0415 - as above
    from rareseg.network.trained import AUDIT  # noqa: PLC0415

    check_fit(trained, here.dataset, here.path)
    source = of_run(trained, here.root, here.dataset, choice.pairs, name=name)
    validation = trained.audit.part("val")
    classes = trained.audit.dataset.classes
    shares = [facts.share for facts in validation.classes] if validation else [None] * len(classes)
    learned = _Learned(trained.audit, folder / AUDIT)
    return _Subject(here, choice, source, codec.digest(trained.run), shares, learned)


def evaluate_predictions(
    predictions: Path,
    data: Path,
    asked: Asked = USUAL,
    *,
    thresholds: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Evaluated:
    """Score rasters of any tool on the labelled images in `data`; `thresholds` by class name, None: 0.5 or argmax.

    Raises:
        DataError: if data or predictions cannot be read, or do not fit each other.
        SettingError: if the part or a class of the thresholds does not exist.
    """
    progress = progress or Silent()
    # Nothing is held out of what is scored whole, so that one image or one scene will do.
    whole = asked.part in (None, "all")
    here = _Data(data, *discover(data, progress, whole=whole), progress)
    choice = for_predictions(here.dataset, asked.part)
    subject = _predictions(predictions, here, choice, asked.written, thresholds)
    return _evaluated(subject, asked._replace(written=Written()))


def _predictions(
    folder: Path,
    here: _Data,
    choice: Choice,
    written: Written,
    thresholds: Mapping[str, float] | None = None,
) -> _Subject:
    source = _folder(folder, here, choice.pairs, written, thresholds)
    choice = Choice(choice.part, list(source.pairs), source.notes)
    return _Subject(here, choice, source, "", [None] * len(here.dataset.classes))


def _folder(
    folder: Path,
    here: _Data,
    pairs: Sequence[Pair],
    written: Written,
    thresholds: Mapping[str, float] | None = None,
) -> Source:
    dataset = here.dataset
    found = written.find(folder, tuple(pairs), here.root, dataset)
    told = None if thresholds is None else by_class(thresholds, dataset)
    if told and found.form.kind == "classes":
        message = (
            f"thresholds: {folder} holds maps of classes, which are decided already. Leave thresholds out."
        )
        raise SettingError(message)
    return of_folder(found, here.root, dataset, thresholds=told)


def _evaluated(subject: _Subject, asked: Asked) -> Evaluated:
    here, pairs = subject.here, subject.choice.pairs
    looked_at = shapes_of(here.root, here.dataset, pairs) if asked.shapes else {}
    other = None if asked.against is None else _other(asked.against, subject, asked.written)
    look = _Look(boundary_px([(pair.height, pair.width) for pair in pairs]), looked_at)
    found = _scored(subject, pairs, look)
    if not found.total.confusion.counted:
        raise _nothing(found, subject)
    report = _reported(subject, found, look)
    theirs = None
    if other is not None:
        theirs = _scored(other, other.choice.pairs, look)
        # Where the other lacks images, ours are counted again on those that both have.
        whole = len(theirs.images) == len(found.images)
        ours = found if whole else _scored(subject, other.choice.pairs, look)
        report = structs.replace(
            report, against=_reported(other, theirs, look), differences=reporting.differences(ours, theirs)
        )
    scored = [
        Scored(found, subject.source),
        *([] if other is None or theirs is None else [Scored(theirs, other.source)]),
    ]
    (own, *beside), pictures = telling_views(scored, pairs, here.root, here.dataset)
    examined, more = _examples(subject)
    report = structs.replace(report, views=own, examples=examined)
    if report.against is not None:
        report = structs.replace(report, against=structs.replace(report.against, views=beside[0]))
    return Evaluated(report, {**pictures, **more})


def _reported(subject: _Subject, found: Evaluation, look: _Look) -> Report:
    source = subject.source
    return reporting.report(
        found,
        decision=reporting.Decision(
            source.decision, source.thresholds, source.thresholds_from, subject.chosen_shares
        ),
        name=source.name,
        run_digest=subject.run_digest,
        data=subject.here.path.resolve().name,
        part=subject.choice.part,
        source=source.kind,
        boundary_px=look.width,
        notes=subject.choice.notes,
    )


def _nothing(found: Evaluation, subject: _Subject) -> DataError:
    """Return what to say where no pixel counts."""
    if found.total.unanswered:
        message = (
            f"{subject.source.name}: not one of {found.total.unanswered:,} labelled pixels has an answer: all are NaN, "
            "no-data or 255. Check how the predictions were written."
        )
    else:
        part = subject.choice.part
        message = f"{subject.here.path}: part {part!r} holds no counted pixel, so there is nothing to score."
    return DataError(message)


def _scored(subject: _Subject, pairs: Sequence[Pair], look: _Look) -> Evaluation:
    here, source = subject.here, subject.source
    with here.progress.task(f"scoring {source.name}", len(pairs)) as task:
        return evaluate_source(
            source, pairs, here.root, here.dataset, width=look.width, shapes=look.shapes, task=task
        )


def _other(against: Path, subject: _Subject, written: Written) -> _Subject:
    """Return who answers for the same images beside the subject."""
    here, choice = subject.here, subject.choice
    if not (against / _RUN).is_file():
        other = _predictions(against, here, choice._replace(notes=()), written)
        named = other.source._replace(name=_told_apart(against, subject.source.name))
        return other._replace(source=named)
    from rareseg.network.trained import load_run  # noqa: PLC0415 - as in evaluate_run

    trained = load_run(against)
    name = _told_apart(against, subject.source.name)
    seen = seen_notes(choice.pairs, trained.audit.dataset, name)
    return _run(trained, against, name, here, choice._replace(notes=seen))


def _told_apart(folder: Path, own: str) -> str:
    """Return the folder's name, with as many folders above it as tell it from `own`: many runs are called run."""
    parts = folder.resolve().parts
    names = ("/".join(parts[-count:]) for count in range(1, len(parts)))
    return next((name for name in names if name != own), own)


def _examples(subject: _Subject) -> tuple[tuple[Example, ...], Mapping[str, bytes]]:
    """Draw what the rarest class looks like where the run learned it; none where its images are not at hand."""
    here, learned = subject.here, subject.learned_from
    if learned is None:
        return (), {}
    try:
        places = read_places(places_file(learned.audit_file), learned.audit)
    except RecordError as error:
        here.progress.say(f"{error}: the report has no examples of the rarest class.")
        return (), {}
    part = learned.audit.part("train") or learned.audit.total
    return examples(learned.audit, places, here.dataset, here.root, rarest(part.counts.pixels))
