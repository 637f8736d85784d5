"""Counts as rows of numbers, so that many weighted sums of them are one product of matrices.

Counts are dataclasses that add up: of whole and other numbers, of arrays, and of further counts. Texts, such as the
unit of lengths, are the same in all that are added; what is None stands for nothing counted.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

One = TypeVar("One")


def rows(counts: Sequence[One], like: One) -> NDArray[np.float64]:
    """Return (counts, numbers): every number in each of `counts`, in the order of the fields of `like`, their sum."""
    width = len(list(_numbers(like, like)))
    held = [np.fromiter(_numbers(one, like), np.float64, width) for one in counts]
    return np.stack(held) if held else np.zeros((0, width))


def weighted(counts: Sequence[One], weights: NDArray[np.float64], like: One) -> Iterator[One]:
    """Yield the sum of `counts`, each so many times, for each row of `weights` (sums, counts), whole numbers.

    `like` is the plain sum of all: what it has not, none of them has.
    """
    for row in weights @ rows(counts, like):
        yield _from(like, iter(row.tolist()))


def _numbers(one: Any, like: Any) -> Iterator[float]:
    if dataclasses.is_dataclass(like):
        for field in dataclasses.fields(like):
            yield from _numbers(None if one is None else getattr(one, field.name), getattr(like, field.name))
    elif isinstance(like, np.ndarray):
        yield from (np.zeros(like.size) if one is None else one.ravel()).tolist()
    elif isinstance(like, int | float):
        yield 0.0 if one is None else one


def _from(like: Any, numbers: Iterator[float]) -> Any:
    if dataclasses.is_dataclass(like):
        fields = [field.name for field in dataclasses.fields(like)]
        kind: Any = type(like)
        return kind(**{name: _from(getattr(like, name), numbers) for name in fields})
    if isinstance(like, np.ndarray):
        return np.fromiter((next(numbers) for _ in range(like.size)), like.dtype, like.size).reshape(
            like.shape
        )
    if isinstance(like, int | float):
        return type(like)(next(numbers))
    return like
