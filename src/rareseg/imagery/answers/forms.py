"""What the values of a folder of predictions mean, decided over a sample of all its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError
from rareseg.imagery.answers.names import Kind
from rareseg.imagery.masks.labels import count_raw
from rareseg.records.dataset import VOID, Dataset

_MOST_LEVELS = 4096
_FEW = 8
"""A map of so many values, or of two for each class, may be a class map in the values of the masks."""


@final
@dataclass(frozen=True, slots=True)
class Form:
    """How stored values become classes or probabilities.

    kind "classes": `ids` gives the class of each stored value, 255 for no answer; or, where files hold a channel for
    each class, a pixel holds the classes whose channel is not 0. Otherwise values over `scale` are probabilities,
    or logits.
    """

    kind: Kind
    because: str
    """A sentence: what was seen, and what follows from it."""
    channels: tuple[int, ...] = ()
    """Class of each stored channel; empty for class maps of one channel."""
    scale: float = 1.0
    """Stored value of probability 1."""
    step: float = 0.0
    """Distance of the probabilities that can be stored: 1/255 for 8 bits."""
    ids: tuple[tuple[int, int], ...] = ()
    """Stored value and class."""


class Values(NamedTuple):
    """What was seen in a sample of the files."""

    channels: int
    low: float
    high: float
    whole: bool
    """All are whole numbers."""
    levels: tuple[int, ...]
    """The whole numbers that occur, if not too many."""
    sums: tuple[float, float]
    """Least and greatest sum over channels."""
    dtype: str
    colours: tuple[int, ...] = ()
    """Of three bands that differ: the packed colours, if few."""


def look(planes: NDArray[Any]) -> Values:
    """Describe the values (channels, rows, cols) of one image; three equal bands of 8 bits count as one."""
    if _is_grey(planes):
        planes = planes[:1]
    finite = planes[:, np.isfinite(planes).all(axis=0)] if planes.dtype.kind == "f" else planes
    if not finite.size:
        return Values(len(planes), 0.0, 0.0, True, (), (0.0, 0.0), str(planes.dtype))
    total = finite.sum(axis=0, dtype=np.float64) if len(finite) > 1 else finite
    low, high = float(finite.min()), float(finite.max())
    levels: tuple[int, ...] = ()
    colours: tuple[int, ...] = ()
    whole = planes.dtype.kind != "f" or (max(-low, high) < 2**31 and bool((finite == np.rint(finite)).all()))
    if whole:
        rows = finite.reshape(1, -1, finite.shape[-1])
        levels = tuple(count_raw(rows.astype(np.int64) if rows.dtype.kind == "f" else rows, colours=False))
        if len(planes) == 3 and planes.dtype == np.uint8:
            colours = tuple(count_raw(planes, colours=True))
    sums = (float(total.min()), float(total.max()))
    return Values(
        len(planes), low, high, whole, levels[:_MOST_LEVELS], sums, str(planes.dtype), colours[:_MOST_LEVELS]
    )


def _is_grey(planes: NDArray[Any]) -> bool:
    return len(planes) == 3 and planes.dtype == np.uint8 and bool((planes[1:] == planes[0]).all())


def merged(seen: Sequence[Values]) -> Values:
    """Describe several images together."""
    levels = tuple(sorted(set().union(*(one.levels for one in seen))))[:_MOST_LEVELS]
    return Values(
        channels=max(one.channels for one in seen),
        low=min(one.low for one in seen),
        high=max(one.high for one in seen),
        whole=all(one.whole for one in seen),
        levels=levels,
        sums=(min(one.sums[0] for one in seen), max(one.sums[1] for one in seen)),
        dtype=seen[0].dtype,
        colours=tuple(sorted(set().union(*(one.colours for one in seen))))[:_MOST_LEVELS],
    )


def decide(
    seen: Values,
    dataset: Dataset,
    *,
    said: Kind | None,
    scale: float | None,
    labels: tuple[int, ...] | None,
    name: str,
) -> Form:
    """Decide what the values of a folder mean.

    Args:
        seen: what its files hold.
        dataset: its classes, and how its masks are read.
        said: what the user or the names of the files say that it is, if they do.
        scale: stored value of probability 1, where the user says it.
        labels: classes of the channels, where names of files or the user say them.
        name: the folder, for errors.

    Raises:
        DataError: if that cannot be told, with what to say.
    """
    if said in (None, "classes") and scale is None:
        form = _as_classes(seen, dataset, labels)
        if form is not None:
            return form
    if said == "classes":
        raise _undecided(seen, dataset, name, "they were said to be class maps, but hold other values")
    channels = _channels(seen.channels, dataset, labels)
    if channels is None:
        raise _undecided(
            seen, dataset, name, f"{seen.channels} channels do not fit {len(dataset.classes)} classes"
        )
    doubt = _doubt(seen, dataset, scale, labels) if said is None else ""
    if doubt:
        raise _undecided(seen, dataset, name, doubt)
    if said == "logits" or (said is None and scale is None and _beyond(seen)):
        activation = "sigmoid" if dataset.overlapping or len(channels) == 1 else "softmax"
        said_by = "as said" if said else "values beyond those of probabilities"
        return Form("logits", f"logits ({_range(seen)}; {said_by}), taken through {activation}", channels)
    full = scale or _scale(seen)
    if seen.low < -1e-3 * full or seen.high > full * 1.001:
        raise _undecided(seen, dataset, name, f"they are no probabilities of a scale of {full:g}")
    because = f"probabilities ({_range(seen)}), {full:g} being certain"
    return Form("probabilities", because, channels, full, 1 / full if seen.whole and full > 1 else 0.0)


def _doubt(seen: Values, dataset: Dataset, scale: float | None, labels: tuple[int, ...] | None) -> str:
    """Return what speaks against probabilities and logits, "" for nothing."""
    if scale is None and seen.channels == 1 and seen.whole and 1 < seen.high <= len(dataset.classes):
        return "they may be class ids that count from 1, or very faint probabilities"
    apart = abs(seen.sums[0] - VOID) + abs(seen.sums[1] - VOID)
    if labels is None and seen.colours and apart > 6:
        return "three bands of 8 bits may be colours, as they do not add up to 255"
    return ""


def _as_classes(seen: Values, dataset: Dataset, labels: tuple[int, ...] | None) -> Form | None:
    """Return the form of class maps, or None if the values are none."""
    if seen.colours:
        return _coloured(seen, dataset) or _one_hot(seen, dataset, labels)
    if not seen.whole or not seen.levels or seen.low < 0:
        return None
    if seen.channels > 1 or labels is not None:
        return _one_hot(seen, dataset, labels)
    if dataset.overlapping:
        return _one_hot(seen, dataset, (0,)) if len(dataset.classes) == 1 else None
    for ids, because in _readings(seen, dataset):
        if ids is not None and set(seen.levels) <= ids.keys():
            return Form("classes", because, ids=tuple(sorted(ids.items())))
    return None


def _readings(seen: Values, dataset: Dataset) -> list[tuple[Mapping[int, int] | None, str]]:
    """Return what stored values may mean, in the order in which it is believed, with a sentence each."""
    classes, levels = len(dataset.classes), seen.levels
    plain = {index: index for index in range(classes)}
    void = {} if classes > VOID else {VOID: VOID}
    ids = f"class ids 0 to {classes - 1}"
    two_levels = {0: 0, levels[-1]: 1} if classes == 2 and len(levels) <= 2 else None
    few = len(levels) <= max(_FEW, 2 * classes)
    most = max(classes - 1, 1)
    stretched = {VOID // most * index: index for index in range(classes)}
    stretched |= {round(VOID * index / most): index for index in range(classes)}
    return [
        (plain, f"class maps: {ids}"),
        (two_levels, f"class maps of two values: 0 is {dataset.classes[0]}, {levels[-1]} the other class"),
        (_by_masks(levels, dataset) if few else None, "class maps in the values of the masks"),
        (plain | void, f"class maps: {ids}, 255 without answer"),
        (stretched if classes > 2 else None, f"class maps, ids stretched to 0 to 255 for a viewer: {levels}"),
    ]


def _by_masks(levels: Sequence[int], dataset: Dataset) -> dict[int, int] | None:
    reading = dataset.reading
    if reading.kind in ("rgb", "bands"):
        return None
    found = {
        level: entry.label for level in levels for entry in reading.ranges if entry.low <= level <= entry.high
    }
    # Faint probabilities all lie within what a mask calls background.
    told_apart = len(levels) == 1 or len(set(found.values()) - {VOID}) > 1
    return found if len(found) == len(levels) and told_apart else None


def _coloured(seen: Values, dataset: Dataset) -> Form | None:
    """Read colours as the masks are read, if these hold the same colours."""
    if dataset.reading.kind != "rgb":
        return None
    ids = {
        colour: entry.label
        for colour in seen.colours
        for entry in dataset.reading.ranges
        if entry.low <= colour <= entry.high
    }
    if len(ids) < len(seen.colours):
        return None
    return Form("classes", "class maps in the colours of the masks", ids=tuple(sorted(ids.items())))


def _one_hot(seen: Values, dataset: Dataset, labels: tuple[int, ...] | None) -> Form | None:
    """Read a channel, or a file, of two values for each class."""
    channels = _channels(seen.channels, dataset, labels)
    if channels is None or len(seen.levels) > 2 or seen.levels[0] != 0:
        return None
    if seen.levels[-1] not in (0, 1, VOID):
        return None
    return Form("classes", f"a binary map for each class, {seen.levels[-1]} where it is", channels)


def _channels(count: int, dataset: Dataset, labels: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return the class of each channel, or None if they do not fit."""
    classes = len(dataset.classes)
    least = classes if dataset.overlapping else classes - 1
    if labels is not None:
        fits = len(labels) == count and len(set(labels)) == count and least <= count <= classes
        return labels if fits and all(0 <= label < classes for label in labels) else None
    if count == classes:
        return tuple(range(classes))
    # One channel of two classes is the second; of more classes, the one that is not written is the background.
    return tuple(range(1, classes)) if count == least else None


