"""Photos and masks, paired by name, and all that can be wrong with a pair before its pixels are read."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rareseg.errors import DataError, LayoutError, Problem
from rareseg.imagery.formats import SUFFIXES
from rareseg.imagery.rasters import RasterInfo, describe
from rareseg.imagery.sets.layouts import IMAGE_SUFFIXES, MASK_SUFFIXES, Files, Layout
from rareseg.records.dataset import DataSpec, PartName

THREADS = max(1, min(8, os.cpu_count() or 1))
"""Reading waits for the disk and decodes without holding the interpreter, so threads pay."""


class Match(NamedTuple):
    """A photo and its mask. `stem` is what their names share."""

    part: PartName | None
    stem: str
    image: Path
    mask: Path


class Matches(NamedTuple):
    """Pairs, what stood in the way of others, and by which endings names were matched."""

    pairs: tuple[Match, ...]
    problems: tuple[Problem, ...]
    image_suffix: str
    mask_suffix: str


def relative(path: Path, root: Path) -> str:
    """Return `path` relative to `root` with forward slashes, through ".." if need be."""
    return Path(os.path.relpath(path, root)).as_posix()


def match(layout: Layout) -> Matches:
    """Pair images and masks whose stems are equal once the endings of the set are taken off.

    The endings are those of the TOML; without them, the known ones ("_mask", "_sat", ...) that pair most
    files, and none at all if that pairs as many. The case and kind of the extension do not matter.

    Raises:
        LayoutError: if there are no files, or not one image has a mask.
    """
    image_suffix, mask_suffix = _endings(layout.files, layout.spec)
    pairs: list[Match] = []
    problems: list[Problem] = []
    for files in layout.files:
        images, wrong_images = _by_stem(files.images, image_suffix, "image", layout.root)
        masks, wrong_masks = _by_stem(files.masks, mask_suffix, "mask", layout.root)
        problems += [*wrong_images, *wrong_masks]
        for stem, found in images.items():
            partners = masks.get(stem, [])
            if len(found) == 1 and len(partners) == 1:
                pairs.append(Match(files.part, stem, found[0], partners[0]))
        problems += _unpaired(images, masks, f"{{}}{mask_suffix}.*", "mask", layout.root)
        problems += _unpaired(masks, images, f"{{}}{image_suffix}.*", "image", layout.root)
    if not pairs:
        message = (
            f"{layout.root}: not one image has a mask of the same name. "
            "If names differ by an ending, say mask_suffix or image_suffix in a .toml:"
        )
        raise LayoutError(message, problems)
    return Matches(tuple(pairs), tuple(problems), image_suffix, mask_suffix)


def check_heads(pairs: Sequence[Match], root: Path) -> tuple[dict[Match, RasterInfo], list[Problem]]:
    """Read the heads of all files and compare them.

    Returns:
        The photo's RasterInfo of each good pair, and one problem per file that cannot be opened, differs from
        its mask in size or georeference, or differs from most photos in bands or dtype.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        heads = list(pool.map(_heads, pairs))
    problems: list[Problem] = []
    good: dict[Match, RasterInfo] = {}
    for pair, (image, mask) in zip(pairs, heads, strict=True):
        wrong = [
            Problem(relative(path, root), head)
            for path, head in ((pair.image, image), (pair.mask, mask))
            if isinstance(head, str)
        ]
        if isinstance(image, RasterInfo) and isinstance(mask, RasterInfo):
            wrong = [Problem(relative(pair.image, root), reason) for reason in _mismatch(image, mask, root)]
            if not wrong:
                good[pair] = image
        problems += wrong
    return _of_one_kind(good, root, problems), problems


def _endings(files: Sequence[Files], spec: DataSpec) -> tuple[str, str]:
    """Choose the endings of image and mask stems."""
    images = ("", *IMAGE_SUFFIXES) if spec.image_suffix is None else (spec.image_suffix,)
    masks = ("", *MASK_SUFFIXES) if spec.mask_suffix is None else (spec.mask_suffix,)
    choices = [(image, mask) for image in images for mask in masks]

    def shared(choice: tuple[str, str]) -> int:
        return sum(
            len(_stems(part.images, choice[0]).keys() & _stems(part.masks, choice[1]).keys())
            for part in files
        )

    # max keeps the first of equals, so plain stems win unless an ending pairs more.
    return max(choices, key=shared)


def _stems(paths: Sequence[Path], ending: str) -> dict[str, Path]:
    return {path.stem.removesuffix(ending): path for path in paths if path.stem.endswith(ending)}


def _by_stem(
    paths: Sequence[Path], ending: str, kind: str, root: Path
) -> tuple[dict[str, list[Path]], list[Problem]]:
    stems: dict[str, list[Path]] = {}
    problems = []
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            reason = f"{path.suffix} is not read; convert it to PNG or TIFF"
            problems.append(Problem(relative(path, root), reason))
        if not path.stem.endswith(ending):
            reason = f"its name does not end in {ending!r} as those of other {kind}s do"
            problems.append(Problem(relative(path, root), reason))
        else:
            stems.setdefault(path.stem.removesuffix(ending), []).append(path)
    for stem, found in stems.items():
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            problems += [
                Problem(relative(path, root), f"{len(found)} {kind}s share the stem {stem!r}: {names}")
                for path in found
            ]
    return stems, problems


def _unpaired(
    these: dict[str, list[Path]], others: dict[str, list[Path]], name: str, kind: str, root: Path
) -> list[Problem]:
    return [
        Problem(relative(path, root), f"has no {kind} (expected {name.format(stem)})")
        for stem, paths in these.items()
        if stem not in others
        for path in paths
    ]


def _heads(pair: Match) -> tuple[RasterInfo | str, RasterInfo | str]:
    return _head(pair.image), _head(pair.mask)


def _head(path: Path) -> RasterInfo | str:
    try:
        return describe(path)
    except DataError as error:
        return error.problems[0].reason


def _mismatch(image: RasterInfo, mask: RasterInfo, root: Path) -> list[str]:
    reasons = []
    name = relative(mask.path, root)
    if (image.height, image.width) != (mask.height, mask.width):
        sizes = f"{image.height} x {image.width} px (height x width)"
        reasons.append(f"is {sizes}, but its mask {name} is {mask.height} x {mask.width}")
    elif image.georeference and mask.georeference:
        apart = image.georeference.disagreement(mask.georeference, image.height, image.width)
        if apart:
            reasons.append(f"lies elsewhere than its mask {name}: {apart}")
    return reasons


def _of_one_kind(
    good: dict[Match, RasterInfo], root: Path, problems: list[Problem]
) -> dict[Match, RasterInfo]:
    """Keep the photos of the most frequent number of bands and dtype; the others are problems."""
    if not good:
        return {}
    kinds = Counter((info.photo_bands, info.dtype) for info in good.values())
    usual, count = kinds.most_common(1)[0]
    for pair, info in good.items():
        kind = (info.photo_bands, info.dtype)
        if kind != usual:
            usually = f"{count} of {len(good)} photos have {usual[0]} of {usual[1]}"
            reason = f"has {kind[0]} bands of {kind[1]}, but {usually}"
            problems.append(Problem(relative(pair.image, root), reason))
    return {pair: info for pair, info in good.items() if (info.photo_bands, info.dtype) == usual}
