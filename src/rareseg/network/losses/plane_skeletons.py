r"""Sums over soft skeletons and their slopes, plane by plane (one class of one image), with OpenCV in threads.

The soft skeleton is defined in `soft_skeletons`. Minima and maxima only select: every x_i and d(x_i) at a pixel
IS the value of x at some source pixel. So slopes need no walk back through the poolings: they go straight to the
sources. On the way back the values are pooled once more with the number of their pixel written into lower bits,
which tells the sources. Of equal values the minimum takes the lowest pixel number, the maximum the highest.

With w = d loss / d S at a pixel, the slope of the loss by ridge_i is w (1 - S) / (1 - ridge_i).
"""

import sys
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from cv2.typing import MatLike
from numpy.typing import NDArray
from torch import Tensor

from rareseg.network.losses.first_order import first_order
from rareseg.network.losses.planes import each_plane

Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]
Void = NDArray[np.bool_] | None
Keys = NDArray[np.int64]
"""The bits of a float32 >= the smallest normal one, above the number of a pixel. Read as float64 they are normal
numbers in the same order, so that OpenCV can take their minimum."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_FAR = np.finfo(np.float32).max
"""Stands for what is not counted where a minimum is taken."""
_FAR_KEY = np.int64(_FAR.view(np.int32)) << 32
_SMALLEST = np.finfo(np.float32).tiny
_ONE = np.float32(1 + 2**-23)
"""The next number above 1: one minus a ridge is divided by, and must not be 0."""
_FEW = 0.4
"""Share of pixels with a ridge up to which picking them out pays."""
MOST_PIXELS = 2**32
_NUMBER = np.int64(MOST_PIXELS - 1)
_HIGH = int(sys.byteorder == "little")
"""Which half of a key in memory is the upper one."""


class PlaneSums(torch.autograd.Function):
    """The sums of `soft_skeletons.SkeletonSums`, (4, classes) float32, of dense float32 planes on a processor."""

    @staticmethod
    def forward(ctx: Any, chance: Tensor, holds: Tensor, counted: Tensor, iterations: int) -> Tensor:
        """Return the sums; arguments as in `soft_skeletons.skeleton_sums`."""
        values, truth = chance.numpy(), holds.numpy()
        voids = [None if known.all() else ~known for known in counted[:, 0].numpy()]
        claims = np.empty(values.shape, np.float32)
        lines = np.empty(values.shape, np.uint8)
        sums = np.zeros((*values.shape[:2], 4))

        def work(at: tuple[int, ...]) -> None:
            room = _Room.take(values.shape[2:])
            mask = np.ascontiguousarray(truth[at]).view(np.uint8)
            _skeletonise(values[at], voids[at[0]], iterations, room, claims[at])
            _skeletonise_mask(mask, voids[at[0]], iterations, lines[at])
            sums[at] = _sums(values[at], claims[at], mask, lines[at], room)
            room.give_back()

        each_plane(work, chance.shape)
        ctx.iterations, ctx.voids, ctx.claims, ctx.lines = iterations, voids, claims, lines
        ctx.save_for_backward(chance, holds)
        return torch.from_numpy(sums.sum(axis=0).T).to(chance.dtype)

    @staticmethod
    @first_order
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the slopes by `chance`."""
        chance, holds = ctx.saved_tensors
        values, truth = chance.numpy(), holds.numpy()
        right, claimed, found, _ = gradients[0].numpy()
        slopes = torch.empty(chance.shape)

        def work(at: tuple[int, ...]) -> None:
            room = _Room.take(values.shape[2:])
            label = at[1]
            # d loss / d S(p), times the product of all 1 - ridge
            weight = room.weight
            np.copyto(weight, truth[at])
            weight *= right[label]
            weight += claimed[label]
            weight *= np.subtract(1, ctx.claims[at], out=room.ridge)
            out = slopes[at].numpy()
            np.copyto(out, ctx.lines[at])
            out *= found[label]
            _send_slopes(values[at], ctx.voids[at[0]], ctx.iterations, room, slopes[at])
            room.give_back()

        each_plane(work, chance.shape)
        return slopes, None, None, None


class _Room:
    """Working memory for one plane, kept between calls: fresh memory costs more than what is computed in it."""

    idle: ClassVar[list["_Room"]] = []

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.keys, self.eroded, self.opened, self.spare = np.empty((4, *shape), np.int64)
        self.ridge, self.low, self.weight, self.rest = np.empty((4, *shape), np.float32)
        self.numbers = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)

    @classmethod
    def take(cls, shape: tuple[int, ...]) -> "_Room":
        """Return an idle room of that shape, or a new one; an idle one of another shape is given up."""
        try:
            room = cls.idle.pop()  # safe in threads
        except IndexError:
            return cls(shape)
        return room if room.shape == shape else cls(shape)

    def give_back(self) -> None:
        """Keep the room for another plane."""
        self.idle.append(self)


def _sums(plane: Plane, claim: Plane, mask: Mask, line: Mask, room: _Room) -> tuple[float, ...]:
    product = room.rest
    np.copyto(product, mask)
    right = cv2.sumElems(np.multiply(product, claim, out=product))[0]
    np.copyto(product, line)
    found = cv2.sumElems(np.multiply(product, plane, out=product))[0]
    return right, cv2.sumElems(claim)[0], found, cv2.sumElems(line)[0]


