"""From a folder or a TOML to a Dataset: layout, pairs, reading of masks, no-data and parts, all checked."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rareseg.errors import DataError, MaskReadingError, Problem
from rareseg.imagery.masks.labels import MaskCounts, decide_reading
from rareseg.imagery.photos import find_nodata
from rareseg.imagery.rasters import RasterInfo
from rareseg.imagery.sets.contents import digest_of
from rareseg.imagery.sets.groups import grouped_by, twins
from rareseg.imagery.sets.layouts import Layout, recognise
from rareseg.imagery.sets.pairs import THREADS, Match, Matches, check_heads, match, relative
from rareseg.imagery.sets.splits import Candidate, Split, split
from rareseg.imagery.sets.survey import Survey, survey
from rareseg.progress import Progress, Silent
from rareseg.records.dataset import PARTS, VOID, Dataset, MaskReading, NoData, Pair


def discover(
    data: Path, progress: Progress | None = None, *, like: Dataset | None = None, whole: bool = False
) -> tuple[Path, Dataset]:
    """Find the pairs, read all of them once, and decide how they are read and parted.

    Args:
        data: a folder that follows a known layout, or a TOML that holds a DataSpec.
        progress: who is told how far it is.
        like: a Dataset to be read alike, for scoring: its mask reading and no-data hold wherever they fit, and
            the data is taken as a whole.
        whole: whether pairs without a ready-made part are all "test", as nothing is to be held out: then a single
            image will do.

    Returns:
        The folder that the Dataset's paths are relative to, and the Dataset, pairs sorted by part, then name.

    Raises:
        LayoutError: no known layout, or no pairs.
        DataError: missing partners, differing sizes, damaged files, all-void masks: all, with reasons.
        MaskReadingError: raw mask values that do not tell the classes.
        SplitError: overlapping parts, or too few groups.
        RecordError, SettingError: a TOML that is malformed or contradicts itself.
    """
    show: Progress = progress or Silent()
    layout = recognise(data)
    matches = match(layout)
    heads, problems = check_heads(matches.pairs, layout.root)
    problems = [*matches.problems, *problems]
    surveys = _survey_all(heads, layout, problems, show)
    classes, reading, pixels = _read_masks(surveys, layout, problems, like)
    nodata = _nodata(surveys, layout, classes, reading)
    if like is not None and not nodata.values:
        nodata = like.nodata
    for pair in pixels:
        _leave_out(pixels[pair], surveys[pair], nodata, reading)
    undivided = whole or like is not None
    parted = _all_test(pixels, layout) if undivided else _part(pixels, layout, classes)
    for note in (*layout.left_out, *_endings_said(matches)):
        show.say(note)
    head = next(iter(heads.values()))
    dataset = Dataset(
        layout="; ".join((layout.name, *_endings_said(matches))),
        pairs=_pairs(heads, parted, layout.root),
        classes=classes,
        overlapping=layout.spec.overlapping,
        reading=reading,
        nodata=nodata,
        bands=head.photo_bands,
        dtype=head.dtype,
        split_because="; ".join((parted.because, *layout.left_out)),
    )
    return layout.root, dataset


def _survey_all(
    heads: dict[Match, RasterInfo], layout: Layout, problems: list[Problem], progress: Progress
) -> dict[Match, Survey]:
    """Read every pair; what is wrong is added to `problems`."""
    surveys = {}

    def one(item: tuple[Match, RasterInfo]) -> Survey | list[Problem]:
        return survey(*item, layout.root, layout.spec)

    with progress.task("reading images and masks", len(heads)) as task, ThreadPoolExecutor(THREADS) as pool:
        for pair, found in zip(heads, pool.map(one, heads.items()), strict=True):
            if isinstance(found, Survey):
                surveys[pair] = found
            else:
                problems += found
            task.advance(note=pair.stem)
    return surveys


def _read_masks(
    surveys: dict[Match, Survey], layout: Layout, problems: list[Problem], like: Dataset | None
) -> tuple[tuple[str, ...], MaskReading, dict[Match, list[int]]]:
    """Decide the reading, count each pair's pixels per class, and raise what is wrong with any file."""
    decided = None
    try:
        masks = [found.mask for found in surveys.values()]
        decided = _decided(masks, layout, like)
    except MaskReadingError:
        # Damaged or missing files may be why it cannot be decided: they come first.
        if not problems:
            raise
    if decided is None:
        raise _unusable_files(problems)
    classes, reading = decided
    pixels = {pair: _class_pixels(found.mask, reading, len(classes)) for pair, found in surveys.items()}
    for pair, counts in pixels.items():
        if not sum(counts) and reading.kind != "bands":
            problems.append(
                Problem(relative(pair.mask, layout.root), "every pixel is void: nothing is labelled")
            )
    if problems:
        raise _unusable_files(problems)
    return classes, reading, pixels


def _decided(
    masks: Sequence[MaskCounts], layout: Layout, like: Dataset | None
) -> tuple[tuple[str, ...], MaskReading]:
    """Decide the reading: by these masks alone where that gives the classes of `like`, else as `like` reads.

    A part of a set may lack classes, so its own reading may give other ones; but where both give the same
    classes, the set's own is right: the two may be stored with other values.
    """
    before = _as_before(masks, layout, like)
    try:
        own = decide_reading(masks, layout.spec, layout.name)
    except MaskReadingError:
        if before is None:
            raise
        return before
    return own if before is None or like is None or own[0] == like.classes else before


