r"""What each error weighs in the Lovasz extension of 1 - IoU: an exact sort in NumPy, for processors.

Errors of one class are ranked from worst to best; the i-th weighs as much as IoU falls when it joins the
errors before it. With G pixels of the class, after i errors, of which m are missed pixels and f = i - m false
alarms:

    IoU after i errors = (G - m) / (G + f)
    a missed pixel weighs 1 / (G + f),   a false alarm (G - m) / ((G + f) (G + f - 1))

These closed forms equal the differences of successive IoUs, without subtracting nearly equal numbers. Equal
errors may stand in any order: the value is the same, and each order gives a valid subgradient. If G = 0, IoU
falls from 1 to 0 at the first false alarm, which weighs 1.

The error of a pixel of the class is 1 - score, that of any other pixel is score + margin (softmax: score = p,
margin = 0; hinge: score = logit, margin = 1). Errors that are not above 0 add nothing and are not sorted. Nor
is, without any approximation, a false alarm with a smaller error than every pixel of the class: IoU is 0 by then,
so it weighs 0. What is left is sorted as 64-bit integers, which NumPy does with vector instructions and without
Python's lock: the bits of the error, turned so that the worst comes first, then where the pixel is, then whether
it is of the class. All else goes by blocks that stay in the processor's cache.

Reference: Berman et al. 2018, arXiv:1705.08790, algorithm 1.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Keys = NDArray[np.uint64]
One = TypeVar("One")
Other = TypeVar("Other")

MOST_PIXELS = 1 << 31
"""A key holds 31 bits of place."""
BLOCK = 1 << 15
"""Pixels or keys that are handled at once."""
SAMPLE = 1 << 14
"""Pixels from which ranges of errors are chosen."""
ALL_BITS = np.uint32(0xFFFFFFFF)
LOW_WORD = 0 if sys.byteorder == "little" else 1
HIGH_WORD = 1 - LOW_WORD
NO_LIMITS = np.empty(0, np.uint64)


class Run(Protocol):
    """`map`, or that of a pool of threads."""

    def __call__(self, step: Callable[[One], Other], over: Iterable[One], /) -> Iterable[Other]:
        """Return the results of `step` in order."""
        ...


class Channel(NamedTuple):
    """Scores of one class on one set of pixels."""

    scores: Floats
    """(pixels,) float32."""
    member: Bools
    """(pixels,) bool: labelled as the class; False where not counted."""
    left_out: Bools | None
    """(pixels,) bool: not counted; None if all are."""
    margin: float
    """0: scores are probabilities; 1: they are logits. Added to the score of a pixel outside the class, its error."""


def by_sorting(channel: Channel, slopes: Floats, *, run: Run = map, pieces: int = 1) -> float:
    """Return the Lovasz extension of 1 - IoU, and write how it changes with each score.

    Args:
        channel: Scores and labels of 1 to MOST_PIXELS pixels.
        slopes: (pixels,) float32, all 0; set to d value / d score: <= 0 on pixels of the class, >= 0 elsewhere.
        run: How independent steps run.
        pieces: In how many ranges pixels and errors are handled apart, >= 1; changes nothing but the speed.

    Returns:
        The value, >= 0; NaN if a counted score is NaN.
    """
    size = int(np.count_nonzero(channel.member))
    if not size:
        return _worst_false_alarm(channel, slopes)
    stretches = list(pairwise(len(channel.scores) * cut // pieces for cut in range(pieces + 1)))
    highest = np.max(list(run(lambda stretch: _highest(channel, *stretch), stretches)))
    lowest = np.maximum(1 - highest, np.finfo(np.float32).tiny)
    limits = _limits(channel, lowest, pieces)
    found = list(run(lambda stretch: _keys(channel, *stretch, lowest, limits), stretches))
    ranges = [list(chain.from_iterable(blocks)) for blocks in zip(*found, strict=True)]
    starts, missed, ranked = [], 0, 0
    for keys in run(_sorted, ranges):
        starts.append((keys, missed, ranked - missed))
        missed += _members(keys) if pieces > 1 else 0  # of no use after the last
        ranked += len(keys)
    return sum(run(lambda start: _falls(*start, size, slopes), starts))


def _worst_false_alarm(channel: Channel, slopes: Floats) -> float:
    scores = channel.scores
    if channel.left_out is not None:
        scores = np.where(channel.left_out, np.float32(-np.inf), scores)
    place = int(scores.argmax())
    error = float(scores[place]) + channel.margin
    if error <= 0:
        return 0.0
    slopes[place] = 1
    return error


def _blocks(start: int, stop: int) -> Iterator[slice]:
    for at in range(start, stop, BLOCK):
        yield slice(at, min(at + BLOCK, stop))


def _highest(channel: Channel, start: int, stop: int) -> np.float32:
    """Return the highest score on pixels of the class, or 0 if that is negative."""
    highest = np.float32(0)
    for block in _blocks(start, stop):
        # A product, because NumPy picks by random masks at a tenth of this speed.
        inside = channel.member[block].astype(np.float32)
        inside *= channel.scores[block]
        highest = np.maximum(highest, inside.max())
    return highest


def _limits(channel: Channel, lowest: np.float32, pieces: int) -> Keys:
    """Return keys that part all keys into about equally large ranges, from a sample of the pixels."""
    if pieces == 1:
        return NO_LIMITS
    step = max(len(channel.scores) // SAMPLE, 1)
    left_out = None if channel.left_out is None else channel.left_out[::step]
    sample = Channel(channel.scores[::step], channel.member[::step], left_out, channel.margin)
    keys = _sorted(_keys(sample, 0, len(sample.scores), lowest, NO_LIMITS)[0])
    return keys[[len(keys) * cut // pieces for cut in range(1, pieces)]] if len(keys) else keys


def _keys(channel: Channel, start: int, stop: int, lowest: np.float32, limits: Keys) -> list[list[Keys]]:
    """Return, per range of keys between `limits`, keys of the counted pixels with errors from `lowest` up."""
    found: list[list[Keys]] = [[] for _ in range(len(limits) + 1)]
    for block in _blocks(start, stop):
        places, errors = _errors(channel, block, lowest)
        low = places.astype(np.uint32)
        low += np.uint32(block.start)
        low <<= np.uint32(1)
        low |= channel.member[block].take(places)
        words = np.empty((len(places), 2), np.uint32)
        np.bitwise_xor(errors.view(np.uint32), ALL_BITS, out=words[:, HIGH_WORD])
        words[:, LOW_WORD] = low
        keys = words.reshape(-1).view(np.uint64)
        for limit, blocks in zip(limits, found, strict=False):
            below = keys < limit
            blocks.append(keys.take(np.flatnonzero(below)))
            keys = keys.take(np.flatnonzero(~below))
        found[-1].append(keys)
    return found


def _errors(channel: Channel, block: slice, lowest: np.float32) -> tuple[NDArray[np.intp], Floats]:
    """Return where in a block the errors are `lowest` or above (or NaN, which has to reach the value), and these."""
    scores, member = channel.scores[block], channel.member[block]
    if channel.margin:
        errors = member.astype(np.float32)
        errors *= -2
        errors += 1
        errors *= scores
        errors += np.float32(channel.margin)
        dropped = errors < lowest
    else:
        # Only false alarms are looked at: no probability is above 1, and `lowest` is the smallest other error.
        dropped = np.greater(scores < lowest, member)
    if channel.left_out is not None:
        dropped |= channel.left_out[block]
    places = np.flatnonzero(np.logical_not(dropped, out=dropped))
    if channel.margin:
        return places, errors.take(places)
    errors = scores.take(places)
    errors -= member.take(places)
    return places, np.abs(errors, out=errors)


def _sorted(blocks: list[Keys]) -> Keys:
    keys = np.concatenate(blocks)
    keys.sort()
    return keys


def _members(keys: Keys) -> int:
    """Return how many keys are of the class."""
    return sum(int(np.count_nonzero(keys[block] & np.uint64(1))) for block in _blocks(0, len(keys)))


def _falls(keys: Keys, missed: int, false: int, size: int, slopes: Floats) -> float:
    """Write the slopes of sorted keys' pixels and return what they add to the value.

    Args:
        keys: Sorted.
        missed: Pixels of the class that rank before them.
        false: Other pixels that rank before them.
        size: Pixels of the class, > 0.
        slopes: (pixels,) is set where the keys say.
    """
    value = 0.0
    numbers = np.arange(1, min(BLOCK, len(keys)) + 1, dtype=np.float32)
    words = keys.view(np.uint32).reshape(-1, 2)
    for block in _blocks(0, len(keys)):
        low = words[block, LOW_WORD]
        errors = (words[block, HIGH_WORD] ^ ALL_BITS).view(np.float32)
        bits = low & np.uint32(1)
        misses = np.cumsum(bits, dtype=np.int32)
        found = int(misses[-1])
        member = bits.astype(np.float32)
        others = 1 - member
        rank = misses.astype(np.float32)
        unions = numbers[: len(low)] - rank
        unions += np.float32(size + false)
        # False alarms: left / (union - 1) / union; missed pixels, with the same divisions: 1 / union.
        weights = np.subtract(np.float32(size - missed), rank, out=rank)
        weights *= others
        weights /= unions - others
        weights += member
        weights /= unions
        errors *= weights
        value += float(errors.sum())
        others -= member
        weights *= others
        slopes[(low >> np.uint32(1)).astype(np.intp)] = weights
        missed += found
        false += len(low) - found
    return value
