"""Which classes are networks of lines and which are compact objects, by a look at some masks."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from rareseg.imagery.samples import read_sample
from rareseg.imagery.tiles import Window
from rareseg.measures.facts import part_facts
from rareseg.measures.shape_counts import Shape
from rareseg.measures.tally import add, empty, tally
from rareseg.records.audit import Counts
from rareseg.records.dataset import Dataset, Pair
from rareseg.remedies.sampling import blob_like, elongation

MOST_SHARE = 0.3
"""Share up to which a class has a shape: what covers more is the ground that others lie on."""
LOOKED_AT = 12
_SIDE = 2048


def shapes_of(root: Path, dataset: Dataset, pairs: Sequence[Pair]) -> dict[int, Shape]:
    """Return which classes are lines and which objects, by index; common and absent ones are neither.

    Up to 12 masks, evenly chosen, are looked at, of large ones the middle.
    """
    count = min(len(pairs), LOOKED_AT)
    counts = [_counted(root, dataset, pairs[place * len(pairs) // count]) for place in range(count)]
    classes = len(dataset.classes)
    facts = part_facts(
        "all", reduce(add, counts, empty(classes, dataset.bands)), dataset.classes, dataset.overlapping
    )
    return {
        label: "objects" if blob_like(entry) else "lines"
        for label, entry in enumerate(facts.classes)
        if 0 < entry.share <= MOST_SHARE and elongation(entry) is not None
    }


def _counted(root: Path, dataset: Dataset, pair: Pair) -> Counts:
    height, width = min(pair.height, _SIDE), min(pair.width, _SIDE)
    window = Window((pair.height - height) // 2, (pair.width - width) // 2, height, width)
    sample = read_sample(root, dataset, pair, window)
    return tally(
        sample.labels,
        sample.has_photo,
        sample.photo,
        classes=len(dataset.classes),
        overlapping=dataset.overlapping,
        rows=(window.row, pair.height),
    )
