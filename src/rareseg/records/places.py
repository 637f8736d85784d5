"""Where classes lie: their pixels in blocks of 32 x 32 px, counted once by the audit and kept beside it.

The file is NumPy's zip of plain arrays. It belongs to one audit: it names that audit's digest, and its sums must be
the audit's own pixel counts, so that a file of other data, or a damaged one, is noticed.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import RecordError
from rareseg.records.audit import Audit
from rareseg.records.codec import digest, write_bytes
from rareseg.records.dataset import Dataset, Pair

BLOCK = 32
"""Side of a block, px. A block of the last row or column may reach beyond the image."""
_TYPES = {
    "audit": np.dtype("S16"),
    "sides": np.dtype(np.int64),
    "dense": np.dtype(np.bool_),
    "lengths": np.dtype(np.int64),
    "blocks": np.dtype(np.uint32),
    "counts": np.dtype(np.uint16),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """Pixels of one kind in the blocks of one image; sparse or dense, whichever is smaller.

    blocks: (n,) uint32, ascending, the blocks that hold some, numbered row by row; None for all blocks.
    counts: (n,) uint16, pixels in each of these blocks, 0..1024.
    """

    blocks: NDArray[np.uint32] | None
    counts: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class ImagePlaces:
    """Where the classes of one image lie.

    height, width: the image's sides, px.
    layers: one per class, in the order of the data set, and as the last one the labelled pixels.
    """

    height: int
    width: int
    layers: tuple[Layer, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return block_shape(self.height, self.width)

    def grid(self, layer: int) -> NDArray[np.uint16]:
        """Return the counts of a layer in all blocks, shape (rows, cols)."""
        kept = self.layers[layer]
        if kept.blocks is None:
            return kept.counts.reshape(self.shape)
        dense = np.zeros(self.shape, np.uint16)
        dense.ravel()[kept.blocks] = kept.counts
        return dense

    def held(self, layer: int) -> NDArray[np.uint32]:
        """Return the blocks that hold some of a layer, ascending, numbered row by row."""
        kept = self.layers[layer]
        return np.flatnonzero(kept.counts).astype(np.uint32) if kept.blocks is None else kept.blocks

    def total(self, layer: int) -> int:
        """Return the pixels of a layer."""
        return int(self.layers[layer].counts.sum(dtype=np.int64))


Places = Mapping[str, ImagePlaces]
"""Where classes lie in every photo of the parts that training looks at, by the photo's path (see Pair.image)."""


def block_shape(height: int, width: int) -> tuple[int, int]:
    """Return how many rows and columns of blocks cover an image of these sides, px."""
    return -(-height // BLOCK), -(-width // BLOCK)


def indexed(dataset: Dataset) -> tuple[Pair, ...]:
    """Return the pairs that places are kept of: those of the training and the validation part."""
    return tuple(pair for pair in dataset.pairs if pair.part != "test")


def places_file(audit_file: Path) -> Path:
    """Return the path beside an audit's file at which its places are kept: audit.json -> audit.places.npz."""
    return audit_file.with_suffix(".places.npz")


def write_places(path: Path, places: Places, audit: Audit, *, overwrite: bool = False) -> None:
    """Write the places of `audit`.

    Raises:
        OutputExistsError: if `path` exists and `overwrite` is false.
    """
    found = [places[pair.image] for pair in indexed(audit.dataset)]
    layers = len(audit.dataset.classes) + 1
    flat = [layer for image in found for layer in image.layers]
    blocks = [layer.blocks for layer in flat if layer.blocks is not None]
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        audit=np.array(digest(audit).encode(), _TYPES["audit"]),
        sides=np.array([(image.height, image.width) for image in found], np.int64).reshape(-1, 2),
        dense=np.array([layer.blocks is None for layer in flat], np.bool_).reshape(-1, layers),
        lengths=np.array([layer.counts.size for layer in flat], np.int64).reshape(-1, layers),
        blocks=np.concatenate([np.empty(0, np.uint32), *blocks]),
        counts=np.concatenate([np.empty(0, np.uint16), *(layer.counts for layer in flat)]),
    )
    write_bytes(path, packed.getvalue(), overwrite=overwrite)


