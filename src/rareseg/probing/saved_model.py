"""A saved model, asked about labelled images: how it is fed is found out or told, and what does not fit is said.

A file seldom says for which classes it answers and which bands it wants. Where it does not run on the data, images of
zeros with other numbers of bands are tried, so that the error can say what the model takes and gives.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from rareseg.errors import DataError, RaresegError, SettingError
from rareseg.imagery.samples import read_sample
from rareseg.measures.answers import AnswerCounts, answers_evidence
from rareseg.measures.feeding import Feeding, infer_feeding
from rareseg.measures.feeding_trials import Sample
from rareseg.measures.preparations import LAYOUTS, Answerer, Layout, Scale
from rareseg.progress import Progress
from rareseg.records.dataset import VOID, Dataset, Pair
from rareseg.records.evidence import Activation, AnswersEvidence

MOST_IMAGES = 24
"""Images that a model is asked about."""
MOST_SIDE = 1024
_MULTIPLE = 32
"""Networks that halve their input five times take sides of a multiple of this."""
_SAMPLES = 6
_MOST_BANDS = 16
_SIDE = 64


class Fed(NamedTuple):
    """How a model is fed and read, where that is known; None is found out."""

    layout: Layout | None = None
    scale: Scale | None = None
    reversed_bands: bool | None = None
    activation: Activation | None = None


def ask_model(
    model: Answerer, name: str, root: Path, dataset: Dataset, told: Fed, *, progress: Progress
) -> tuple[AnswersEvidence, str]:
    """Ask about images that training did not see, where the data tell which.

    Args:
        model: takes float32 images in its own layout. An attribute `input_shape` (batch, then three axes in its own
            order, None where any size will do) is heeded.
        name: of its file, for errors.
        root: the folder that the pairs' paths are relative to.
        dataset: the labelled images.
        told: how it is fed, as far as that is known.
        progress: shows what is being done.

    Returns:
        What it answers, and a sentence on how it was fed.

    Raises:
        DataError: if the model takes other bands or answers for other classes than the data have.
        SettingError: if it runs in no layout, or not on images of this size, with what it raised.
    """
    held_out = [pair for pair in dataset.pairs if pair.part != "train"] or list(dataset.pairs)
    sides = _fixed_sides(model)
    samples = list(_samples(_evenly(held_out, MOST_IMAGES), root, dataset, sides))
    feeding = _feeding(model, name, samples, dataset, told)
    counts: list[AnswerCounts] = []
    with progress.task("asking the model", len(samples)) as task:
        for sample in samples:
            shares = _answer(model, name, feeding, sample)
            counts.append(
                AnswerCounts.of_probabilities(shares, sample.labels, overlapping=dataset.overlapping)
            )
            task.advance()
    found = answers_evidence(counts, dataset.classes, source="probabilities")
    found = replace(found, source="model", **_fed(feeding))
    return found, f"{feeding.because} Its last layer is read as {_last(feeding)}."


def _fed(feeding: Feeding) -> dict[str, Any]:
    """Return how the model was fed, and what does far better, as fields of the evidence."""
    better = feeding.far_better
    return {
        "fed": str(feeding.way),
        "fed_skill": feeding.used.skill,
        "better_fed": None if better is None else str(better.way),
        "better_fed_skill": None if better is None else better.skill,
    }


def _feeding(model: Answerer, name: str, samples: Sequence[Sample], dataset: Dataset, told: Fed) -> Feeding:
    telling = sorted(samples, key=lambda sample: -_rare_pixels(sample, dataset))[:_SAMPLES]
    try:
        found = infer_feeding(
            model,
            telling,
            classes=len(dataset.classes),
            overlapping=dataset.overlapping,
            layout=told.layout,
            scale=told.scale,
            reversed_bands=told.reversed_bands,
            activation=told.activation,
        )
    except SettingError as error:
        reason = _unfit(model, name, dataset, told.layout)
        if reason is None:
            raise
        raise DataError(reason) from error
    if len(found.channels) not in _channels(dataset):
        raise DataError(_other_classes(name, len(found.channels), dataset))
    return found


def _answer(model: Answerer, name: str, feeding: Feeding, sample: Sample) -> np.ndarray:
    try:
        return np.asarray(feeding.answer(model, sample.image[None])[0], np.float32)
    except RaresegError:
        raise
    except Exception as error:  # the model may be of any framework
        rows, cols = sample.labels.shape
        message = (
            f"{name} runs on small crops, but not on an image of {rows} x {cols} px: {str(error).strip()} Export it "
            "for images of any size, or bring images of the size that it was trained on."
        )
        raise SettingError(message) from error


def _last(feeding: Feeding) -> str:
    softmax = len(feeding.channels) > 1 and not feeding.overlapping
    logits = f"logits, taken through {'softmax' if softmax else 'a sigmoid'}"
    return logits if feeding.activation == "none" else f"{feeding.activation}, already applied"


def _channels(dataset: Dataset) -> tuple[int, ...]:
    """Return how many channels answers for these classes may have."""
    classes = len(dataset.classes)
    return (classes, 1) if classes == 2 and not dataset.overlapping else (classes,)


def _unfit(model: Answerer, name: str, dataset: Dataset, layout: Layout | None) -> str | None:
    """Return what the model takes and gives, where that is not what the data have; None if that is not why."""
    other = [one for one in LAYOUTS if one != layout]
    if layout is not None and _runs_on(model, dataset.bands, other) is not None:
        return (
            f"{name} does not run with the layout {layout}, and does with {other[0]}. Say layout {other[0]}, or leave "
            "it out: it is found out."
        )
    others = [count for count in range(1, _MOST_BANDS + 1) if count != dataset.bands]
    for bands in (dataset.bands, *others):
        shape = _runs_on(model, bands, LAYOUTS if layout is None else (layout,))
        if shape is None:
            continue
        reasons = [] if bands == dataset.bands else [_other_bands(name, bands, dataset)]
        given = _classes_given(shape)
        if given is None:
            reasons.append(_no_maps(name, shape))
        elif given not in _channels(dataset):
            reasons.append(_other_classes(name, given, dataset))
        return " ".join(reasons) or None
    return None


def _runs_on(model: Answerer, bands: int, layouts: Sequence[Layout]) -> tuple[int, ...] | None:
    """Return the shape of the answers for an image of zeros, channels second; None if the model raises."""
    rows, cols = (side or _SIDE for side in _fixed_sides(model))
    for layout in layouts:
        image = np.zeros((1, bands, rows, cols), np.float32)
        try:
            answers = np.asarray(model(image if layout == "nchw" else np.moveaxis(image, 1, 3)))
        except Exception:  # whatever it raises: it does not take this
            continue
        last = answers.ndim == 4 and layout == "nhwc"
        return tuple(answers.shape[axis] for axis in (0, 3, 1, 2)) if last else answers.shape
    return None


def _classes_given(shape: tuple[int, ...]) -> int | None:
    return shape[1] if len(shape) == 4 else 1 if len(shape) == 3 else None


def _other_bands(name: str, bands: int, dataset: Dataset) -> str:
    return (
        f"{name} takes images of {bands} bands, and the photos of the data, such as {dataset.pairs[0].image}, have "
        f"{dataset.bands}. Bring the photos with the bands that it was trained on, or a model that was trained on "
        "these."
    )


def _other_classes(name: str, channels: int, dataset: Dataset) -> str:
    said = f"{channels} channels" if channels > 1 else "one channel, a yes or no,"
    return (
        f"{name} answers with {said} for each pixel, and the data have {len(dataset.classes)} classes: "
        f"{', '.join(dataset.classes)}. Bring a model that was trained on these classes, or describe the data in a "
        "TOML whose classes are those of the model, in the order of its channels."
    )


def _no_maps(name: str, shape: tuple[int, ...]) -> str:
    return (
        f"{name} answers with an array of shape {shape} for one image, which is no map: expected a channel for each "
        "class, with rows and columns. Bring a model that answers for every pixel."
    )


def _fixed_sides(model: Answerer) -> tuple[int | None, int | None]:
    """Return the rows and columns that images must have; None where any will do."""
    shape: tuple[int | None, ...] = getattr(model, "input_shape", ())
    if len(shape) != 4:
        return None, None
    # Of the two ends the smaller one is the bands.
    first = shape[3] is None or (shape[1] is not None and shape[1] <= shape[3])
    return (shape[2], shape[3]) if first else (shape[1], shape[2])


def _samples(
    pairs: Sequence[Pair], root: Path, dataset: Dataset, sides: tuple[int | None, int | None]
) -> Iterator[Sample]:
    """Yield the middle of each image; where it is smaller than the model takes, edges are repeated and void."""
    for pair in pairs:
        sample = read_sample(root, dataset, pair)
        shape = sample.labels.shape
        wanted = [_side(full, fixed) for full, fixed in zip(shape, sides, strict=True)]
        starts = [max(0, (full - part) // 2) for full, part in zip(shape, wanted, strict=True)]
        here = tuple(slice(start, start + part) for start, part in zip(starts, wanted, strict=True))
        photo, labels = sample.photo[:, *here], sample.counted[here]
        missing = [(0, part - got) for part, got in zip(wanted, labels.shape, strict=True)]
        yield Sample(
            np.pad(photo, [(0, 0), *missing], mode="edge"), np.pad(labels, missing, constant_values=VOID)
        )


def _side(full: int, fixed: int | None) -> int:
    return fixed if fixed is not None else min(full, MOST_SIDE) // _MULTIPLE * _MULTIPLE or full


def _rare_pixels(sample: Sample, dataset: Dataset) -> int:
    """Return the pixels that are labelled as something other than the first class."""
    return int(((sample.labels > 0) & (sample.labels < 1 << len(dataset.classes))).sum())


def _evenly(pairs: Sequence[Pair], most: int) -> list[Pair]:
    count = min(len(pairs), most)
    return [pairs[index * len(pairs) // count] for index in range(count)]
