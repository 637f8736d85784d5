"""A model under study that is a function, and losses of PyTorch asked about NumPy answers."""

from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn import functional as F

from rareseg.probing.subject import VOID_LABEL, Batch, ProbeError, Setup, Step


def batch(labels, several=None):
    """A batch from labels (images, pixels)."""
    labels = np.asarray(labels, np.int16)
    pictures = np.zeros((len(labels), 1, 1, labels.shape[1]), np.float32)
    return Batch(pictures, labels, None, labels, several, labels, pictures)


def rare_batch(images=4, pixels=400, share=0.05, classes=2, seed=0):
    """Labels in which class 1 has `share`, and of more classes the last is rarest."""
    random = np.random.default_rng(seed)
    chances = [1 - share, share] if classes == 2 else [0.63, 0.25, 0.12][:classes]
    labels = random.choice(classes, size=(images, pixels), p=chances)
    labels[:, 0] = classes - 1
    labels[:, 1] = 0
    return batch(labels)


class FakeSubject:
    """Answers what it is told to, with a loss on torch tensors."""

    def __init__(self, loss: Callable, answers: Callable, classes=("background", "road"), **given) -> None:
        self._loss, self._answers = loss, answers
        settings = {
            "framework": "torch",
            "loss_name": "a loss",
            "optimizer_name": "SGD",
            "learning_rate": 0.1,
            "parameters": 10,
            "trainable_parameters": 10,
            "classes": classes,
            "label_form": "indices",
            "ignore_index": None,
            "declared_weights": None,
            "weighted_by": None,
            "normalised": False,
            "precision": "fp32",
            "upsampling": (),
            "versions": {},
            "trainable": True,
        }
        self.setup = Setup(**settings | given)

    def answers(self, given, *, training=False):
        return self._answers(given)

    def loss(self, given, answers):
        return self.loss_of_labels(given, given.labels, answers)

    def loss_of_labels(self, given, labels, answers):
        try:
            found = self._loss(torch.from_numpy(answers.copy()), torch.from_numpy(labels.astype(np.int64)))
        except (RuntimeError, ValueError) as error:
            raise ProbeError(str(error)) from error
        return float(found)

    def units(self, batches):
        return []

    def renew(self):
        return False

    def scale_rate(self, factor):
        pass

    def step(self, given):
        return Step(self.loss(given, self.answers(given)), (1e-3,), True)

    @contextmanager
    def kept(self):
        yield

    def training_batches(self, most):
        return [rare_batch(seed=seed) for seed in range(3)][:most]

    def validation_batches(self, most):
        return []


def constant(level, channels):
    """A model that answers the same everywhere."""
    return lambda given: np.full((given.labels.shape[0], channels, given.labels.shape[1]), level, np.float32)


def noise(channels, size=1.0):
    """A model that answers noise."""
    random = np.random.default_rng(0)
    return lambda given: (
        random.normal(size=(given.labels.shape[0], channels, given.labels.shape[1])).astype(np.float32)
        * np.float32(size)
    )


def softmax_cross_entropy(logits, labels, **given):
    return F.cross_entropy(logits, labels, ignore_index=VOID_LABEL, **given)


def probability_cross_entropy(chances, labels):
    return F.nll_loss(chances.clamp(1e-7, 1).log(), labels, ignore_index=VOID_LABEL)


def log_probability(logs, labels):
    return F.nll_loss(logs, labels, ignore_index=VOID_LABEL)


def sigmoid_cross_entropy(logits, labels, **given):
    hot = (
        F.one_hot(labels, logits.shape[1]).movedim(-1, 1).float()
        if logits.shape[1] > 1
        else labels[:, None].float()
    )
    return F.binary_cross_entropy_with_logits(logits, hot, **given)


def probability_binary(chances, labels):
    hot = (
        F.one_hot(labels, chances.shape[1]).movedim(-1, 1).float()
        if chances.shape[1] > 1
        else labels[:, None].float()
    )
    return F.binary_cross_entropy(chances.clamp(0, 1), hot)


def strict_binary(chances, labels):
    return F.binary_cross_entropy(chances, labels[:, None].float())


def focal(logits, labels, gamma=5.0):
    surprise = F.cross_entropy(logits, labels, reduction="none")
    return ((1 - (-surprise).exp()) ** gamma * surprise).mean()


def dice(logits, labels):
    chances = logits.sigmoid()
    truth = labels[:, None].float()
    return 1 - (2 * (chances * truth).sum() + 1e-6) / ((chances + truth).sum() + 1e-6)


def probability_dice(chances, labels):
    truth = labels[:, None].float()
    return 1 - (2 * (chances * truth).sum() + 1) / ((chances + truth).sum() + 1)


def smoothed(logits, labels):
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


def squared(chances, labels):
    return F.mse_loss(chances, labels[:, None].float())
