"""Pictures of what the rarest class looks like in the training part of a run, for a report's page.

Where it lies is known from the audit, so that no mask is searched; the images are chosen from those that hold most of
it to those that hold least, each of another scene if there are enough.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rareseg.imagery.pictures import marked_png, photo_jpeg
from rareseg.imagery.samples import read_sample
from rareseg.records.audit import Audit
from rareseg.records.dataset import VOID, Dataset, Pair
from rareseg.records.places import BLOCK, ImagePlaces, Places
from rareseg.records.scores import Example
from rareseg.scoring.views import densest

MOST = 6
SIDE = 192
"""px"""


class _Held(NamedTuple):
    pair: Pair
    """As it lies in the data at hand."""
    places: ImagePlaces
    share: float
    """Of the image's labelled pixels, that hold the class."""


def examples(
    audit: Audit, places: Places, dataset: Dataset, root: Path, label: int
) -> tuple[tuple[Example, ...], dict[str, bytes]]:
    """Draw up to 6 places where class number `label` lies: records, and files by name.

    Args:
        audit: of the data that the run was trained on.
        places: of that audit.
        dataset: the data at hand; images are known by content. Those that it lacks cannot be drawn.
        root: folder of the data at hand.
        label: number of the class.

    Raises:
        DataError: if a file cannot be read.
    """
    here = {(pair.image_digest, pair.mask_digest): pair for pair in dataset.pairs}
    drawn: list[Example] = []
    files: dict[str, bytes] = {}
    for number, held in enumerate(_chosen(audit, places, here, label)):
        one, own = _drawn(number, held, dataset, root, label)
        drawn.append(one)
        files |= own
    return tuple(drawn), files


def _chosen(
    audit: Audit, places: Places, here: Mapping[tuple[str, str], Pair], label: int
) -> Sequence[_Held]:
    """Return images from the one with the greatest share of the class on, evenly, one of a scene if that will do."""
    held = []
    for pair in audit.dataset.pairs:
        there, at_hand = places.get(pair.image), here.get((pair.image_digest, pair.mask_digest))
        if pair.part == "train" and there is not None and at_hand is not None and there.total(label):
            share = there.total(label) / max(there.total(len(there.layers) - 1), 1)
            held.append(_Held(at_hand, there, share))
    held.sort(key=lambda one: -one.share)
    first: dict[str, _Held] = {}
    for one in held:
        first.setdefault(one.pair.group, one)
    pool = list(first.values()) if len(first) >= MOST else held
    count = min(MOST, len(pool))
    return [pool[place * (len(pool) - 1) // max(count - 1, 1)] for place in range(count)]


def _drawn(
    number: int, held: _Held, dataset: Dataset, root: Path, label: int
) -> tuple[Example, dict[str, bytes]]:
    pair = held.pair
    size = (min(pair.height, SIDE), min(pair.width, SIDE))
    window = densest(held.places.grid(label).astype(np.float32), pair, size, BLOCK)
    sample = read_sample(root, dataset, pair, window)
    labels = sample.counted
    counted = labels != VOID
    holds = ((labels >> label) & 1 == 1) & counted if dataset.overlapping else labels == label
    photo, truth = f"{number:02d}_example.jpg", f"{number:02d}_example.png"
    record = Example(
        image=pair.image,
        name=dataset.classes[label],
        share=int(holds.sum()) / max(int(counted.sum()), 1),
        top=window.row,
        left=window.col,
        width=window.width,
        height=window.height,
        photo=photo,
        truth=truth,
    )
    return record, {photo: photo_jpeg(sample.photo, sample.has_photo), truth: marked_png(holds, ~counted)}