def _skeletonise(plane: Plane, void: Void, iterations: int, room: _Room, out: Plane) -> None:
    """Write the soft skeleton of one plane."""
    out[...] = 0
    level, eroded, opened, rest = room.ridge, room.low, room.weight, room.rest
    np.copyto(level, plane)
    for _ in range(iterations + 1):
        if void is not None:
            level[void] = _FAR
        cv2.erode(level, _CROSS, dst=eroded)
        if void is not None:
            eroded[void] = 0
        cv2.dilate(eroded, _SQUARE, dst=opened)
        cv2.threshold(np.subtract(level, opened, out=opened), 0, 0, cv2.THRESH_TOZERO, dst=opened)
        if void is not None:
            opened[void] = 0
        out += np.multiply(np.subtract(1, out, out=rest), opened, out=rest)
        level, eroded = eroded, level


def _skeletonise_mask(mask: Mask, void: Void, iterations: int, out: Mask) -> None:
    """Write the same of one mask of 0 and 1, whose ridges are 0 or 1 too."""
    out[...] = 0
    level: MatLike = mask
    for _ in range(iterations + 1):
        if not cv2.countNonZero(level):
            break  # nothing is left that could have a ridge
        if void is not None:
            level = np.where(void, np.uint8(1), level)
        eroded = cv2.erode(level, _CROSS)
        if void is not None:
            eroded[void] = 0
        # OpenCV's difference of bytes ends at 0.
        cv2.bitwise_or(out, cv2.subtract(level, cv2.dilate(eroded, _SQUARE)), dst=out)
        level = eroded
    if void is not None:
        out[void] = 0


def _send_slopes(plane: Plane, void: Void, iterations: int, room: _Room, out: Tensor) -> None:
    """Add to `out` the slopes of sum(S w), where room.weight holds w (1 - S)."""
    keys, eroded, opened, ridge = room.keys, room.eroded, room.opened, room.ridge
    np.add(plane, _SMALLEST, out=_values(keys))
    np.copyto(_numbers(keys), room.numbers)
    if void is not None:
        room.weight[void] = 0
    for step in range(iterations + 1):
        if void is not None:
            keys[void] = _FAR_KEY
        cv2.erode(keys.view(np.float64), _CROSS, dst=eroded.view(np.float64))
        if void is not None:
            eroded[void] = 0
        _dilate(eroded, opened, room.spare)
        has = np.subtract(_values(keys), _values(opened), out=ridge) > 0
        if np.count_nonzero(has) > _FEW * has.size:
            _send_all(room, None if step == 0 else keys, out)
        else:
            _send_some(room, keys, np.flatnonzero(has), out)
        keys, eroded = eroded, keys


def _values(keys: Keys) -> Plane:
    return keys.view(np.float32)[:, _HIGH::2]


def _numbers(keys: Keys) -> NDArray[np.uint32]:
    return keys.view(np.uint32)[:, 1 - _HIGH :: 2]


def _send_all(room: _Room, keys: Keys | None, out: Tensor) -> None:
    """Send the slopes of ridges that many pixels have; without `keys` every pixel is its own upper source."""
    slope = np.divide(room.weight, np.subtract(_ONE, room.ridge, out=room.low), out=room.low)
    slope *= cv2.threshold(room.ridge, 0, 1, cv2.THRESH_BINARY, dst=room.rest)[1]
    if keys is None:
        values = out.numpy()
        values += slope
    else:
        _scatter(keys, slope, room, out)
    _scatter(room.opened, np.negative(slope, out=slope), room, out)


def _scatter(keys: Keys, slope: Plane, room: _Room, out: Tensor) -> None:
    number = np.bitwise_and(keys, _NUMBER, out=room.spare)
    out.view(-1).scatter_add_(0, torch.from_numpy(number.ravel()), torch.from_numpy(slope.ravel()))


def _send_some(room: _Room, keys: Keys, pixels: NDArray[np.int64], out: Tensor) -> None:
    """Send the slopes of ridges that few `pixels` have."""
    count = len(pixels)
    slope, weight = room.low.ravel()[:count], room.rest.ravel()[:count]
    number = room.spare.ravel()[:count]
    # mode="clip" writes straight into the room; no pixel number is out of range.
    np.subtract(_ONE, np.take(room.ridge, pixels, out=slope, mode="clip"), out=slope)
    np.divide(np.take(room.weight, pixels, out=weight, mode="clip"), slope, out=slope)
    for source in (keys, room.opened):
        np.take(source, pixels, out=number, mode="clip")
        number &= _NUMBER
        out.view(-1).scatter_add_(0, torch.from_numpy(number), torch.from_numpy(slope))
        np.negative(slope, out=slope)


def _dilate(keys: Keys, out: Keys, spare: Keys) -> None:
    """Write the maxima of 3x3 squares: OpenCV's, along the rows of 64-bit numbers, take far longer."""
    flat, pairs, triples = keys.ravel(), spare.ravel(), out.ravel()
    np.maximum(flat[:-1], flat[1:], out=pairs[:-1])
    spare[:, -1] = keys[:, -1]  # the flat walk ran on into the next row
    np.maximum(pairs[:-1], pairs[1:], out=triples[1:])
    out[:, 0] = spare[:, 0]
    np.maximum(out[:-1], out[1:], out=spare[:-1])
    spare[-1] = out[-1]
    np.maximum(spare[:-1], spare[1:], out=out[1:])
    out[0] = spare[0]
