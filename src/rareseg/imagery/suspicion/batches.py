"""Evidence about data from the batches of a training: arrays in memory."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.empty_crops import empty_batches, labelled_without_photo, rarest
from rareseg.imagery.suspicion.feeding import band_gap, prediction_scale
from rareseg.imagery.suspicion.looks import Floats, Labels, Look, spread
from rareseg.imagery.suspicion.relations import relations_of
from rareseg.imagery.suspicion.sharing import same_images, thumbnail
from rareseg.imagery.suspicion.targets import target_fields
from rareseg.imagery.suspicion.windows_shared import overlapping, sketch
from rareseg.records.evidence import DataEvidence, LabelForm

MOST_IMAGES = 96
"""Images that are compared with their labels; values and shares are of all."""


class Held(NamedTuple):
    """Images and their labels: (images, bands, rows, cols) float32, (images, rows * cols) int16."""

    images: Floats
    labels: Labels


def evidence_of_batches(
    images: Floats,
    labels: Labels,
    raw: NDArray[Any],
    classes: Sequence[str],
    *,
    batch_sizes: Sequence[int] = (),
    label_form: LabelForm = "unknown",
    ignore_index: int | None = None,
    validation: Held | None = None,
    prediction: Floats | None = None,
    quick: bool = False,
) -> tuple[DataEvidence, tuple[str, ...]]:
    """Measure the images and targets that a training is fed.

    Args:
        images: (images, bands, rows, cols) float32, as the network is fed.
        labels: (images, rows * cols) int16, -1 where not counted.
        raw: targets as they came: (images, rows, cols), with an axis of length 1, or with one channel per class
            as second or last axis.
        classes: names, in the order of the labels.
        batch_sizes: images of each batch, in their order; without, batches without the rarest class are not counted.
        label_form: how targets are written, if known.
        ignore_index: raw value that the loss leaves out.
        validation: images and labels that are validated on.
        prediction: images as the network is fed when it maps, (images, bands, rows, cols).
        quick: leaves out shifts, pairs and suspects.

    Returns:
        What was measured, and notes on what could not be.
    """
    counts = _counts(labels, classes)
    shares = tuple((counts / max(1, counts.sum())).tolist())
    rare = rarest(shares)
    size = images.shape[2], images.shape[3]
    fields, notes = target_fields(raw, labels, size, len(classes), form=label_form, ignore_index=ignore_index)
    looks = _looks(images, labels)
    if not quick:
        # Where targets have a channel per class, pixels without a label are those of no class.
        relations = relations_of(looks, len(classes), rare, void_is_left_out="nothing_hot" not in fields)
        fields |= relations.fields
        notes += relations.notes
    if len(looks) < len(images):
        notes += (f"{len(looks)} of {len(images)} images were compared with their labels.",)
    fields |= _between_parts(looks, validation, prediction, classes, quick=quick)
    found = DataEvidence(
        source="batches",
        images=len(images),
        pixels=int(labels.size),
        classes=tuple(classes),
        shares=shares,
        absent_in_training=_absent(counts, classes),
        empty_batches=empty_batches(labels, batch_sizes, rare),
        nodata_labelled=labelled_without_photo((one.picture for one in looks), (one.labels for one in looks)),
        **fields,
    )
    return found, notes


def _looks(images: Floats, labels: Labels) -> list[Look]:
    chosen = spread(len(images), MOST_IMAGES)
    return [
        Look(_finite(images[index]), labels[index].reshape(images.shape[2:]), f"image {index}")
        for index in chosen
    ]


def _finite(pictures: Floats) -> Floats:
    return np.asarray(np.nan_to_num(pictures, nan=0.0, posinf=0.0, neginf=0.0), np.float32)


def _between_parts(
    looks: Sequence[Look],
    validation: Held | None,
    prediction: Floats | None,
    classes: Sequence[str],
    *,
    quick: bool,
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if validation is not None and len(validation.images):
        fields["absent_in_validation"] = _absent(_counts(validation.labels, classes), classes)
        some = validation.images[spread(len(validation.images), MOST_IMAGES)]
        held_out = [_finite(picture) for picture in some]
        known = [thumbnail(look.picture) for look in looks]
        shared = same_images(known, [thumbnail(picture) for picture in held_out])
        if not quick:
            shared |= overlapping([sketch(look.picture) for look in looks], [sketch(one) for one in held_out])
        fields["shared_images"] = float(shared.mean())
    if prediction is not None and len(prediction) and looks:
        fed, training = _finite(prediction), np.stack([look.picture for look in looks])
        fields |= {"band_gap": band_gap(training, fed), "prediction_scale": prediction_scale(training, fed)}
    return fields


def _counts(labels: Labels, classes: Sequence[str]) -> NDArray[np.int64]:
    return np.array([np.count_nonzero(labels == label) for label in range(len(classes))])


def _absent(counts: NDArray[np.int64], classes: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name, count in zip(classes, counts, strict=True) if not count)
