"""The one pass over all pixels of a pair before anything is decided: mask values, fills, and damage."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, Problem
from rareseg.imagery.labels import MaskCounts, count_raw
from rareseg.imagery.pairs import Match, relative
from rareseg.imagery.photos import REACH, SQUARE, Fill, border_values, measure_fills
from rareseg.imagery.rasters import RasterInfo, Window, describe, read, read_values
from rareseg.records.dataset import DataSpec

STRIP_PIXELS = 1 << 24
"""Pixels of a full-width strip that is held in memory at once."""
_MARGIN = SQUARE + REACH
_MOST_GRADED = 0.25


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
    """
    reading = pair.image
    try:
        problems = _graded_alpha(pair.image, info, root)
        values = _fill_values(pair.image, info, spec)
        reading = pair.mask
        mask = describe(pair.mask)
        total: Counter[int] = Counter()
        bands: Counter[int] = Counter()
        fills: dict[int, Fill] = {}
        for strip in _strips(info):
            reading = pair.mask
            raw = read_values(pair.mask, strip, keep_alpha=spec.overlapping)
            colours = mask.bands == 3 and not spec.overlapping
            total.update(count_raw(raw, colours=colours, where=relative(pair.mask, root)))
            bands.update({band: int(np.count_nonzero(held)) for band, held in enumerate(raw)})
            reading = pair.image
            for fill in _fills(pair.image, info, strip, values, None if spec.overlapping else (raw, colours)):
                fills[fill.value] = fills[fill.value] + fill if fill.value in fills else fill
    except DataError as error:
        reasons = error.problems or (Problem("", str(error)),)
        return [Problem(relative(reading, root), problem.reason) for problem in reasons]
    if problems:
        return problems
    band_counts = tuple(bands[band] for band in range(len(bands))) if spec.overlapping else ()
    count = len(band_counts) or mask.bands
    counts = MaskCounts(relative(pair.mask, root), dict(total), count, mask.palette, band_counts)
    return Survey(counts, tuple(fills.values()))


def _strips(info: RasterInfo) -> list[Window]:
    rows = max(1, STRIP_PIXELS // info.width)
    return [Window(row, 0, min(rows, info.height - row), info.width) for row in range(0, info.height, rows)]


def _fills(
    path: Path,
    info: RasterInfo,
    strip: Window,
    values: tuple[int, ...],
    labelled: tuple[NDArray[Any], bool] | None,
) -> Iterator[Fill]:
    """Decode the photo's strip, whether or not fills are looked for, since damage shows only then."""
    top = max(0, strip.row - _MARGIN)
    bottom = min(info.height, strip.row + strip.height + _MARGIN)
    photo, valid = read(path, Window(top, 0, bottom - top, info.width))

    def count_raw_at(where: NDArray[np.bool_]) -> dict[int, int]:
        if labelled is None:
            return {}
        raw, colours = labelled
        return count_raw(raw[:, where][:, None, :], colours=colours)

    core = slice(strip.row - top, strip.row - top + strip.height)
    yield from measure_fills(
        photo,
        valid,
        values,
        core=core,
        whole_height=info.height,
        first_row=top,
        count_raw_at=count_raw_at,
    ).values()


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
