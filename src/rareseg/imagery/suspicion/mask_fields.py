"""What a set of masks holds: raw values, levels, and the labels that these make."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.files import RawMask, read_labels
from rareseg.imagery.suspicion.levels import FEW, ValueTally, greyed, near_edge, nearest_level
from rareseg.imagery.suspicion.looks import VOID, Labels
from rareseg.records.dataset import VOID as FILE_VOID
from rareseg.records.dataset import Dataset

_VOID_VALUE = 255


def mask_fields(
    masks: Sequence[RawMask], names: Sequence[str], dataset: Dataset | None
) -> tuple[dict[str, Any], list[Labels], tuple[str, ...]]:
    """Return fields of a DataEvidence about values and shares, the labels of each mask, and the class names.

    Args:
        masks: as they are stored.
        names: of the files, for messages.
        dataset: says how masks are read; without it, or where it does not fit, each level is a class.
    """
    tally = ValueTally()
    for mask in masks:
        tally.add(mask.values)
    levels = tally.levels() if masks else ()
    fields = _value_fields(masks, tally, levels)
    labels = (
        [read_labels(mask, dataset, name) for mask, name in zip(masks, names, strict=True)] if dataset else []
    )
    known = [one for one in labels if one is not None]
    if dataset is not None and len(known) == len(masks):
        classes = dataset.classes
    else:
        classes, known = _by_levels([mask.values for mask in masks], levels)
    counts = class_counts(known, len(classes))
    total = sum(int(one.size) for one in known)
    fields["shares"] = tuple((counts / max(1, counts.sum())).tolist())
    fields["pixels"] = total
    out = total - int(counts.sum())
    fields["ignored"] = out / max(1, total)
    if out and dataset is not None:
        fields["ignored_value"] = _one_void_value(dataset, tally)
    return fields, known, classes


def _one_void_value(dataset: Dataset, tally: ValueTally) -> int | None:
    """Return the raw value that is not counted, if the masks hold a single one."""
    ranges = [(one.low, one.high) for one in dataset.reading.ranges if one.label == FILE_VOID]
    found = [value for value in tally.pixels if any(low <= value <= high for low, high in ranges)]
    return int(found[0]) if len(found) == 1 else None


def _value_fields(masks: Sequence[RawMask], tally: ValueTally, levels: tuple[float, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "values": tally.listed(),
        "distinct_values": len(tally.pixels),
        "lossy_files": sum(mask.lossy for mask in masks),
        "label_form": "indices",
    }
    coloured = any(mask.coloured for mask in masks)
    if coloured or (masks and all(mask.palette for mask in masks)):
        return fields | {"colours": len(levels) if coloured else len(tally.pixels), "grey_from_colour": False}
    between = tally.between(levels)
    values = (mask.values for mask in masks)
    return fields | {
        "between": between,
        "between_near_edge": near_edge(values, levels, tally.slack(levels)) if between else None,
        "grey_from_colour": len(tally.pixels) <= FEW and greyed(levels),
    }


def _by_levels(
    masks: Sequence[NDArray[Any]], levels: Sequence[float]
) -> tuple[tuple[str, ...], list[Labels]]:
    """Read each level as a class; 255 beside indices is not counted."""
    void = len(levels) > 2 and _VOID_VALUE in levels and sorted(levels)[-2] < 128
    kept = [level for level in levels if not (void and level == _VOID_VALUE)]
    labels = []
    for values in masks:
        found = nearest_level(values, kept)
        if void:
            found[values == _VOID_VALUE] = VOID
        labels.append(found)
    names = ("background", "foreground") if len(kept) == 2 else tuple(f"value {level:g}" for level in kept)
    return names, labels


def class_counts(labels: Sequence[Labels], classes: int) -> NDArray[np.int64]:
    """Return the counted pixels of each class over labels of any sizes."""
    counts = np.zeros(classes, np.int64)
    for one in labels:
        counts += np.bincount(one[one != VOID].ravel(), minlength=classes)[:classes]
    return counts
