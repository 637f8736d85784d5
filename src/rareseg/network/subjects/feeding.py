"""Reading batches out of whatever a user's training loop iterates over."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, default_collate

from rareseg.errors import DataError
from rareseg.network.subjects.randomness import generators_of, random_states_kept

BATCH_SIZE = 8
"""Of arrays and data sets that come without batches."""
_IMAGE_KEYS = ("image", "images", "img", "imgs", "x", "input", "inputs", "pixel_values", "photo", "data")
_TARGET_KEYS = (
    "mask", "masks", "label", "labels", "target", "targets", "y", "gt", "ground_truth", "segmentation", "annotation",
)  # fmt: skip
_WEIGHT_KEYS = ("sample_weight", "sample_weights", "weight", "weights")
_EXPECTED = (
    "expected (images, targets) arrays, a Dataset, or an iterable of batches: tuples (images, targets[, weights]) or "
    "dictionaries with keys such as 'image' and 'mask'"
)


class Fed(NamedTuple):
    """One batch as it came: images, targets, and sample weights or None."""

    images: Any
    targets: Any
    weights: Any


@final
class Feed:
    """The first batches of a user's data; each is read once, with all random states put back afterwards.

    A generator goes on where it stood; anything that can be read anew is read anew, so that no worker stays open.
    """

    def __init__(self, data: Any) -> None:
        """Take `data`; nothing is read yet.

        Raises:
            DataError: if `data` is nothing that batches can be read from.
        """
        self._data = data
        self._kept: list[Fed] = []
        self._arrays = _as_arrays(data)
        iterable = isinstance(data, (Iterable, Dataset)) and not isinstance(data, (str, bytes))
        if self._arrays is None and not iterable:
            message = f"data: {_EXPECTED}; got {type(data).__name__}."
            raise DataError(message)

    def first(self, most: int) -> list[Fed]:
        """Return up to `most` batches, the same ones each time."""
        missing = most - len(self._kept)
        if missing > 0:
            with random_states_kept(*generators_of(self._data)):
                batches = self._batches()
                once = batches is self._data or self._data is iter_or_none(self._data)
                skipped = 0 if once else len(self._kept)
                filled = (batch for batch in batches if len(batch.targets))
                self._kept += islice(filled, skipped, skipped + missing)
        return self._kept[:most]

    def _batches(self) -> Iterator[Fed]:
        if self._arrays is not None:
            return _sliced(self._arrays)
        if isinstance(self._data, Dataset) and not isinstance(self._data, IterableDataset):
            return _collated(_items(self._data))
        return _in_batches(iter(self._data))


def iter_or_none(data: Any) -> Any:
    """Return `data` if it is an iterator, which can be read only once; else None."""
    return data if isinstance(data, Iterator) else None


def parted(item: Any) -> Fed:
    """Return images, targets and weights of one batch or sample.

    Raises:
        DataError: if they cannot be told apart.
    """
    if isinstance(item, Mapping):
        return _of_mapping(item)
    if isinstance(item, (tuple, list)) and len(item) >= 2:
        weights = item[2] if len(item) > 2 and _are_weights(item[2], item[1]) else None
        return Fed(item[0], item[1], weights)
    message = f"data: {_EXPECTED}; a batch is {_described(item)}."
    raise DataError(message)


def first_picture(images: Any) -> Any:
    """Return the first array of three and more dimensions in a batch's images, which may be a structure of them."""
    if isinstance(images, Mapping):
        images = list(images.values())
    if isinstance(images, (tuple, list)):
        return next((each for each in images if _is_array(each) and each.ndim >= 3), images)
    return images


def without_short(every: list[Fed], raised: Callable[[Fed], str | None]) -> tuple[list[Fed], tuple[str, ...]]:
    """Leave out batches smaller than the first that cannot be trained on, such as a last one of a single image.

    Args:
        every: the batches.
        raised: what training on a batch raises, or None.

    Returns:
        The others, and a sentence on those left out, if any.
    """
    reasons = [raised(fed) if len(fed.targets) < len(every[0].targets) else None for fed in every]
    bad = [
        (len(fed.targets), reason) for fed, reason in zip(every, reasons, strict=True) if reason is not None
    ]
    told = tuple(
        f"A batch of {count} was left out: {reason.rstrip('.')}. Your loop stops there: drop it (DataLoader(..., "
        "drop_last=True)), or choose a batch size that leaves none so small."
        for count, reason in bad[:1]
    )
    return [fed for fed, reason in zip(every, reasons, strict=True) if reason is None], told


