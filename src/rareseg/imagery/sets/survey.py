"""The one pass over all pixels of a pair before anything is decided: mask values, fills, and damage."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, Problem, SettingError
from rareseg.imagery.formats import HIGHEST, LOWEST
from rareseg.imagery.masks.labels import MaskCounts, count_raw
from rareseg.imagery.photos import REACH, SQUARE, Fill, border_values, measure_fills
from rareseg.imagery.rasters import RasterInfo, Window, describe, read, read_mask, read_values
from rareseg.imagery.sets.pairs import Match, relative
from rareseg.records.dataset import DataSpec

STRIP_PIXELS = 1 << 22
"""Pixels of a full-width strip that is held in memory at once."""
_MARGIN = SQUARE + REACH
_MOST_GRADED = 0.25
_WHOLE_IN_FLOATS = 2**53

CountAt = Callable[[NDArray[np.bool_]], dict[int, int]]
"""Counts the raw mask values where a (rows, width) mask is True."""


class Survey(NamedTuple):
    """What was counted in one pair."""

    mask: MaskCounts
    fills: tuple[Fill, ...]


def survey(pair: Match, info: RasterInfo, root: Path, spec: DataSpec) -> Survey | list[Problem]:
    """Read one pair in full, in strips.

    Args:
        pair: the files.
        info: the head of the photo.
        root: the folder that paths in messages are relative to.
        spec: says whether classes overlap, and which fills to look for.

    Returns:
        The counts, or what is wrong with either file.

    Raises:
        SettingError: if the TOML's `nodata` names no value, or one that the photos' dtype cannot hold.
    """
    _check_fills_said(spec, info, root)
    reading = pair.image
    try:
        problems = _graded_alpha(pair.image, info, root)
        values = _fill_values(pair.image, info, spec)
        reading = pair.mask
        tally = _MaskTally(pair.mask, relative(pair.mask, root), overlapping=spec.overlapping)
        fills: dict[int, Fill] = {}
        for strip in _strips(info):
            reading = pair.mask
            count_at = tally.count(strip)
            reading = pair.image
            for fill in _fills(pair.image, info, strip, values, count_at):
                fills[fill.value] = fills[fill.value] + fill if fill.value in fills else fill
    except DataError as error:
        reasons = error.problems or (Problem("", str(error)),)
        return [Problem(relative(reading, root), problem.reason) for problem in reasons]
    return problems or Survey(tally.counts(), tuple(fills.values()))


class _MaskTally:
    """Counts one mask, strip by strip."""

    def __init__(self, path: Path, name: str, *, overlapping: bool) -> None:
        self._path, self._name, self._overlapping = path, name, overlapping
        self._info = describe(path)
        self._colours = self._info.bands == 3 and not overlapping
        self._total: Counter[int] = Counter()
        self._bands: Counter[int] = Counter()
        self._blocks: Counter[int] = Counter()
        self._last: NDArray[Any] | None = None

    def count(self, strip: Window) -> CountAt:
        """Count a strip; return what counts it again where a (rows, width) mask is True."""
        raw, visible = read_mask(self._path, strip, keep_alpha=self._overlapping)
        shown = raw if visible.all() else raw[:, visible][:, None, :]
        self._total.update(count_raw(shown, colours=self._colours, where=self._name))
        self._bands.update({band: int(np.count_nonzero(held)) for band, held in enumerate(raw)})
        if len(self._total) > 2 and not self._overlapping:
            self._count_blocks(raw, visible)
        self._last = raw[:, -1:]

        def count_at(where: NDArray[np.bool_]) -> dict[int, int]:
            if self._overlapping:
                return {}
            return count_raw(raw[:, where & visible][:, None, :], colours=self._colours)

        return count_at

    def _count_blocks(self, raw: NDArray[Any], visible: NDArray[np.bool_]) -> None:
        """Count squares of 2 x 2 px of one value; those across two strips count with the second."""
        if self._last is not None:
            raw = np.concatenate([self._last, raw], axis=1)
            visible = np.concatenate([np.ones_like(visible[:1]), visible])
        corner = raw[:, :-1, :-1]
        others = (raw[:, 1:, :-1], raw[:, :-1, 1:], raw[:, 1:, 1:])
        same = visible[1:, 1:] & np.logical_and.reduce([(corner == other).all(axis=0) for other in others])
        self._blocks.update(count_raw(corner[:, same][:, None, :], colours=self._colours))

    def counts(self) -> MaskCounts:
        """Return what was counted."""
        info = self._info
        bands = tuple(self._bands[band] for band in range(len(self._bands))) if self._overlapping else ()
        return MaskCounts(
            self._name,
            dict(self._total),
            len(bands) or info.bands,
            info.palette,
            bands,
            dict(self._blocks),
            _raw_nodata(info.nodata, colours=self._colours),
        )


def _raw_nodata(nodata: float | None, *, colours: bool) -> int | None:
    """Return the file's own no-data value as it is counted: packed three times for colours."""
    if nodata is None or not LOWEST <= nodata <= HIGHEST or nodata != int(nodata):
        return None
    if not colours:
        return int(nodata)
    return int(nodata) * 0x010101 if 0 <= nodata <= 255 else None


