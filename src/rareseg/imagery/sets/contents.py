"""What files hold, told by their digests: whether data is still what an audit counted."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rareseg.errors import Problem
from rareseg.imagery.formats import unusable
from rareseg.records.dataset import Dataset, Pair

_THREADS = 4


def digest_of(path: Path) -> str:
    """Return the first 16 hex digits of a file's SHA-256.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    except OSError as error:
        raise unusable(path, f"cannot be opened ({error.strerror})") from error


def changed_files(root: Path, dataset: Dataset) -> list[Problem]:
    """Return the files of `dataset` below `root` that are gone or hold something else than when it was made."""

    def look(pair: Pair) -> Iterator[Problem]:
        for name, digest in ((pair.image, pair.image_digest), (pair.mask, pair.mask_digest)):
            if not (root / name).is_file():
                yield Problem(name, "is gone")
            elif digest_of(root / name) != digest:
                yield Problem(name, "has changed")

    with ThreadPoolExecutor(_THREADS) as pool:
        return [
            problem for found in pool.map(lambda pair: list(look(pair)), dataset.pairs) for problem in found
        ]
