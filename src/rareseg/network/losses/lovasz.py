r"""The Lovasz loss: a convex stand-in for 1 - IoU, exact at hard answers.

For one class and one set of pixels it is the Lovasz extension of 1 - IoU at the pixels' errors: the sum, worst
error first, of each error times the fall of IoU when that pixel turns wrong too (`ranked_errors` has the closed
forms). Softmax: the error is 1 - p on pixels of the class and p elsewhere. Hinge, for overlapping classes and for
one channel: max(0, 1 - logit) on pixels of the class and max(0, 1 + logit) elsewhere.

The loss is the mean over classes, and with `per_image` the mean over images of that. Pixels that are not counted
take no part; a set without counted pixels (or, by "present", without classes) costs 0, and counts in the mean.

The value and the gradient come from one pass: softmax, a sort per class, and the softmax's gradient written over
the weights. It holds the probabilities and the gradient, twice the logits, and between forward and backward the
gradient alone; the sort of one class needs up to 20 bytes per pixel beside that, on each thread.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses import ranked_errors, ranked_tensors
from rareseg.network.losses.first_order import first_order
from rareseg.network.losses.targets import Labels, check_shapes, in_full_precision, read
from rareseg.records.dataset import VOID

CLASSES = ("present", "all")
SMALL = 1 << 17
"""Scores below which threads cost more than they save."""


class _Form(NamedTuple):
    """What is asked for."""

    per_image: bool
    absent_too: bool
    bins: int


class _Task(NamedTuple):
    """One class on one set of images."""

    images: slice
    label: int
    share: float
    """Its share of the loss."""


def lovasz(
    logits: Tensor,
    labels: Tensor,
    *,
    per_image: bool = False,
    classes: Literal["present", "all"] = "present",
    bins: int = 0,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Lovasz-softmax, or for overlapping classes and for one channel the Lovasz hinge.

    Softmax leaves out classes that the pixels lack, whose false positives cost through the classes that they are
    taken from, unless `classes` is "all": an absent class then costs its largest probability. The hinge counts
    every class; one that the pixels lack costs its single worst false positive. The loss follows few pixels at
    first, so it serves best after, or added to, cross-entropy.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        per_image: One set of pixels per image, instead of one for the batch.
        classes: Softmax only: "present", the classes that the set of pixels has, or "all".
        bins: 0 for the exact loss. Above 0, errors are told apart by bins of a histogram (softmax: of 0..1,
            hinge: of 0..the largest error): the loss is at most one bin's width below the exact one, never above.
            It spares the sort, which pays on devices where sorts are slow, not on processors.
        overlapping: A pixel may belong to several classes: hinge instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out; None leaves none out.

    Returns:
        Scalar, 0..1 for softmax, >= 0 for the hinge; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if `classes` or `bins` is none of these, or `classes` is "all" where the hinge counts all anyway.

    Reference: Berman et al. 2018, arXiv:1705.08790, algorithm 1, eq. 11 (softmax) and eq. 9 (hinge).
    """
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    found = read(labels, logits.shape[1], overlapping=overlapping, ignore_index=ignore_index, valid=valid)
    _check(classes, bins, hinge=found.yes_or_no)
    form = _Form(per_image, absent_too=found.yes_or_no or classes == "all", bins=bins)
    value: Tensor = _Extension.apply(in_full_precision(logits), found, form)
    return value


def _check(classes: str, bins: int, *, hinge: bool) -> None:
    if classes not in CLASSES:
        message = f'Expected lovasz.classes to be "present" or "all"; received {classes!r}.'
        raise SettingError(message)
    if classes == "all" and hinge:
        message = (
            'lovasz.classes="all" changes nothing for overlapping classes or one channel: the hinge counts every '
            'class, present or not. Leave it at "present".'
        )
        raise SettingError(message)
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 0:
        message = f"Expected lovasz.bins to be a whole number, 0 (exact) or more; received {bins!r}."
        raise SettingError(message)


