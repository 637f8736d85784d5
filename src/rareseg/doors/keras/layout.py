"""How a Keras model's output lies: with the channels last or first, in rows and columns or in one row of pixels."""

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError


class Layout(NamedTuple):
    """Axes of an output: (images, *pixels, channels), (images, channels, *pixels), or (images, *pixels)."""

    pixels: tuple[int, ...]
    """Lengths of the axes between images and channels; () where an image is one pixel."""
    channels: int
    channel_axis: int | None
    """-1, 1, or None where a single channel has no axis."""

    @property
    def area(self) -> int:
        """Return the number of pixels of an image."""
        return math.prod(self.pixels)

    def shape(self, images: int, channels: int | None = None) -> tuple[int, ...]:
        """Return the shape of an array of so many images that lies as the output does."""
        depth = self.channels if channels is None else channels
        if self.channel_axis is None:
            return (images, *self.pixels)
        return (images, depth, *self.pixels) if self.channel_axis == 1 else (images, *self.pixels, depth)

    def canonical(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return (images, channels, pixels) of an array that lies as the output does."""
        if self.channel_axis is None:
            return array.reshape(len(array), 1, self.area)
        if self.channel_axis == 1:
            return array.reshape(*array.shape[:2], self.area)
        return np.moveaxis(array.reshape(len(array), self.area, array.shape[-1]), 2, 1)

    def as_given(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return (images, channels, pixels) as the output lies."""
        images, channels = array.shape[:2]
        if self.channel_axis == -1:
            array = np.moveaxis(array, 1, 2)
        return np.ascontiguousarray(array).reshape(self.shape(images, channels))


def layout_of(output: tuple[int, ...], inputs: tuple[int, ...]) -> Layout:
    """Tell the layout of a model's output.

    Args:
        output: Its shape. (images, rows, cols, channels), or with channels first where Keras is set so; rows and
            columns in one axis, as a Reshape head gives them; (images, channels), an image being one pixel; or
            (images, rows, cols) of one channel, told by rows and columns that are those of the input.
        inputs: Shape of the pictures that the model was fed.

    Raises:
        SettingError: if it is none of these.
    """
    if len(output) == 4:
        if keras.config.image_data_format() == "channels_first":
            return Layout(output[2:], output[1], 1)
        return Layout(output[1:3], output[3], -1)
    if len(output) == 3:
        if output[1:] in (inputs[1:3], inputs[2:4]):
            return Layout(output[1:], 1, None)
        return Layout(output[1:2], output[2], -1)
    if len(output) == 2:
        return Layout((), output[1], -1)
    if len(output) == 1:
        return Layout((), 1, None)
    message = (
        "Expected a model whose output is (images, rows, cols, channels), (images, rows*cols, channels) or "
        f"(images, channels); received {tuple(output)}. Give a model that classifies pixels of pictures."
    )
    raise SettingError(message)
