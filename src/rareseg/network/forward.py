"""Mapping whole images: overlapping windows, blended, with bounded memory."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rareseg.imagery.tiles import Window, blend_weights, blocks, grid, haloed
from rareseg.measures.scaling import Scaling, scaled
from rareseg.network.batches import standardise
from rareseg.network.crops import fill_missing
from rareseg.records.plan import InferenceChoice, PrecisionChoice
from rareseg.records.run import PhotoStatistics

Reader = Callable[[Window], tuple[NDArray[np.generic], NDArray[np.bool_]]]
"""Gives the photo (bands, height, width) and has_photo (height, width) of a window."""

BLOCK = 4096
"""Largest side in px of the blocks that are finished one after the other."""
_BLOCK_VALUES = 2 * BLOCK**2
"""Probabilities, classes x pixels, that a block holds at most; memory grows with it, not with the image."""
_LEAST_BLOCK = 512


class MappedBlock(NamedTuple):
    """One finished block: probabilities (classes, height, width) float32 in 0..1, and where there is photo."""

    window: Window
    probabilities: NDArray[np.float32]
    has_photo: NDArray[np.bool_]
    core: Window
    """What of the block no other block holds: all of it, unless blocks have a halo."""


def autocast(precision: PrecisionChoice, device: torch.device) -> AbstractContextManager[None]:
    """Return the context in which a forward pass runs in the plan's precision."""
    return torch.autocast(device.type, torch.bfloat16) if precision.name == "bf16-mixed" else nullcontext()


def to_probabilities(logits: Tensor, *, overlapping: bool) -> Tensor:
    """Return probabilities of logits (batch, classes, rows, cols): softmax, or sigmoid for overlapping classes."""
    return torch.sigmoid(logits) if overlapping else torch.softmax(logits, dim=1)


