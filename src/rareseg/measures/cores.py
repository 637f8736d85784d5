"""Windows with a halo: what is looked at around the pixels that count, so that windows add up to the whole image."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError

Core = tuple[int, int, int, int]
"""First row, first column, height and width, px. imagery.tiles.Window is one."""

Pixels = TypeVar("Pixels", bound=np.generic)


def haloed(window: Core, shape: tuple[int, int], halo: int) -> tuple[Core, Core]:
    """Return the window widened by `halo` px, cut to the image, and where in it the window itself lies.

    Args:
        window: in the image.
        shape: height and width of the image, px.
        halo: px, 0 or more.

    Raises:
        SettingError: if the halo is negative, or the window is empty or leaves the image.
    """
    row, col, height, width = window
    if halo < 0 or not _fits(window, shape):
        message = (
            f"Expected a window in an image of {shape[0]} x {shape[1]} px and a halo of 0 px or more, got "
        )
        message += f"{tuple(window)} and {halo}."
        raise SettingError(message)
    top, left = max(row - halo, 0), max(col - halo, 0)
    down, across = min(row + height + halo, shape[0]), min(col + width + halo, shape[1])
    return (top, left, down - top, across - left), (row - top, col - left, height, width)


def cut(array: NDArray[Pixels], core: Core | None) -> NDArray[Pixels]:
    """Return the view of `array` (..., rows, cols) that lies in the core; None: all of it."""
    if core is None:
        return array
    row, col, height, width = core
    return array[..., row : row + height, col : col + width]


def check_core(core: Core | None, shape: tuple[int, ...]) -> None:
    """Raise SettingError if the core is empty or leaves arrays of `shape` (rows, cols)."""
    if core is not None and not _fits(core, shape):
        message = (
            f"Expected a core (row, col, height, width) inside the window of {shape[0]} x {shape[1]} px, got "
            f"{tuple(core)}. Count from the window's own corner, not from the image's."
        )
        raise SettingError(message)


def check_shapes(**arrays: NDArray[Any]) -> tuple[int, int]:
    """Return the one shape (rows, cols) of the arrays; raise SettingError if they differ or are not flat."""
    shapes = [array.shape for array in arrays.values()]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        *names, last = arrays
        message = (
            f"Expected {', '.join(names)} and {last} of one shape, got "
            f"{', '.join(map(str, shapes[:-1]))} and {shapes[-1]}. Map the photo that belongs to this mask."
        )
        raise SettingError(message)
    return shapes[0][0], shapes[0][1]


def _fits(window: Core, shape: tuple[int, ...]) -> bool:
    row, col, height, width = window
    inside = row >= 0 and col >= 0 and height > 0 and width > 0
    return inside and row + height <= shape[0] and col + width <= shape[1]
