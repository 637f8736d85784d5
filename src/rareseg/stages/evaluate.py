"""Evaluate: scores of a run, or of anybody's predictions, with the constant predictor and others beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from rareseg.errors import DataError, SettingError
from rareseg.imagery.answers.source import Source, of_folder
from rareseg.imagery.answers.views import Telling, view
from rareseg.imagery.answers.written import Written
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.sets.scored import Choice, for_predictions, for_run, seen_notes
from rareseg.measures import reporting
from rareseg.measures.evaluation import Evaluation
from rareseg.measures.map_counts import boundary_px
from rareseg.measures.shape_counts import Shape
from rareseg.measures.telling import rarest, telling
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.dataset import Dataset, Pair
from rareseg.records.report import Report
from rareseg.records.scores import Against, View
from rareseg.scoring.counting import evaluate_source
from rareseg.scoring.shapes import shapes_of

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
    """A report, and the pictures of its views by file name."""

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
    from rareseg.network.answering import check_fit, of_run  # noqa: PLC0415
    from rareseg.network.trained import load_run  # noqa: PLC0415

    progress = progress or Silent()
    trained = load_run(folder)
    own = trained.audit.dataset
    here = _Data(data, *discover(data, progress, like=own), progress)
    check_fit(trained, here.dataset, data)
    choice = for_run(here.dataset, own, asked.part)
    source = of_run(trained, here.root, here.dataset, choice.pairs, name=folder.resolve().name)
    validation = trained.audit.part("val")
    shares = [facts.share for facts in validation.classes] if validation else [None] * len(own.classes)
    subject = _Subject(here, choice, source, codec.digest(trained.run), shares)
    return _evaluated(subject, asked)


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
    source = _folder(predictions, here, choice.pairs, asked.written, thresholds)
    choice = Choice(choice.part, list(source.pairs), source.notes)
    subject = _Subject(here, choice, source, "", [None] * len(here.dataset.classes))
    return _evaluated(subject, asked._replace(written=Written()))


def _folder(
    folder: Path,
    here: _Data,
    pairs: Sequence[Pair],
    written: Written,
    thresholds: Mapping[str, float] | None = None,
) -> Source:
    dataset = here.dataset
    found = written.find(folder, tuple(pairs), here.root, dataset)
    told = None if thresholds is None else _by_class(thresholds, dataset)
    if told and found.form.kind == "classes":
        message = (
            f"thresholds: {folder} holds maps of classes, which are decided already. Leave thresholds out."
        )
        raise SettingError(message)
    return of_folder(found, here.root, dataset, thresholds=told)


def _by_class(thresholds: Mapping[str, float], dataset: Dataset) -> list[float | None]:
    # Of two classes that exclude each other, the first has what the second leaves.
    free = dataset.classes if dataset.overlapping else dataset.classes[1:]
    strange = [name for name in thresholds if name not in free]
    wrong = [f"{name}={value}" for name, value in thresholds.items() if not 0 <= value <= 1]
    single = len(dataset.classes) == 2 or dataset.overlapping
    if strange or wrong or not single:
        message = (
            "thresholds: expected a probability, 0 to 1, for the second of two classes or for overlapping ones, by "
            f"name; the data has {', '.join(dataset.classes)}{_relation(dataset)}; received "
            f"{', '.join([*strange, *wrong]) or ', '.join(thresholds)}."
        )
        raise SettingError(message)
    return [thresholds.get(name) for name in dataset.classes]


def _relation(dataset: Dataset) -> str:
    if dataset.overlapping:
        return ", which overlap"
    if len(dataset.classes) > 2:
        return ", which exclude one another, so that the likeliest is given"
    return f": where {dataset.classes[1]} is not given, {dataset.classes[0]} is"


def _evaluated(subject: _Subject, asked: Asked) -> Evaluated:
    here, source, pairs = subject.here, subject.source, subject.choice.pairs
    looked_at = shapes_of(here.root, here.dataset, pairs) if asked.shapes else {}
    other = None if asked.against is None else _other(asked.against, source.name, here, pairs, asked.written)
    width = boundary_px([(pair.height, pair.width) for pair in pairs])
    found = _scored(source, pairs, here, width, looked_at)
    if not found.total.confusion.counted:
        raise _nothing(found, subject)
    beside = None if other is None else _against(other, found, subject, width)
    report = reporting.report(
        found,
        decision=reporting.Decision(
            source.decision, source.thresholds, source.thresholds_from, subject.chosen_shares
        ),
        name=source.name,
        run_digest=subject.run_digest,
        data=here.path.resolve().name,
        part=subject.choice.part,
        source=source.kind,
        boundary_px=width,
        notes=subject.choice.notes,
    )
    views, pictures = _views(found, source, pairs, here)
    return Evaluated(structs.replace(report, against=beside, views=views), pictures)


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


def _scored(
    source: Source, pairs: Sequence[Pair], here: _Data, width: int, shapes: Mapping[int, Shape]
) -> Evaluation:
    with here.progress.task(f"scoring {source.name}", len(pairs)) as task:
        return evaluate_source(source, pairs, here.root, here.dataset, width=width, shapes=shapes, task=task)


def _other(against: Path, own: str, here: _Data, pairs: Sequence[Pair], written: Written) -> Source:
    if not (against / _RUN).is_file():
        return _folder(against, here, pairs, written)
    from rareseg.network.answering import check_fit, of_run  # noqa: PLC0415 - as in evaluate_run
    from rareseg.network.trained import load_run  # noqa: PLC0415

    trained = load_run(against)
    check_fit(trained, here.dataset, here.path)
    name = _told_apart(against, own)
    notes = seen_notes(pairs, trained.audit.dataset, name)
    return of_run(trained, here.root, here.dataset, pairs, name=name, notes=notes)


def _told_apart(folder: Path, own: str) -> str:
    """Return the folder's name, with as many folders above it as tell it from `own`: many runs are called run."""
    parts = folder.resolve().parts
    names = ("/".join(parts[-count:]) for count in range(1, len(parts)))
    return next((name for name in names if name != own), own)


def _against(other: Source, found: Evaluation, subject: _Subject, width: int) -> Against:
    """Score the other on the same images, and the differences."""
    here, shared = subject.here, list(other.pairs)
    theirs = _scored(other, shared, here, width, {})
    # Where the other lacks images, ours are counted again on those that both have.
    ours = found if len(shared) == len(found.images) else _scored(subject.source, shared, here, width, {})
    return Against(
        name=other.name,
        decision=other.decision,
        images=len(shared),
        differences=reporting.differences(ours, theirs),
        notes=(*other.notes, *reporting.unanswered_notes(theirs, other.name)),
    )


def _views(
    found: Evaluation, source: Source, pairs: Sequence[Pair], here: _Data
) -> tuple[tuple[View, ...], dict[str, bytes]]:
    """Draw the images that tell most of the rarest class."""
    label = rarest(found.total.confusion.pixels)
    views: list[View] = []
    pictures: dict[str, bytes] = {}
    for number, chosen in enumerate(telling(found.images, label)):
        one = Telling(pairs[chosen.place], chosen.why, label, found.images[chosen.place].iou[label])
        record, files = view(number, one, source, here.root, here.dataset)
        views.append(record)
        pictures |= files
    return tuple(views), pictures