def _strips(info: RasterInfo) -> list[Window]:
    rows = max(1, STRIP_PIXELS // info.width)
    return [Window(row, 0, min(rows, info.height - row), info.width) for row in range(0, info.height, rows)]


def _fills(
    path: Path, info: RasterInfo, strip: Window, values: tuple[int, ...], count_at: CountAt
) -> Iterator[Fill]:
    """Decode the photo's strip, whether or not fills are looked for, since damage shows only then."""
    top = max(0, strip.row - _MARGIN)
    bottom = min(info.height, strip.row + strip.height + _MARGIN)
    photo, valid = read(path, Window(top, 0, bottom - top, info.width))
    core = slice(strip.row - top, strip.row - top + strip.height)
    yield from measure_fills(
        photo,
        valid,
        values,
        core=core,
        whole_height=info.height,
        first_row=top,
        count_raw_at=count_at,
    ).values()


def _check_fills_said(spec: DataSpec, info: RasterInfo, root: Path) -> None:
    if not isinstance(spec.nodata, tuple):
        return
    if not spec.nodata:
        message = 'nodata = [] names no value. Write nodata = "none" to leave nothing out, or name values.'
        raise SettingError(message)
    low, high = -_WHOLE_IN_FLOATS, _WHOLE_IN_FLOATS
    if not info.dtype.startswith("float"):
        low, high = (int(bound) for bound in (np.iinfo(info.dtype).min, np.iinfo(info.dtype).max))
    strange = [value for value in spec.nodata if not low <= value <= high]
    if strange:
        message = (
            f"nodata = {list(spec.nodata)}: expected values that {info.dtype} photos such as "
            f"{relative(info.path, root)} can hold, {low}..{high}; got {strange[0]}. "
            "Correct it in the TOML."
        )
        raise SettingError(message)


def _fill_values(path: Path, info: RasterInfo, spec: DataSpec) -> tuple[int, ...]:
    if isinstance(spec.nodata, tuple):
        return spec.nodata
    if spec.nodata == "none":
        return ()
    lines = (
        Window(0, 0, 1, info.width),
        Window(info.height - 1, 0, 1, info.width),
        Window(0, 0, info.height, 1),
        Window(0, info.width - 1, info.height, 1),
    )
    return border_values(read(path, line)[0] for line in lines)


def _graded_alpha(path: Path, info: RasterInfo, root: Path) -> list[Problem]:
    """Notice near infrared in the guise of alpha: TIFF writers mark the fourth of four bands so unasked."""
    if not info.alpha or info.bands < 3:
        return []
    graded, opaque = 0, np.iinfo(info.dtype).max if info.dtype.startswith(("u", "i")) else 1
    for strip in _strips(info):
        alpha = read_values(path, strip, keep_alpha=True)[-1]
        graded += int(np.count_nonzero((alpha > 0) & (alpha < opaque)))
    share = graded / (info.height * info.width)
    if share <= _MOST_GRADED:
        return []
    band = info.bands + 1
    reason = (
        f"band {band} is marked as alpha, but {share:.0%} of it is neither clear nor opaque, as in near "
        f"infrared; mark it as a measured band (gdal_edit.py -colorinterp_{band} undefined) or remove it"
    )
    return [Problem(relative(path, root), reason)]
