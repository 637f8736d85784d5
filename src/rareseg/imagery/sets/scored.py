"""Which labelled images are scored, and what a reader must know before believing the scores."""

from collections.abc import Sequence
from typing import NamedTuple

from rareseg.errors import SettingError
from rareseg.records.dataset import PARTS, Dataset, Pair, PartName


class Choice(NamedTuple):
    """What is scored."""

    part: str
    pairs: list[Pair]
    notes: tuple[str, ...]


def for_run(dataset: Dataset, own: Dataset, part: str | None) -> Choice:
    """Choose the pairs of `dataset` to score a run on that was made from the data `own`.

    Images are known by their content, whatever their names and folder. Without `part`: if all of them belong to the
    run's data, its held-out part ("test", or "val" where there is no test part); else everything but what the run
    was trained or tuned on.

    Raises:
        SettingError: if there is no image of that part.
    """
    parts = {pair.image_digest: pair.part for pair in own.pairs}
    of_pair = [(pair, parts.get(pair.image_digest)) for pair in dataset.pairs]
    new = [pair for pair, known in of_pair if known is None]
    there = [name for name in PARTS if any(known == name for _, known in of_pair)]
    if part is None:
        part = "all" if new else next(name for name in ("test", "val", "train") if name in there)
        left_out = sum(known in ("train", "val") for _, known in of_pair) if new else 0
        pairs = [pair for pair, known in of_pair if known in ((None, "test") if new else (part,))]
        notes = _left_out_notes(left_out)
    else:
        pairs = [pair for pair, known in of_pair if part in ("all", known)]
        notes = ()
    if not pairs:
        raise _no_part(part, there)
    return Choice(part, pairs, (*notes, *seen_notes(pairs, own), *_namesake_notes(pairs, own)))


def for_predictions(dataset: Dataset, part: str | None) -> Choice:
    """Choose the pairs of `dataset` to score predictions on: those of `part`, or all.

    Raises:
        SettingError: if there is no image of that part.
    """
    pairs = [pair for pair in dataset.pairs if part in (None, "all", pair.part)]
    if not pairs:
        raise _no_part(
            str(part), [name for name in PARTS if any(pair.part == name for pair in dataset.pairs)]
        )
    return Choice(part or "all", pairs, ())


def seen_notes(pairs: Sequence[Pair], own: Dataset, name: str = "The network") -> tuple[str, ...]:
    """Return what is said of scores on images that a run, made from the data `own`, has seen."""
    parts = {pair.image_digest: pair.part for pair in own.pairs}
    seen = {parts.get(pair.image_digest) for pair in pairs}
    notes: list[str] = []
    if "train" in seen:
        notes.append(f"{name} was trained on some of these images: the scores say little about new ones.")
    if "val" in seen:
        notes.append(
            "Thresholds and best weights were chosen on the part val, which is scored here: "
            "the scores are a little too good."
        )
    return tuple(notes)


def _no_part(part: str, there: Sequence[PartName]) -> SettingError:
    message = f"There is no part {part!r} to score; the data has: {', '.join([*there, 'all'])}."
    return SettingError(message)


def _left_out_notes(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} images were left out, as the run was trained or tuned on them (by content, not name).",)


def _namesake_notes(pairs: Sequence[Pair], own: Dataset) -> tuple[str, ...]:
    """Warn of scenes that bear the names of training scenes and hold other files: another crop of the place?"""
    known = {pair.image_digest for pair in own.pairs}
    trained_on = {pair.group for pair in own.pairs if pair.part == "train"}
    shared = sorted({pair.group for pair in pairs if pair.image_digest not in known} & trained_on)
    if not shared:
        return ()
    return (
        f"{len(shared)} scenes bear the names of scenes that the run was trained on "
        f"({', '.join(shared[:3])}): if they are the same places, the scores are too good.",
    )
