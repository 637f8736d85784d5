"""How the last layer, the loss and the targets of a training fit together, right and wrong ones alike."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Activation = Literal["none", "sigmoid", "softmax", "log_softmax"]
TargetForm = Literal["indices", "one_hot", "plane"]


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """One way to wire the end of a network. `loss` names an entry of the framework's table of losses."""

    channels: Literal["one", "all"]
    last: Activation
    loss: str
    targets: TargetForm
    read: Literal["as_is", "sigmoid", "softmax"]
    """What makes probabilities of the outputs."""


RIGHT: dict[tuple[str, str], tuple[Wiring, ...]] = {
    ("torch", "one"): (
        Wiring(channels="one", last="none", loss="bce_logits", targets="plane", read="sigmoid"),
        Wiring(channels="one", last="sigmoid", loss="bce", targets="plane", read="as_is"),
    ),
    ("torch", "all"): (
        Wiring(channels="all", last="none", loss="cross_entropy", targets="indices", read="softmax"),
        Wiring(channels="all", last="log_softmax", loss="nll", targets="indices", read="softmax"),
    ),
    ("keras", "one"): (
        Wiring(channels="one", last="sigmoid", loss="bce", targets="plane", read="as_is"),
        Wiring(channels="one", last="none", loss="bce_logits", targets="plane", read="sigmoid"),
    ),
    ("keras", "all"): (
        Wiring(channels="all", last="none", loss="sparse_logits", targets="indices", read="softmax"),
        Wiring(channels="all", last="softmax", loss="categorical", targets="one_hot", read="as_is"),
    ),
}
"""Healthy wirings by framework and channels.

Keras's sparse crossentropy of probabilities is left out: on PyTorch 2.15 its backward pass raises "grad_input must be
contiguous" for channels-last maps.
"""


def right_wiring(rng: np.random.Generator, framework: str, classes: int) -> Wiring:
    """Draw a healthy wiring; two classes have one channel more often than two."""
    channels = "one" if classes == 2 and rng.random() < 0.7 else "all"
    options = RIGHT[framework, channels]
    return options[int(rng.integers(len(options)))]


def written(labels: NDArray[np.integer], form: TargetForm, classes: int) -> NDArray[np.generic]:
    """Write labels (n, rows, cols) as targets, channels first."""
    if form == "indices":
        return labels.astype(np.int64)
    if form == "plane":
        return labels[:, None].astype(np.float32)
    return np.ascontiguousarray(np.eye(classes, dtype=np.float32)[labels].transpose(0, 3, 1, 2))
