"""Batches from whatever `fit` takes: arrays, a PyDataset, a generator, a list, tf.data, a torch DataLoader."""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from rareseg.doors.keras.arrays import first_array, is_array, to_numpy
from rareseg.errors import DataError

Kind = Literal["arrays", "PyDataset", "batches", "generator", "tf.data", "DataLoader", "grain"]
"""What the data are: Keras turns class weights into sample weights differently for each."""

BATCH_SIZE = 32
"""The default of `fit`."""
_FOREIGN: tuple[tuple[Kind, str, str], ...] = (
    ("tf.data", "tensorflow.python.", "DatasetV2"),
    ("DataLoader", "torch.utils.data", ".DataLoader"),
    ("grain", "grain.", ""),
)
_MOST_PIXELS = 2**20
"""Of a batch that is cut from arrays."""


class Triple(NamedTuple):
    """One batch as it came."""

    images: Any
    targets: Any
    weights: Any


class Source:
    """Draws batches as they are asked for and keeps them, so that every probe sees the same ones."""

    def __init__(self, data: Any, *, batch_size: int | None, what: str) -> None:
        """Tell what the data are; nothing is drawn yet.

        Raises:
            DataError: if they are neither arrays (images, targets[, sample weights]) nor an iterable of such batches.
        """
        self.kind = kind_of(data, what)
        self._what = what
        self._drawn: list[Triple] = []
        self._rest = _triples(data, self.kind, batch_size)

    def first(self, most: int) -> list[Triple]:
        """Return up to `most` batches, always the same; those without an image are passed over.

        Raises:
            DataError: if a batch is no (images, targets[, sample weights]).
        """
        triples = (self._triple(batch) for batch in self._rest)
        filled = (triple for triple in triples if len(first_array(triple.targets)))
        self._drawn += itertools.islice(filled, max(most - len(self._drawn), 0))
        return self._drawn[:most]

    def _triple(self, batch: Any) -> Triple:
        parts = tuple(batch) if isinstance(batch, tuple | list) else ()
        if len(parts) not in (2, 3) or parts[1] is None:
            found = type(batch).__name__ if not parts else f"{len(parts)} parts"
            message = (
                f"Expected each batch of {self._what} to be (images, targets) or (images, targets, sample weights); "
                f"received {found}."
            )
            raise DataError(message)
        return Triple(parts[0], parts[1], parts[2] if len(parts) == 3 else None)


def kind_of(data: Any, what: str) -> Kind:
    """Tell what the data are.

    Raises:
        DataError: as `Source`.
    """
    names = {f"{base.__module__}.{base.__name__}" for base in type(data).__mro__}
    for kind, package, end in _FOREIGN:
        if any(name.startswith(package) and name.endswith(end) for name in names):
            return kind
    if isinstance(data, keras.utils.PyDataset):
        return "PyDataset"
    if isinstance(data, tuple | list) and len(data) in (2, 3) and is_array(data[1]):
        return "arrays"
    if isinstance(data, Iterable) and not is_array(data) and not isinstance(data, str | bytes | dict):
        return "generator" if isinstance(data, Iterator) else "batches"
    message = (
        f"Expected {what} as arrays (images, targets) or (images, targets, sample weights), or as an iterable of such "
        f"batches (PyDataset, generator, tf.data, DataLoader, list); received {type(data).__name__}."
    )
    raise DataError(message)


def _triples(data: Any, kind: Kind, batch_size: int | None) -> Iterator[Any]:
    if kind == "arrays":
        return _cut(tuple(data), batch_size)
    if kind == "PyDataset":
        return _of_py_dataset(data)
    return iter(data)


def _cut(arrays: tuple[Any, ...], batch_size: int | None) -> Iterator[tuple[Any, ...]]:
    arrays = keras.tree.map_structure(lambda value: None if value is None else to_numpy(value), arrays)
    targets = arrays[1]
    counts = {len(value) for value in keras.tree.flatten(arrays) if value is not None}
    if len(counts) > 1:
        message = (
            f"Expected as many targets as images, and as many sample weights; received {sorted(counts)}. "
            "Give arrays whose first axes are equal."
        )
        raise DataError(message)
    pixels = math.prod(targets.shape[1:3]) if targets.ndim > 2 else 1
    size = batch_size or max(1, min(BATCH_SIZE, _MOST_PIXELS // max(pixels, 1)))
    # As fit shuffles; a generator of its own, so that the user's random numbers stay as they are.
    order = np.random.default_rng(0).permutation(len(targets))

    def part(where: Any) -> Any:
        return keras.tree.map_structure(lambda value: None if value is None else value[where], arrays)

    return (part(order[start : start + size]) for start in range(0, len(order), size))


def _of_py_dataset(data: Any) -> Iterator[Any]:
    count = data.num_batches
    indices: Iterable[int] = itertools.count()
    if count is not None:
        indices = (int(index) for index in np.random.default_rng(0).permutation(count))
    return (data[index] for index in indices)