class _Extension(torch.autograd.Function):
    """The loss, with the gradient found on the way."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Labels, form: _Form) -> Tensor:
        value, gradient = _value_and_gradient(logits.detach(), labels, form)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @first_order
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        alone = slope.device.type == "cpu" and slope.item() == 1  # no pass over the logits for nothing
        return gradient if alone else gradient * slope, None, None


def _value_and_gradient(logits: Tensor, labels: Labels, form: _Form) -> tuple[Tensor, Tensor]:
    scores = logits.contiguous().flatten(2)
    if not labels.yes_or_no:
        scores = scores.softmax(dim=1)
    tasks = _tasks(labels, form) if scores.numel() else []
    # Where every class has its task, none has to find zeros.
    full = form.absent_too or len(tasks) == scores.shape[1] * (len(scores) if form.per_image else 1)
    slopes = torch.empty_like(scores) if full else torch.zeros_like(scores)
    sortable = scores.dtype == torch.float32 and scores[:, 0].numel() < ranked_errors.MOST_PIXELS
    if scores.device.type == "cpu" and sortable and not form.bins:
        value = _on_processor(scores, labels, tasks, slopes)
    else:
        value = _on_any_device(scores, labels, tasks, slopes, form.bins)
    if not labels.yes_or_no:
        _through_softmax(scores, slopes)
    return value, slopes.view(logits.shape)


def _tasks(labels: Labels, form: _Form) -> list[_Task]:
    images = len(labels.values)
    sets = [slice(image, image + 1) for image in range(images)] if form.per_image else [slice(0, images)]
    everything = range(labels.classes)
    if form.absent_too:
        members = [list(everything) for _ in sets]
    else:
        present = labels.present > 0
        held = [present[images].any(dim=0).tolist() for images in sets]
        members = [[label for label in everything if row[label]] for row in held]
    return [
        _Task(images, label, 1 / (len(sets) * len(chosen)))
        for images, chosen in zip(sets, members, strict=True)
        for label in chosen
    ]


class _Planes(NamedTuple):
    """A batch in NumPy, (batch, pixels) or (batch, classes, pixels)."""

    scores: NDArray[np.float32]
    slopes: NDArray[np.float32]
    """Written to."""
    values: NDArray[np.int16]
    left_out: NDArray[np.bool_] | None
    yes_or_no: bool

    def weigh(self, task: _Task, run: ranked_errors.Run = map, pieces: int = 1) -> float:
        """Return what one class adds to the loss, and write its slopes."""
        values = self.values[task.images]
        member = (values >> task.label & 1).astype(bool) if self.yes_or_no else values == task.label
        left_out = None if self.left_out is None else self.left_out[task.images].reshape(-1)
        member = member.reshape(-1)
        if left_out is not None:
            member &= ~left_out
        scores = self.scores[task.images, task.label].reshape(-1)
        plane = self.slopes[task.images, task.label]
        within = plane.flags.c_contiguous
        slopes = plane.reshape(-1) if within else np.empty(plane.size, np.float32)
        slopes.fill(0)
        channel = ranked_errors.Channel(scores, member, left_out, margin=float(self.yes_or_no))
        value = ranked_errors.by_sorting(channel, slopes, run=run, pieces=pieces)
        if task.share != 1 or not within:
            np.multiply(slopes.reshape(plane.shape), np.float32(task.share), out=plane)
        return task.share * value


def _on_processor(scores: Tensor, labels: Labels, tasks: list[_Task], slopes: Tensor) -> Tensor:
    values = labels.values.to(torch.int16).numpy()
    left_out = None if labels.counted is None else (~labels.counted).numpy()
    planes = _Planes(scores.numpy(), slopes.numpy(), values, left_out, labels.yes_or_no)
    with _threads(scores.numel()) as (run, threads):
        if len(tasks) > threads:
            total = sum(run(planes.weigh, tasks))
        else:
            total = sum(planes.weigh(task, run, threads) for task in tasks)
    return scores.new_tensor(total)


@contextmanager
def _threads(size: int) -> Iterator[tuple[ranked_errors.Run, int]]:
    """Yield how to run steps on as many threads as PyTorch has, and how many those are."""
    threads = torch.get_num_threads() if size > SMALL else 1
    if threads == 1:
        yield map, 1
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map, threads


def _on_any_device(scores: Tensor, labels: Labels, tasks: list[_Task], slopes: Tensor, bins: int) -> Tensor:
    total = scores.new_zeros(())
    for task in tasks:
        values = labels.values[task.images]
        member = (values >> task.label & 1).bool() if labels.yes_or_no else values == task.label
        counted = None if labels.counted is None else labels.counted[task.images].flatten()
        member = member.flatten() if counted is None else member.flatten() & counted
        plane = slopes[task.images, task.label]
        pixels = ranked_tensors.Pixels(
            scores[task.images, task.label].flatten(), member, counted, margin=float(labels.yes_or_no)
        )
        value, weights = (
            ranked_tensors.by_histogram(pixels, bins) if bins else ranked_tensors.by_sorting(pixels)
        )
        total += value * task.share
        plane.copy_(weights.view(plane.shape)).mul_(task.share)
    return total


def _through_softmax(chances: Tensor, slopes: Tensor) -> None:
    """Turn slopes by probability into slopes by logit, in place; image by image, in the processor's cache."""
    for mine, chance in zip(slopes, chances, strict=True):
        mean = (mine * chance).sum(dim=0, keepdim=True)
        mine.sub_(mean).mul_(chance)
