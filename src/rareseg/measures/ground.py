"""The lines of a prediction and of a truth in one image, and where they count."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.lines import LineGraph, line_graph

UNITS = ("", "px", "m")


class Drawn(NamedTuple):
    """Two maps of one image as lines. `scale`: `unit` per px; `truth`: the true mask with void filled."""

    predicted_lines: LineGraph
    true_lines: LineGraph
    truth: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    scale: float
    unit: str


def drawn_lines(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    pixel_size: float | None,
) -> Drawn:
    """Return the lines of both maps, (height, width).

    Void pixels (`counted` false) take what is predicted there as the truth: a line that runs through them runs on in
    both maps or in neither, and only what lies in pixels that count is measured.

    Raises:
        SettingError: if the shapes differ or the pixel size is not positive.
    """
    unit = checked(predicted, truth, counted, pixel_size)
    filled = with_void_filled(predicted, truth, counted)
    lines = line_graph(predicted), line_graph(filled)
    return Drawn(*lines, filled, counted, pixel_size or 1.0, unit)


def with_void_filled(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return `truth` where it counts and `predicted` elsewhere."""
    return np.where(counted, truth, predicted)


def checked(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    pixel_size: float | None = None,
) -> str:
    """Return the unit of lengths, "m" or "px".

    Raises:
        SettingError: if the shapes or types do not fit or the pixel size is not positive.
    """
    if predicted.ndim != 2 or not predicted.shape == truth.shape == counted.shape:
        message = (
            "Expected predicted, truth and counted of one shape (height, width), got "
            f"{predicted.shape}, {truth.shape} and {counted.shape}. Map the photo that belongs to this mask."
        )
        raise SettingError(message)
    if not predicted.dtype == truth.dtype == counted.dtype == np.bool_:
        message = (
            "Expected predicted, truth and counted of type bool, got "
            f"{predicted.dtype}, {truth.dtype} and {counted.dtype}. Compare the map with the class, e.g. labels == 1."
        )
        raise SettingError(message)
    if pixel_size is None:
        return "px"
    if not (np.isfinite(pixel_size) and pixel_size > 0):
        message = f"Expected a pixel size above 0 m, or None to measure in px, got {pixel_size}."
        raise SettingError(message)
    return "m"


def positive(**settings: float) -> None:
    """Raise unless every setting is a finite number above 0.

    Raises:
        SettingError: names the setting.
    """
    for name, value in settings.items():
        if not (np.isfinite(value) and value > 0):
            message = f"Expected {name} above 0, got {value}."
            raise SettingError(message)


def common_unit(one: str, other: str) -> str:
    """Return the unit of two sums of lengths that are added; an empty sum has none.

    Raises:
        SettingError: if one is in metres and the other in px.
    """
    if one and other and one != other:
        message = (
            f"Lengths in {one} and in {other} cannot be added. Give every image its pixel size, or none."
        )
        raise SettingError(message)
    return one or other
