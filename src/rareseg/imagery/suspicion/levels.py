"""The raw values of masks or targets: which are levels that fill areas, and which only lie between them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.records.evidence import RawValue

MOST_VALUES = 32
"""Raw values that are listed."""
FEW = 24
"""Up to so many whole numbers below `HIGHEST_INDEX` are taken for class indices, each a level."""
HIGHEST_INDEX = 64
LEAST_IN_AREAS = 0.2
"""Share of a value's pixels that lie in 3 x 3 squares of it, from which on it is a level."""
_LEAST_SHARE = 1e-4
_MERGED = 8
"""Grey values within which a weaker level is the noise of a stronger one, where there are many values."""
_EDGE = 0.25
"""Change of the mean over 3 x 3 px within 5 x 5 px, over the distance of levels, that makes an edge."""
_MOST_DISTINCT = 100_000

# Grey of full and half red, green, blue and their pairs, as 0.299 R + 0.587 G + 0.114 B gives them, up or down.
_GREYED = frozenset({29, 76, 104, 105, 149, 150, 178, 179, 225, 226, 14, 15, 38, 52, 53, 75, 89, 90, 113})

Values = NDArray[Any]


@final
@dataclass(slots=True)
class ValueTally:
    """Counts raw values over many masks, and how many of their pixels lie in areas of one value."""

    pixels: Counter[float] = field(default_factory=Counter)
    in_areas: Counter[float] = field(default_factory=Counter)

    def add(self, raw: Values) -> None:
        """Count one mask, (rows, cols) of any number type."""
        values, counts = np.unique(raw, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:_MOST_DISTINCT]
        self.pixels.update(dict(zip(values[order].tolist(), counts[order].tolist(), strict=True)))
        plane = np.ascontiguousarray(raw, dtype=np.float64)
        box = np.ones((3, 3), np.uint8)
        same = cv2.dilate(plane, box) == cv2.erode(plane, box)
        values, counts = np.unique(raw[same], return_counts=True)
        self.in_areas.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    @property
    def total(self) -> int:
        """Pixels counted."""
        return sum(self.pixels.values())

    def levels(self) -> tuple[float, ...]:
        """Return the values that fill areas, ascending: those of classes, and of what is not counted."""
        values = list(self.pixels)
        if len(values) <= FEW and all(v == int(v) and 0 <= v <= HIGHEST_INDEX for v in values if v != 255):
            return tuple(sorted(values))
        least = _LEAST_SHARE * self.total
        strong = [
            value for value in values
            if self.pixels[value] >= least and self.in_areas[value] >= LEAST_IN_AREAS * self.pixels[value]
        ]  # fmt: skip
        if len(values) <= 2:
            return tuple(sorted(values))
        return self._apart(strong or [self.pixels.most_common(1)[0][0]])

    def listed(self) -> tuple[RawValue, ...]:
        """Return the most frequent values with their shares."""
        return tuple(
            RawValue(value=float(value), share=count / self.total)
            for value, count in self.pixels.most_common(MOST_VALUES)
        )

    def slack(self, levels: Sequence[float]) -> float:
        """Return how far off a level a value may be as its noise: 8 grey values where there are many, else 0."""
        return _MERGED if len(self.pixels) > FEW and max(levels, default=0) > HIGHEST_INDEX else 0.0

    def between(self, levels: Sequence[float]) -> float:
        """Return the share of pixels with a value between the lowest and the highest level, away from all levels."""
        if len(levels) < 2:
            return 0.0
        slack = self.slack(levels)
        return sum(
            count for value, count in self.pixels.items()
            if min(levels) < value < max(levels) and all(abs(value - level) > slack for level in levels)
        ) / self.total  # fmt: skip

    def _apart(self, strong: list[float]) -> tuple[float, ...]:
        """Leave out levels that are the noise of a stronger one, as JPEG makes; floats are told more finely."""
        noisy = len(self.pixels) > FEW
        within = (_MERGED if noisy else 0.5) if max(self.pixels) > HIGHEST_INDEX else 0.25
        kept: list[float] = []
        for value in sorted(strong, key=lambda one: -self.pixels[one]):
            if all(abs(value - other) > within for other in kept):
                kept.append(value)
        if len(kept) == 1 and len(self.pixels) > 1:
            # Lines too thin to fill a square: the far end of the scale is the other class.
            ends = (min(self.pixels), max(self.pixels))
            kept.append(max(ends, key=lambda end: abs(end - kept[0])))
        return tuple(sorted(kept))


def near_edge(raws: Iterable[Values], levels: Sequence[float], slack: float = 0.0) -> float | None:
    """Return, of the pixels between levels, the share within 2 px of a place where one level turns into another.

    Args:
        raws: masks, each (rows, cols).
        levels: two or more, ascending; see `ValueTally.levels`.
        slack: see `ValueTally.slack`.

    Returns:
        0..1, or None if no pixel lies between.
    """
    found = near = 0
    box = np.ones((5, 5), np.uint8)
    step = _EDGE * float(np.diff(levels).min())
    for raw in raws:
        plane = np.ascontiguousarray(raw, dtype=np.float32)
        between = (plane > min(levels)) & (plane < max(levels))
        for level in levels:
            between &= np.abs(plane - np.float32(level)) > slack
        if not between.any():
            continue
        # Single noisy pixels vanish in the mean; edges and thin lines do not.
        smooth = cv2.blur(plane, (3, 3))
        found += int(np.count_nonzero(between))
        near += int(np.count_nonzero(between & (cv2.dilate(smooth, box) - cv2.erode(smooth, box) >= step)))
    return near / found if found else None


def nearest_level(raw: Values, levels: Sequence[float]) -> NDArray[np.int16]:
    """Return the index of the level next to each value, in the order of `levels`, ascending."""
    middles = [(one + other) / 2 for one, other in zip(levels, levels[1:], strict=False)]
    return np.searchsorted(middles, raw.ravel()).reshape(raw.shape).astype(np.int16)


def greyed(levels: Sequence[float]) -> bool:
    """Tell whether levels of grey masks look like colours that were turned into grey.

    Indices, evenly spaced levels and two levels of which none is the grey of a plain colour do not; 255 may stand
    for what is not counted.
    """
    plain = [level for level in levels if level not in (0, 255)]
    if not plain or any(level != int(level) or not 0 <= level <= 255 for level in levels):
        return False
    if max(plain) < 2 * len(levels) + 2:
        return False
    if len(plain) <= 2:
        return len(levels) <= 3 and all(level in _GREYED for level in plain)
    steps = np.diff([level for level in levels if level != 255])
    return bool(steps.max() > 1.5 * steps.min())