def block_side(classes: int) -> int:
    """Return the side in px of a block: smaller with more classes, so that memory stays the same."""
    side = math.isqrt(_BLOCK_VALUES // classes)
    return min(BLOCK, max(_LEAST_BLOCK, side // _LEAST_BLOCK * _LEAST_BLOCK))


@final
class Mapper:
    """A trained network with all that mapping needs: scaling, windows, views, arithmetic."""

    def __init__(
        self,
        model: nn.Module,
        statistics: PhotoStatistics,
        *,
        inference: InferenceChoice,
        precision: PrecisionChoice,
        overlapping: bool,
        classes: int,
        scaling: Scaling | None = None,
    ) -> None:
        """Use `model` on the device its weights are on; it is put into eval mode while mapping.

        `scaling` moves the probabilities of each block, after views and windows are blended: so the ranking of
        pixels and the map by argmax are those of the network itself, and each pixel is moved once.
        """
        self._model, self._statistics = model, statistics
        self._inference, self._precision = inference, precision
        self._overlapping, self._classes = overlapping, classes
        self._scaling = scaling
        self._device = next(model.parameters()).device

    def map_blocks(self, read: Reader, height: int, width: int, *, halo: int = 0) -> Iterator[MappedBlock]:
        """Yield the image block by block, each finished; windows lie at the same places whatever the blocks.

        With a `halo`, px, each block is widened by what lies around it: the same pixels as in its neighbours.
        """
        windows = grid(height, width, window=self._inference.window, overlap=self._inference.overlap)
        for place in blocks(height, width, block_side(self._classes)):
            block, core = haloed(place, height, width, halo)
            yield self._map_block(read, block, core, [window for window in windows if _meet(window, block)])

    def map_window(self, read: Reader, height: int, width: int, window: Window) -> MappedBlock:
        """Return a window of the image as `map_blocks` gives it."""
        windows = grid(height, width, window=self._inference.window, overlap=self._inference.overlap)
        whole = Window(0, 0, window.height, window.width)
        return self._map_block(read, window, whole, [one for one in windows if _meet(one, window)])

    def map_image(self, photo: NDArray[np.generic], has_photo: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return probabilities (classes, rows, cols) of a photo (bands, rows, cols) held in memory."""
        height, width = photo.shape[-2:]
        whole = np.empty((self._classes, height, width), np.float32)

        def read(window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
            rows, cols = _slices(window)
            return photo[:, rows, cols], has_photo[rows, cols]

        for block in self.map_blocks(read, height, width):
            rows, cols = _slices(block.window)
            whole[:, rows, cols] = block.probabilities
        return whole

    def _map_block(self, read: Reader, block: Window, core: Window, windows: list[Window]) -> MappedBlock:
        total = np.zeros((self._classes, block.height, block.width), np.float32)
        weight = np.zeros((block.height, block.width), np.float32)
        # One read for all windows of the block: PNG and JPEG have no random access.
        extent = _hull(windows)
        photo, valid = read(extent)
        for window in windows:
            rows, cols = _slices(_relative(window, extent))
            shared = _intersection(window, block)
            inside, outside = _slices(_relative(shared, window)), _slices(_relative(shared, block))
            blend = blend_weights(window.height, window.width)[inside]
            weight[outside] += blend
            total[:, *outside] += blend * self._window(photo[:, rows, cols], valid[rows, cols])[:, *inside]
        total /= weight
        if self._scaling is not None:
            scaled(total, self._scaling, overlapping=self._overlapping)
        rows, cols = _slices(_relative(block, extent))
        return MappedBlock(block, total, valid[rows, cols], core)

    def _window(self, photo: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        if not valid.any():
            # Nothing to see: any answer is masked later, and none costs no time.
            return np.full((self._classes, *valid.shape), 1 / self._classes, np.float32)
        images = standardise(fill_missing(photo, valid, self._statistics.mean), self._statistics)
        return self._probabilities(torch.from_numpy(images)[None].to(self._device))[0].cpu().numpy()

    @torch.inference_mode()
    def _probabilities(self, images: Tensor) -> Tensor:
        """Return the mean of the probabilities over the plan's views of `images`."""
        was_training = self._model.training
        self._model.eval()
        total = torch.zeros((images.shape[0], self._classes, *images.shape[2:]), device=self._device)
        for mirrored, turns in _views(self._inference.views):
            view = torch.rot90(images.flip(-1) if mirrored else images, turns, (-2, -1))
            if self._precision.channels_last:
                view = view.contiguous(memory_format=torch.channels_last)
            with autocast(self._precision, self._device):
                logits = self._model(view)
            probabilities = to_probabilities(logits.float(), overlapping=self._overlapping)
            back = torch.rot90(probabilities, -turns, (-2, -1))
            total += back.flip(-1) if mirrored else back
        self._model.train(was_training)
        return total / self._inference.views


def _views(count: int) -> list[tuple[bool, int]]:
    """Return (mirrored, quarter turns) of each view: 1, 2 or 8 of the square's symmetries."""
    every = [(mirrored, turns) for turns in range(4) for mirrored in (False, True)]
    return every[:count]


def _meet(one: Window, other: Window) -> bool:
    shared = _intersection(one, other)
    return shared.height > 0 and shared.width > 0


def _intersection(one: Window, other: Window) -> Window:
    row, col = max(one.row, other.row), max(one.col, other.col)
    height = min(one.row + one.height, other.row + other.height) - row
    width = min(one.col + one.width, other.col + other.width) - col
    return Window(row, col, height, width)


def _hull(windows: list[Window]) -> Window:
    """Return the smallest window that holds all of `windows`."""
    top, left = min(window.row for window in windows), min(window.col for window in windows)
    bottom = max(window.row + window.height for window in windows)
    right = max(window.col + window.width for window in windows)
    return Window(top, left, bottom - top, right - left)


def _relative(window: Window, origin: Window) -> Window:
    return Window(window.row - origin.row, window.col - origin.col, window.height, window.width)


def _slices(window: Window) -> tuple[slice, slice]:
    return slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
