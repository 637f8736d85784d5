"""Windows that cover an image, and weights that blend their results without seams."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError


class Window(NamedTuple):
    """A rectangle of pixels: its first row and column, its height and width."""

    row: int
    col: int
    height: int
    width: int


def check_inside(window: Window, height: int, width: int, where: str) -> None:
    """Raise SettingError, naming `where`, if the window is empty or leaves the raster."""
    fits = window.row >= 0 and window.col >= 0 and window.height > 0 and window.width > 0
    if not fits or window.row + window.height > height or window.col + window.width > width:
        message = f"{where}: {window} does not lie within the raster of {height} x {width} px."
        raise SettingError(message)


def grid(height: int, width: int, *, window: int, overlap: int) -> list[Window]:
    """Return square windows of side `window` px that cover the image, row by row.

    Neighbours share at least `overlap` px. The last window of a row or column is shifted inwards, so all are
    of one size; along a side shorter than `window` there is one window of that side's length.

    Raises:
        SettingError: if a side is below 1 px, or not 0 <= overlap < window.
    """
    _check_sides(height, width)
    if not 0 <= overlap < window:
        message = f"overlap must be at least 0 and below the window of {window} px, got {overlap} px."
        raise SettingError(message)
    rows = _starts(height, window, window - overlap)
    columns = _starts(width, window, window - overlap)
    return [Window(row, col, min(window, height), min(window, width)) for row in rows for col in columns]


def blocks(height: int, width: int, size: int) -> Iterator[Window]:
    """Yield disjoint windows of at most `size` x `size` px that cover the image, row by row.

    Raises:
        SettingError: if a side or `size` is below 1 px.
    """
    _check_sides(height, width)
    if size < 1:
        message = f"block size must be at least 1 px, got {size}."
        raise SettingError(message)
    for row in range(0, height, size):
        for col in range(0, width, size):
            yield Window(row, col, min(size, height - row), min(size, width - col))


def haloed(core: Window, height: int, width: int, halo: int) -> tuple[Window, Window]:
    """Widen a window by `halo` px on every side that is not the image's edge.

    Returns:
        The wider window within the image of `height` x `width` px, and where `core` lies inside it.
    """
    top, left = max(0, core.row - halo), max(0, core.col - halo)
    bottom, right = min(height, core.row + core.height + halo), min(width, core.col + core.width + halo)
    inside = Window(core.row - top, core.col - left, core.height, core.width)
    return Window(top, left, bottom - top, right - left), inside


def blend_weights(height: int, width: int) -> NDArray[np.float32]:
    """Return weights (height, width) float32 in (0, 1] that fall to the borders as a Hann window does.

    They are positive everywhere: sampled half a pixel inside the Hann window, with a floor of 1e-3 along each
    side, so that a pixel covered by one window only still has weight. (A floor of the product would level the
    weights along the image's border, and seams would show there.)

    Raises:
        SettingError: if a side is below 1 px.
    """
    _check_sides(height, width)
    weights: NDArray[np.float32] = np.outer(_hann(height), _hann(width)).astype(np.float32)
    return weights


def _hann(length: int) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    return np.maximum(weights, 1e-3)


def _starts(length: int, window: int, step: int) -> list[int]:
    last = max(0, length - window)
    return [*range(0, last, step), last]


def _check_sides(height: int, width: int) -> None:
    if height < 1 or width < 1:
        message = f"height and width must be at least 1 px, got {height} x {width}."
        raise SettingError(message)
