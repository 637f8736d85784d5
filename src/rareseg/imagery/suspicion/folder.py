"""Evidence about data from the files of a folder, also where an audit refuses them."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rareseg.imagery.rasters import RasterInfo
from rareseg.imagery.sets.layouts import recognise
from rareseg.imagery.suspicion.empty_crops import empty_crops, labelled_without_photo, rarest
from rareseg.imagery.suspicion.files import (
    Piece,
    RawMask,
    ground_places,
    picture,
    pieces_of,
    raw_mask,
)
from rareseg.imagery.suspicion.looks import Floats, Labels, Look, spread
from rareseg.imagery.suspicion.mask_fields import class_counts, mask_fields
from rareseg.imagery.suspicion.relations import relations_of
from rareseg.imagery.suspicion.sharing import named_places, overlaps, same_images, thumbnail
from rareseg.imagery.suspicion.windows_shared import overlapping, sketch
from rareseg.progress import Progress, Silent
from rareseg.records.dataset import Dataset
from rareseg.records.evidence import DataEvidence

MOST_PAIRS = 400
"""Pairs that are read; evenly spread over the folder."""
MOST_LOOKS = 64
"""Images that are kept with their labels."""
_THREADS = 2
_MOST_NOTES = 12


class _Read(NamedTuple):
    """What is kept of one pair."""

    piece: Piece
    mask: RawMask | None
    thumb: Floats | None
    drawn: Floats | None
    """Its sketch."""
    info: RasterInfo | None
    photo: Floats | None


def evidence_of_folder(
    data: Path, dataset: Dataset | None = None, *, quick: bool = False, progress: Progress | None = None
) -> tuple[DataEvidence, tuple[str, ...]]:
    """Measure the images and masks of a folder.

    Args:
        data: a folder of a known layout, or a TOML that describes one.
        dataset: what an audit found there; without one, classes are the levels that the masks' raw values show.
        quick: leaves out shifts, pairs and suspects.
        progress: who is told how far it is.

    Returns:
        What was measured, and notes on what could not be.

    Raises:
        LayoutError: if there are no images with masks.
        RecordError: if the TOML is malformed.
    """
    pieces, notes = pieces_of(recognise(data), dataset)
    found = _read_all(pieces, notes, progress or Silent())
    masks = [read for read in found if read.mask is not None]
    raws = [read.mask for read in found if read.mask is not None]
    fields, labels, classes = mask_fields(raws, [read.piece.name for read in masks], dataset)
    fields |= _parts(found, labels, classes, quick=quick)
    looks = _looks(masks, labels, notes)
    rare = rarest(fields["shares"])
    if not quick:
        relations = relations_of(looks, len(classes), rare)
        fields |= relations.fields
        notes += relations.notes
    lost = labelled_without_photo((look.picture for look in looks), (look.labels for look in looks))
    evidence = DataEvidence(
        source="files",
        images=len(pieces),
        classes=classes,
        empty_batches=empty_crops(labels, rare),
        nodata_labelled=lost,
        **fields,
    )
    return evidence, tuple(notes)


def _read_all(pieces: Sequence[Piece], notes: list[str], progress: Progress) -> list[_Read]:
    some = [pieces[index] for index in spread(len(pieces), MOST_PAIRS)]
    if len(some) < len(pieces):
        notes.append(f"{len(some)} of {len(pieces)} pairs were read.")
    kept = {some[index] for index in spread(len(some), MOST_LOOKS)}
    found: list[_Read] = []

    def one(piece: Piece) -> tuple[_Read, list[str]]:
        return _read(piece, keep=piece in kept)

    with (
        progress.task("looking at images and masks", len(some)) as task,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        for read, problems in pool.map(one, some):
            found.append(read)
            notes += problems[: max(0, _MOST_NOTES - len(notes))]
            task.advance(note=read.piece.name)
    return found


def _read(piece: Piece, *, keep: bool) -> tuple[_Read, list[str]]:
    mask, photo = raw_mask(piece.mask), picture(piece.image)
    problems = [f"{piece.mask.name} {mask}."] if isinstance(mask, str) else []
    if isinstance(photo, str):
        problems.append(f"{piece.image.name} {photo}.")
        return _Read(piece, None if isinstance(mask, str) else mask, None, None, None, None), problems
    pixels, info = photo
    read = _Read(
        piece,
        None if isinstance(mask, str) else mask,
        thumbnail(pixels),
        sketch(pixels),
        info,
        pixels if keep else None,
    )
    return read, problems


def _parts(
    reads: Sequence[_Read], labels: Sequence[Labels], classes: tuple[str, ...], *, quick: bool
) -> dict[str, Any]:
    """Compare training with validation: absent classes, shared and touching images."""
    fields: dict[str, Any] = {}
    with_mask = [read for read in reads if read.mask is not None]
    for part, name in (("train", "absent_in_training"), ("val", "absent_in_validation")):
        own = [one for read, one in zip(with_mask, labels, strict=True) if read.piece.part == part]
        counts = class_counts(own, len(classes))
        if own:
            fields[name] = tuple(label for label, count in zip(classes, counts, strict=True) if not count)
    known = [read for read in reads if read.thumb is not None]
    training = [index for index, read in enumerate(known) if read.piece.part == "train"]
    held_out = [index for index, read in enumerate(known) if read.piece.part != "train"]
    if not training or not held_out:
        return fields
    thumbs = [read.thumb for read in known if read.thumb is not None]
    same = same_images([thumbs[index] for index in training], [thumbs[index] for index in held_out])
    if not quick:
        drawn = [read.drawn for read in known if read.drawn is not None]
        same |= overlapping([drawn[index] for index in training], [drawn[index] for index in held_out])
    touching = np.zeros_like(same)
    names = [read.piece.image.stem for read in known]
    sides = (
        [read.info.height for read in known if read.info],
        [read.info.width for read in known if read.info],
    )
    for places in (ground_places([read.info for read in known]),
                   named_places(names, list(zip(*sides, strict=True)))):  # fmt: skip
        over, beside = overlaps([places[i] for i in training], [places[i] for i in held_out])
        same, touching = same | over, touching | beside
    return fields | {
        "shared_images": float(same.mean()),
        "touching_images": float((touching & ~same).mean()),
    }


def _looks(reads: Sequence[_Read], labels: Sequence[Labels], notes: list[str]) -> list[Look]:
    """Return the kept images whose mask has their size, all of one number of bands."""
    pairs = [(read, one) for read, one in zip(reads, labels, strict=True) if read.photo is not None]
    bands = Counter(len(read.photo) for read, _ in pairs if read.photo is not None)
    usual = bands.most_common(1)[0][0] if bands else 0
    looks = []
    for read, one in pairs:
        if read.photo is None or len(read.photo) != usual:
            continue
        if read.photo.shape[1:] != one.shape:
            rows, cols = read.photo.shape[1:]
            notes.append(
                f"{read.piece.name} is {rows} x {cols} px, its mask {one.shape[0]} x {one.shape[1]}."
            )
            continue
        looks.append(Look(read.photo, one, read.piece.name, read.piece.part))
    if len(pairs) < len(reads):
        notes.append(f"{len(looks)} of {len(reads)} images were compared with their labels.")
    return looks