def _as_before(
    masks: Sequence[MaskCounts], layout: Layout, like: Dataset | None
) -> tuple[tuple[str, ...], MaskReading] | None:
    """Return the classes and reading of `like` if these masks hold nothing that it does not know."""
    if like is None or layout.spec.classes or layout.spec.void:
        return None
    if like.overlapping != layout.spec.overlapping or (like.reading.kind == "palette") != (
        masks[0].palette is not None
    ):
        return None
    for mask in masks:
        if like.reading.kind == "bands":
            known = mask.bands == max(entry.high for entry in like.reading.ranges)
        else:
            known = all(_known(raw, mask.bands, like.reading) for raw in mask.counts)
        if not known:
            return None
    return like.classes, like.reading


def _known(raw: int, bands: int, reading: MaskReading) -> bool:
    value = raw & 0xFF if bands == 3 and reading.kind != "rgb" else raw
    return any(entry.low <= value <= entry.high for entry in reading.ranges)


def _all_test(pixels: dict[Match, list[int]], layout: Layout) -> Split:
    groups, grouped = grouped_by([pair.stem for pair in pixels], layout.spec)
    parts = tuple(pair.part or "test" for pair in pixels)
    return Split(parts, tuple(groups), f"{grouped}; all of it is scored")


def _unusable_files(problems: Sequence[Problem]) -> DataError:
    files = len({problem.path for problem in problems})
    message = (
        f"Expected every image to have an intact mask of its size; {files} files are not usable. "
        "Repair them, or remove both image and mask:"
    )
    return DataError(message, sorted(problems))


def _label(raw: int, bands: int, reading: MaskReading) -> int:
    """Return the class index of a counted raw value, or VOID."""
    # Grey masks stored as three equal bands are counted as colours but read as grey values.
    value = raw & 0xFF if bands == 3 and reading.kind != "rgb" else raw
    return next((entry.label for entry in reading.ranges if entry.low <= value <= entry.high), VOID)


def _class_pixels(mask: MaskCounts, reading: MaskReading, classes: int) -> list[int]:
    pixels = [0] * classes
    if reading.kind == "bands":
        for entry in reading.ranges:
            if entry.label != VOID:
                pixels[entry.label] += sum(mask.band_counts[entry.low - 1 : entry.high])
        return pixels
    for raw, count in mask.counts.items():
        label = _label(raw, mask.bands, reading)
        if label != VOID:
            pixels[label] += count
    return pixels


def _nodata(
    surveys: dict[Match, Survey], layout: Layout, classes: Sequence[str], reading: MaskReading
) -> NoData:
    totals: Counter[int] = Counter()
    for found in surveys.values():
        totals.update(found.mask.counts)
    bands = next(iter(surveys.values())).mask.bands

    def label_of(raw: int) -> int:
        return _label(raw, bands, reading)

    fills = [fill for found in surveys.values() for fill in found.fills]
    return find_nodata(fills, totals, None if layout.spec.overlapping else label_of, layout.spec, classes)


def _leave_out(pixels: list[int], found: Survey, nodata: NoData, reading: MaskReading) -> None:
    """Take labels drawn over areas without photo out of an image's class counts."""
    for fill in found.fills:
        for raw, count in fill.raw.items() if fill.value in nodata.values else ():
            label = _label(raw, found.mask.bands, reading)
            if label != VOID:
                pixels[label] -= count


def _part(pixels: dict[Match, list[int]], layout: Layout, classes: Sequence[str]) -> Split:
    contents = dict[int, int]()
    for number, indices in enumerate(twins([pair.image for pair in pixels])):
        contents |= dict.fromkeys(indices, number)
    candidates = [
        Candidate(
            image=relative(pair.image, layout.root),
            stem=pair.stem,
            part=pair.part,
            pixels=tuple(max(0, count) for count in counts),
            content=contents.get(index),
        )
        for index, (pair, counts) in enumerate(pixels.items())
    ]
    return split(candidates, layout.spec, classes)


def _pairs(heads: dict[Match, RasterInfo], parted: Split, root: Path) -> tuple[Pair, ...]:
    with ThreadPoolExecutor(THREADS) as pool:
        images = pool.map(digest_of, [match.image for match in heads])
        masks = pool.map(digest_of, [match.mask for match in heads])
        digests = list(zip(images, masks, strict=True))
    pairs = [
        Pair(
            image=relative(match.image, root),
            mask=relative(match.mask, root),
            part=part,
            group=group,
            height=info.height,
            width=info.width,
            image_digest=image_digest,
            mask_digest=mask_digest,
        )
        for (match, info), part, group, (image_digest, mask_digest) in zip(
            heads.items(), parted.parts, parted.groups, digests, strict=True
        )
    ]
    return tuple(sorted(pairs, key=lambda pair: (PARTS.index(pair.part), pair.image)))


def _endings_said(matches: Matches) -> tuple[str, ...]:
    said = []
    if matches.image_suffix:
        said.append(f"image names end in {matches.image_suffix!r}")
    if matches.mask_suffix:
        said.append(f"mask names end in {matches.mask_suffix!r}")
    return tuple(said)