def read_places(path: Path, audit: Audit) -> dict[str, ImagePlaces]:
    """Read the places of `audit`.

    Raises:
        RecordError: if there is no such file, it is damaged, or it belongs to another audit.
    """
    arrays = _arrays(path)
    own = digest(audit)
    named = bytes(arrays["audit"].item()).decode("ascii", "replace")
    if named != own:
        message = f"{path} belongs to audit {named}, but the audit given is {own}"
        raise RecordError(message)
    pairs, layers = indexed(audit.dataset), len(audit.dataset.classes) + 1
    _check_shapes(path, arrays, pairs, layers)
    places = _unpacked(path, arrays, pairs, layers)
    _check_sums(path, places, audit)
    return places


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read the arrays without unpickling anything; each has the name, type and rank that are expected."""
    try:
        # Opened here: NumPy leaves a file open that turns out to be no zip.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as packed:
            if not isinstance(packed, np.lib.npyio.NpzFile) or set(packed.files) != set(_TYPES):
                raise _damaged(path, f"expected the arrays {', '.join(_TYPES)}")
            arrays = {name: packed[name] for name in _TYPES}
    except FileNotFoundError as error:
        message = f"{path} does not exist"
        raise RecordError(message) from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, str(error).split("\n", maxsplit=1)[0]) from error
    ranks = {"audit": 0, "sides": 2, "dense": 2, "lengths": 2, "blocks": 1, "counts": 1}
    for name, array in arrays.items():
        if array.dtype != _TYPES[name] or array.ndim != ranks[name]:
            raise _damaged(
                path,
                f"{name} is {array.dtype} of rank {array.ndim}, expected {_TYPES[name]} of {ranks[name]}",
            )
    return arrays


def _check_shapes(
    path: Path, arrays: Mapping[str, NDArray[np.generic]], pairs: tuple[Pair, ...], layers: int
) -> None:
    sides = np.array([(pair.height, pair.width) for pair in pairs], np.int64).reshape(-1, 2)
    if not np.array_equal(arrays["sides"], sides):
        raise _damaged(path, "its images are not those of the audit")
    dense, lengths = arrays["dense"], arrays["lengths"].astype(np.int64)
    if dense.shape != (len(pairs), layers) or lengths.shape != dense.shape:
        raise _damaged(path, f"expected {layers} layers of {len(pairs)} images")
    whole = (-(-sides // BLOCK)).prod(axis=1)[:, None]
    if (lengths < 0).any() or (lengths > whole).any() or (lengths != whole)[dense.astype(bool)].any():
        raise _damaged(path, "a layer has more or fewer blocks than its image")
    sparse = int(lengths[~dense.astype(bool)].sum())
    if arrays["counts"].size != lengths.sum() or arrays["blocks"].size != sparse:
        raise _damaged(path, "it holds more or fewer counts than it says")


def _unpacked(
    path: Path, arrays: Mapping[str, NDArray[np.generic]], pairs: tuple[Pair, ...], layers: int
) -> dict[str, ImagePlaces]:
    dense, lengths = arrays["dense"].astype(bool), arrays["lengths"].astype(np.int64)
    blocks, counts = arrays["blocks"].astype(np.uint32), arrays["counts"].astype(np.uint16)
    ends = [0, *np.cumsum(lengths.ravel()).tolist()]
    block_ends = [0, *np.cumsum(np.where(dense, 0, lengths).ravel()).tolist()]
    spans, block_spans = list(pairwise(ends)), list(pairwise(block_ends))
    if counts.size and counts.max() > BLOCK * BLOCK:
        raise _damaged(path, f"a block of {BLOCK * BLOCK} px holds more than that")
    places = {}
    for number, pair in enumerate(pairs):
        rows, cols = block_shape(pair.height, pair.width)
        kept = []
        for layer in range(number * layers, (number + 1) * layers):
            own = None if dense.ravel()[layer] else blocks[slice(*block_spans[layer])]
            if own is not None and own.size and (own[-1] >= rows * cols or (own[1:] <= own[:-1]).any()):
                raise _damaged(path, f"blocks of {pair.image} are out of order")
            kept.append(Layer(own, counts[slice(*spans[layer])]))
        places[pair.image] = ImagePlaces(pair.height, pair.width, tuple(kept))
    return places


def _check_sums(path: Path, places: Places, audit: Audit) -> None:
    """Compare the pixels of every class, part by part, with those that the audit counted."""
    for facts in audit.parts:
        if facts.part == "test":
            continue
        expected = [*facts.counts.pixels, facts.counts.labelled]
        images = [places[pair.image] for pair in audit.dataset.pairs if pair.part == facts.part]
        found = [sum(image.total(layer) for image in images) for layer in range(len(expected))]
        if found != expected:
            raise _damaged(path, f"its pixels of the {facts.part} part are not those that the audit counted")


def _damaged(path: Path, reason: str) -> RecordError:
    return RecordError(f"{path} is damaged: {reason}")