def spelled(targets: Any) -> str:
    """Return the type and shape of targets: "float64 of shape (8, 64, 64)"."""
    kind = str(getattr(targets, "dtype", type(targets).__name__)).removeprefix("torch.")
    return f"{kind} of shape {tuple(np.shape(targets))}"


def _of_mapping(item: Mapping[Any, Any]) -> Fed:
    by_name = {str(key).lower(): value for key, value in item.items()}
    images = next((by_name[key] for key in _IMAGE_KEYS if key in by_name), None)
    targets = next((by_name[key] for key in _TARGET_KEYS if key in by_name), None)
    if images is None or targets is None:
        message = (
            f"data: {_EXPECTED}; a batch has the keys {', '.join(map(repr, item))}. "
            "Give an iterable of (images, targets) instead."
        )
        raise DataError(message)
    weights = next((by_name[key] for key in _WEIGHT_KEYS if key in by_name), None)
    return Fed(images, targets, weights)


def _are_weights(value: Any, targets: Any) -> bool:
    """Return whether a batch's third part is sample weights: floats for each image or pixel; not names or metadata."""
    if not _is_array(value) or not _is_array(targets) or not value.ndim or len(value) != len(targets):
        return False
    floating = value.is_floating_point() if isinstance(value, Tensor) else value.dtype.kind == "f"
    return bool(floating) and (value.ndim == 1 or tuple(value.shape[-2:]) == tuple(targets.shape[-2:]))


def _is_array(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray))


def _as_arrays(data: Any) -> Fed | None:
    """Return (images, targets, weights) where `data` holds whole arrays, not batches."""
    if isinstance(data, Mapping):
        fed = _of_mapping(data)
    elif isinstance(data, (tuple, list)) and len(data) in {2, 3} and all(map(_is_array, data[:2])):
        fed = parted(data)
    else:
        return None
    if len(first_picture(fed.images)) != len(fed.targets):
        message = (
            f"data: expected as many images as targets; got {_described(fed.images)} and {_described(fed.targets)}. "
            "Give one target per image."
        )
        raise DataError(message)
    return fed


def _sliced(arrays: Fed) -> Iterator[Fed]:
    for start in range(0, len(arrays.targets), BATCH_SIZE):
        part = slice(start, start + BATCH_SIZE)
        weights = None if arrays.weights is None else arrays.weights[part]
        yield Fed(_cut(arrays.images, part), arrays.targets[part], weights)


def _cut(images: Any, part: slice) -> Any:
    if isinstance(images, Mapping):
        return {key: value[part] for key, value in images.items()}
    if isinstance(images, (tuple, list)):
        return type(images)(value[part] for value in images)
    return images[part]


def _items(data: Any) -> Iterator[Any]:
    """Yield the samples of a map-style data set in order."""
    return (data[index] for index in range(len(data)))


def _in_batches(items: Iterator[Any]) -> Iterator[Fed]:
    """Yield batches; single samples (bands, rows, cols) are put together."""
    for item in items:
        fed = parted(item)
        picture = first_picture(fed.images)
        if _is_array(picture) and picture.ndim == 3:
            yield from _collated(_chained(item, items))
            return
        yield fed


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _collated(samples: Iterator[Any]) -> Iterator[Fed]:
    while samples_of_batch := [parted(each)[:2] for each in islice(samples, BATCH_SIZE)]:
        try:
            images, targets = default_collate(samples_of_batch)
        except (RuntimeError, TypeError) as error:
            message = (
                f"data: samples cannot be put into one batch ({error}). Give a DataLoader or batches, in which all "
                "images have one size."
            )
            raise DataError(message) from error
        yield Fed(images, targets, None)


def _described(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__


def as_tensor(value: Any) -> Any:
    """Return arrays in any structure as tensors of their own; other things as they are."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value).copy())
    if isinstance(value, Mapping):
        return {key: as_tensor(each) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(as_tensor, value))
    if isinstance(value, (tuple, list)):
        return type(value)(as_tensor(each) for each in value)
    return value