def _beyond(seen: Values) -> bool:
    """Tell whether values are logits: not all probabilities of a usual scale."""
    if seen.low < -1e-3:
        return True
    return not seen.whole and seen.high > 1.001 and _scale(seen) == 1


def _scale(seen: Values) -> float:
    """Return the stored value of probability 1."""
    if not seen.whole:
        percent = 90 < seen.high <= 100.1 or (seen.channels > 1 and abs(seen.sums[1] - 100) < 1)
        return 1.0 if seen.high <= 1.001 else 100.0 if percent else 255.0 if 200 < seen.high <= 255 else 1.0
    if seen.dtype in ("uint8", "bool") or seen.high <= 255:
        return 1.0 if seen.dtype == "bool" or seen.high <= 1 else 100.0 if seen.high == 100 else 255.0
    return next((full for full in (1_000.0, 10_000.0, 65_535.0) if seen.high <= full), seen.high)


def _range(seen: Values) -> str:
    return f"{seen.dtype}, {seen.low:.4g} to {seen.high:.4g}"


def _undecided(seen: Values, dataset: Dataset, name: str, why: str) -> DataError:
    shown = ", ".join(map(str, seen.levels[:12])) + (", ..." if len(seen.levels) > 12 else "")
    held = (
        f"colours ({len(seen.colours)} of them)"
        if seen.colours
        else f"values {shown}"
        if shown
        else _range(seen)
    )
    message = (
        f"{name}: it cannot be told what these predictions are: {why}. They hold {seen.channels} channels of "
        f"{_range(seen)}: {held}. Expected class ids 0 to {len(dataset.classes) - 1} of "
        f"{', '.join(dataset.classes)}, a channel of probabilities or logits for each class, or one of class 1 of "
        "two. Save them so, or say what they are: --kind, --scale, --channels (kind=, scale=, channels=)."
    )
    return DataError(message)
