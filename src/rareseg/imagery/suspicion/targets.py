"""What the targets of a training hold, before anybody reads them as classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.levels import FEW, ValueTally, greyed, near_edge
from rareseg.imagery.suspicion.looks import VOID, Labels
from rareseg.records.evidence import LabelForm

_MOST_PIXELS = 8_000_000
_HOT = 0.5


def target_fields(
    raw: NDArray[Any],
    labels: Labels,
    sides: tuple[int, int],
    classes: int,
    *,
    form: LabelForm = "unknown",
    ignore_index: int | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the fields of a DataEvidence that are about raw targets, and notes.

    Args:
        raw: targets as they came.
        labels: (images, rows * cols) int16, -1 where not counted.
        sides: rows and columns of the images.
        classes: how many there are.
        form: how targets are written, if known.
        ignore_index: raw value that the loss leaves out.
    """
    hot = _channels(raw, labels.size, classes)
    if hot is not None:
        return _hot_fields(hot, labels, form), ()
    if raw.size != labels.size:
        note = f"Raw targets of shape {raw.shape} were not looked at: they fit neither labels nor classes."
        return {"label_form": form, "ignored": float(np.mean(labels == VOID))}, (note,)
    planes = raw.reshape(len(labels), *sides)
    if planes.dtype.kind == "f":
        planes = np.nan_to_num(planes, nan=-1.0)
    kept = planes[: max(1, _MOST_PIXELS // (sides[0] * sides[1]))]
    return _value_fields(kept, classes, form, ignore_index), ()


def _value_fields(
    planes: NDArray[Any], classes: int, form: LabelForm, ignore_index: int | None
) -> dict[str, Any]:
    tally = ValueTally()
    for plane in planes:
        tally.add(plane)
    known = {float(label) for label in range(classes)}
    known |= set() if ignore_index is None else {float(ignore_index)}
    total = max(1, tally.total)
    levels = tally.levels()
    strange = sum(count for value, count in tally.pixels.items() if value not in known)
    background = min(known - {float(ignore_index)} if ignore_index is not None else known, default=0.0)
    left_out = tally.pixels.get(float(ignore_index), 0) if ignore_index is not None else 0
    drawn = total - tally.pixels.get(background, 0)
    # Class indices lie between one another; where classes are the levels, other values between are no classes.
    ends = [level for level in levels if level in known and level != ignore_index] or list(levels)
    reference = levels if strange and set(levels) - known else tuple(ends)
    between = tally.between(reference)
    return {
        "label_form": form if form != "unknown" else _form(tally, classes),
        "values": tally.listed(),
        "distinct_values": len(tally.pixels),
        "out_of_range": strange / total,
        "ignored": left_out / total,
        "ignored_value": ignore_index,
        "ignored_of_rare": left_out / drawn if left_out and drawn else 0.0,
        "between": between,
        "between_near_edge": near_edge(planes, reference, tally.slack(reference)) if between else None,
        "grey_from_colour": bool(set(levels) - known) and len(tally.pixels) <= FEW and greyed(levels),
    }


def _form(tally: ValueTally, classes: int) -> LabelForm:
    if set(tally.pixels) <= {0.0, 1.0} and classes == 2:
        return "binary"
    return "indices" if all(value == int(value) for value in tally.pixels) else "unknown"


def _hot_fields(hot: NDArray[Any], labels: Labels, form: LabelForm) -> dict[str, Any]:
    claims = (hot > _HOT).sum(axis=-1)
    counted = np.ones(claims.shape, np.bool_)
    tally = ValueTally()
    tally.add(hot.reshape(-1, hot.shape[-1])[: _MOST_PIXELS // hot.shape[-1]])
    nothing, several = float(np.mean(claims[counted] == 0)), float(np.mean(claims[counted] > 1))
    found: LabelForm = "one-hot" if several == 0 and nothing < 1 else "multi-hot"
    return {
        "label_form": form if form != "unknown" else found,
        "values": tally.listed(),
        "distinct_values": len(tally.pixels),
        "between": tally.between((0.0, 1.0)) if max(tally.pixels) <= 1 else tally.between((0.0, 255.0)),
        "out_of_range": float(np.mean((hot < 0) | (hot > 1))),
        "ignored": float(np.mean(labels == VOID)),
        "nothing_hot": nothing,
        "several_hot": several,
    }


def _channels(raw: NDArray[Any], pixels: int, classes: int) -> NDArray[Any] | None:
    """Return (pixels, channels) of targets with a channel per class; None of others."""
    if classes < 2 or raw.size != pixels * classes or raw.ndim < 3:
        return None
    if raw.shape[-1] == classes and (raw.shape[1] != classes or _one_hot(raw, -1)):
        return raw.reshape(-1, classes)
    if raw.shape[1] == classes:
        return np.moveaxis(raw, 1, -1).reshape(-1, classes)
    return None


def _one_hot(raw: NDArray[Any], axis: int) -> bool:
    return bool(np.mean((raw > _HOT).sum(axis=axis) == 1) > 0.5)
