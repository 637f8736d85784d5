"""A small honest sample of the pixels of one update: all of the rare ones that are looked at, some of the others."""

import math
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.histogram import histogram
from rareseg.probing.watch_arrays import Layout, on_host, pick
from rareseg.records.dataset import VOID

_LOOKED_AT, _KEPT = 32_768, 2_048
"""Pixels of an update whose labels are read, and those whose answers are kept whatever they hold."""
_MOST_RARE = 4_096
"""Pixels of rare classes whose answers are kept."""
_MOST_STRANGE = 5

Labels = NDArray[np.uint8]


class Sample(NamedTuple):
    """Some pixels of one update; those that do not count are left out."""

    logits: NDArray[np.float32]
    """(channels, pixels)."""
    members: NDArray[np.bool_]
    """(classes, pixels): whether a pixel holds a class; one row for one channel."""
    weights: NDArray[np.int64]
    """(pixels,): how many pixels each of them stands for."""
    looked_at: int
    void: int
    """Of the looked-at pixels, those whose label is the ignored value."""
    strange: tuple[float, ...]
    """Labels that no class has and that are not the ignored value."""
    not_finite: int
    """Kept pixels with a NaN or an infinity, left out of the rest."""


class _Read(NamedTuple):
    """Labels of the looked-at pixels: indices (pixels,), or classes x pixels where each class has a channel."""

    members: NDArray[np.bool_] | None
    indices: Labels
    """VOID where not counted; empty where `members` are there."""
    counted: NDArray[np.bool_]
    void: int
    strange: tuple[float, ...]

    def at(self, places: NDArray[np.intp], classes: int) -> NDArray[np.bool_]:
        """Return (classes, len(places)), one row of the class itself where there is one channel."""
        if self.members is not None:
            return self.members[:, places]
        wanted = np.arange(classes, dtype=np.uint8) if classes > 1 else np.ones(1, np.uint8)
        found: NDArray[np.bool_] = self.indices[places][None] == wanted[:, None]
        return found

    def of(self, rare: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return whether each pixel holds a class of which `rare` is True."""
        if self.members is not None:
            return np.asarray(self.members[rare[: len(self.members)]].any(axis=0))
        # VOID lies behind all classes, where the table says False.
        table = np.zeros(VOID + 1, np.bool_)
        table[: len(rare)] = rare
        return table[self.indices]


@final
class Sampler:
    """Draws pixels so that each is as likely as any other of its kind; its chance is its own, not the process's.

    Labels are read on a grid with a start drawn anew each time. Of classes that are rare, all pixels of the grid are
    kept; of the others one of each `ratio` pixels, which stands for these.
    """

    def __init__(self, layout: Layout, *, ignore_index: int, seed: int) -> None:
        """Start with nothing counted."""
        self._layout, self._ignore = layout, ignore_index
        self._random = np.random.default_rng(seed)
        self._counts = np.zeros(max(layout.channels, 2), np.int64)

    @property
    def majority(self) -> int:
        """Return the class with the most pixels so far."""
        return int(self._counts.argmax())

    def draw(self, logits: Any, labels: Any) -> Sample:
        """Return a sample of one update's arrays, as `open_array` returns them."""
        starts, steps, cut = self._cut(labels)
        shape = cut.shape if not self._layout.hot else np.delete(cut.shape, 1)
        read = _read(cut, self._layout, self._ignore)
        looked_at = len(read.counted)
        kept, weights = self._choose(read)
        images, rows, cols = np.unravel_index(kept, tuple(int(side) for side in shape))
        places = (images, rows * steps[0] + starts[0], cols * steps[1] + starts[1])
        values = pick(logits, self._layout.channel_axis, places)
        members = read.at(kept, self._layout.channels)
        finite = np.isfinite(values).all(axis=0)
        bad = int(finite.size - np.count_nonzero(finite))
        if bad:
            values, members, weights = values[:, finite], members[:, finite], weights[finite]
        return Sample(values, members, weights, looked_at, read.void, read.strange, bad)

    def _cut(self, labels: Any) -> tuple[tuple[int, ...], tuple[int, int], NDArray[Any]]:
        """Return start and step of a grid, and the labels on it: (images, rows, cols), or (images, classes, ...)."""
        axis = self._layout.label_axis
        rows, cols = (labels.shape[a] for a in ((2, 3) if axis == 1 else (1, 2)))
        steps = _steps(labels.shape[0], rows, cols)
        starts = tuple(int(self._random.integers(step)) for step in steps)
        grid = tuple(slice(start, None, step) for start, step in zip(starts, steps, strict=True))
        cut = on_host(labels[:, :, *grid] if axis == 1 else labels[:, *grid])
        if axis is None:
            return starts, steps, cut
        if self._layout.hot:
            return starts, steps, np.moveaxis(cut, axis, 1)
        return starts, steps, cut.squeeze(axis)

    def _choose(self, read: _Read) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return which looked-at pixels are kept, and how many each stands for."""
        total = len(read.counted)
        ratio = max(total // _KEPT, 1)
        rare = read.of(self._rare_classes(read, ratio))
        firsts = np.arange(0, total, ratio)
        common = firsts + self._random.integers(ratio, size=len(firsts))
        common = common[common < total]
        common = common[read.counted[common] & ~rare[common]]
        found = np.flatnonzero(rare)
        each = -(-len(found) // _MOST_RARE)
        if each > 1:
            found = found[int(self._random.integers(each)) :: each]
        weights = np.full(len(common) + len(found), ratio, np.int64)
        weights[len(common) :] = max(each, 1)
        return np.concatenate([common, found]), weights

    def _rare_classes(self, read: _Read, ratio: int) -> NDArray[np.bool_]:
        """Return, per class, whether it is among the rarest that together hold less than 1/ratio of the pixels."""
        if read.members is not None:
            self._counts[: len(read.members)] += np.count_nonzero(read.members, axis=1)
        else:
            self._counts += histogram(read.indices, VOID + 1)[: len(self._counts)]
        order = np.argsort(self._counts, kind="stable")
        below = np.cumsum(self._counts[order]) * ratio <= self._counts.sum()
        rare = np.zeros(len(self._counts), np.bool_)
        rare[order] = below & (ratio > 1)
        return rare


def _steps(images: int, rows: int, cols: int) -> tuple[int, int]:
    """Return the strides that leave at most the looked-at pixels, or one per image."""
    factor = images * rows * cols / _LOOKED_AT
    down = min(max(math.floor(math.sqrt(factor)), 1), rows)
    return down, min(max(math.ceil(factor / down), 1), cols)


def _read(cut: NDArray[Any], layout: Layout, ignore: int) -> _Read:
    if layout.hot:
        return _read_hot(cut, ignore)
    flat = cut.reshape(-1)
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    most = max(layout.channels, 2) - 1
    plain = flat.dtype.kind != "f" and low >= 0 and high <= most and not 0 <= ignore <= most
    if plain:
        return _Read(None, flat.astype(np.uint8), np.ones(len(flat), np.bool_), 0, ())
    void = flat == ignore
    # NaN is in no range, so it is as strange as 7.
    known = (flat >= 0) & (flat <= most)
    # Masks of one class may be soft; of several, a value between two classes is none of them.
    known &= np.bool_(layout.channels == 1) | (flat == np.floor(flat))
    counted = known & ~void
    rounded = np.where(counted, flat, 0).astype(np.float32)
    labels = np.where(counted, np.floor(rounded + 0.5), VOID).astype(np.uint8)
    return _Read(None, labels, counted, int(void.sum()), _strange(flat, known | void))


def _read_hot(cut: NDArray[Any], ignore: int) -> _Read:
    flat = np.moveaxis(cut, 1, 0).reshape(cut.shape[1], -1)
    # The ignored label is a value that fills the channels of a pixel, or the class of one channel.
    void = flat[ignore] >= 0.5 if 0 <= ignore < len(flat) else (flat == ignore).any(axis=0)
    known = ((flat >= 0) & (flat <= 1)).all(axis=0)
    counted = known & ~void
    members = (flat >= 0.5) & counted
    return _Read(
        members, np.empty(0, np.uint8), counted, int(void.sum()), _strange(flat[:, ~(known | void)], None)
    )


def _strange(flat: NDArray[Any], known: NDArray[np.bool_] | None) -> tuple[float, ...]:
    if known is not None and known.all():
        return ()
    values = np.unique(flat if known is None else flat[~known])
    if known is None:
        values = values[(values < 0) | (values > 1) | np.isnan(values)]
    return tuple(float(value) for value in values[:_MOST_STRANGE])
