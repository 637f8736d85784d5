"""The particulars that most cases share, drawn from a seed: framework, network, optimizer, scenes and batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from casebook.case import told
from casebook.crops import real_scenes
from casebook.scenes import Labels, Look, Photos, draw_look, draw_scenes

Kind = Literal["unet", "fcn", "plain", "dilated"]
OptimizerName = Literal["sgd", "momentum", "adam", "adamw", "rmsprop", "adadelta"]

GOOD_RATES: dict[str, tuple[float, float]] = {
    "sgd": (0.1, 0.4),
    "momentum": (0.02, 0.08),
    "adam": (2e-3, 8e-3),
    "adamw": (2e-3, 8e-3),
    "rmsprop": (1e-3, 3e-3),
    "adadelta": (0.7, 1.5),
}
"""Learning rates at which these small networks learn."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network's particulars."""

    kind: Kind
    width: int
    batch_norm: bool
    activation: Literal["relu", "leaky_relu", "elu"] = "relu"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class World:
    """Scenes to train on and others to validate on, and how a photo is scaled for the network."""

    look: Look | None
    classes: tuple[str, ...]
    photos: Photos
    labels: Labels
    unseen_photos: Photos
    unseen_labels: Labels
    offset: NDArray[np.float32]
    """(bands,): taken off the grey levels before they are divided by `scale`."""
    scale: NDArray[np.float32]

    def fed(self, photos: NDArray[Any]) -> NDArray[np.float32]:
        """Return photos as the network is fed, (images, bands, rows, cols)."""
        return np.asarray((photos - self.offset[:, None, None]) / self.scale[:, None, None], np.float32)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Return the training pixels of each class."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))[: len(self.classes)]

    @property
    def rare(self) -> int:
        """Return the rarest class that training shows."""
        counts = self.counts
        return int(np.argmin(np.where(counts > 0, counts, counts.max() + 1)))

    @property
    def prevalence(self) -> float:
        """Return the share of the rarest class."""
        return float(self.counts[self.rare] / self.counts.sum())


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that is drawn of a training but its last layer and loss."""

    framework: Literal["torch", "keras"]
    network: Network
    optimizer: OptimizerName
    rate: float
    batch: int
    world: World
    packing: str
    """How batches are handed to the diagnosis."""

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return len(self.world.classes)

    def told(self, **more: object) -> dict[str, str]:
        """Return the particulars as short text."""
        network, world = self.network, self.world
        return told(
            network=f"{network.kind}{network.width}{' bn' if network.batch_norm else ''} {network.activation}",
            optimizer=f"{self.optimizer} {self.rate:.3g}",
            batch=self.batch,
            images=f"{len(world.photos)}x{world.photos.shape[-1]}px",
            classes=self.classes,
            prevalence=world.prevalence,
            packing=self.packing,
            **more,
        )


def choice(rng: np.random.Generator, options: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
    """Draw one of `options`, as the object that it is."""
    shares = None if weights is None else np.array(weights) / np.sum(weights)
    return options[int(rng.choice(len(options), p=shares))]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_world(
    rng: np.random.Generator,
    *,
    classes: int | None = None,
    prevalence: tuple[float, float] = (0.01, 0.2),
    images: int = 16,
    size: int | None = None,
    contrast: tuple[float, float] = (3.0, 6.0),
    decoys: float = 0.0,
    real: bool = False,
) -> World:
    """Draw a world. With `real`, it may be crops of real sets, where their folder is named (see crops.py)."""
    classes = classes or choice(rng, (2, 3, 4, 6, 9, 12), (5, 2, 2, 1, 1, 1))
    size = size or choice(rng, (48, 64, 80, 96), (6, 4, 1, 1))
    unseen = max(6, images // 3)
    scenes = real_scenes(rng, images + unseen, size) if real and classes == 2 and rng.random() < 0.5 else None
    look = None
    if scenes is None:
        share = min(log_uniform(rng, *prevalence), 0.6 / classes)
        look = draw_look(
            rng,
            classes=classes,
            prevalence=share,
            contrast=float(rng.uniform(*contrast)),
            decoys=share * decoys,
        )
        scenes = draw_scenes(rng, look, images + unseen, size)
    photos, labels = scenes
    return scaled_world(rng, look, (photos[:images], labels[:images]), (photos[images:], labels[images:]))


def scaled_world(
    rng: np.random.Generator,
    look: Look | None,
    training: tuple[Photos, Labels],
    unseen: tuple[Photos, Labels],
    names: tuple[str, ...] | None = None,
) -> World:
    """Return a world of these scenes, whose photos are standardised or divided by 255."""
    photos = training[0]
    if rng.random() < 0.6:
        offset, scale = photos.mean((0, 2, 3)), photos.std((0, 2, 3))
    else:
        offset, scale = np.zeros(3), np.full(3, 255.0)
    return World(
        look=look,
        classes=names or (look.classes if look else ("background", "road")),
        photos=photos,
        labels=training[1],
        unseen_photos=unseen[0],
        unseen_labels=unseen[1],
        offset=offset.astype(np.float32),
        scale=scale.astype(np.float32),
    )


def draw_recipe(
    rng: np.random.Generator,
    world: World,
    *,
    framework: Literal["torch", "keras"] | None = None,
    batch_norm: bool | None = None,
    optimizers: Sequence[OptimizerName] = ("momentum", "adam", "adam", "adamw", "rmsprop"),
    kinds: Sequence[Kind] = ("unet", "fcn", "plain", "dilated"),
    width: tuple[int, int] = (4, 16),
    activations: Sequence[str] = ("relu", "relu", "relu", "relu", "leaky_relu", "elu"),
) -> Recipe:
    """Draw everything else at a good learning rate."""
    framework = framework or choice(rng, ("torch", "keras"))
    optimizer = choice(rng, optimizers)
    normalised = rng.random() < 0.35 if batch_norm is None else batch_norm
    network = Network(
        kind=choice(rng, kinds),
        width=round(log_uniform(rng, *width)),
        batch_norm=bool(normalised),
        activation=choice(rng, activations),
        seed=int(rng.integers(1 << 30)),
    )
    packings = ("arrays", "list", "loader") if framework == "torch" else ("arrays", "list", "dataset")
    return Recipe(
        framework=framework,
        network=network,
        optimizer=optimizer,
        rate=log_uniform(rng, *GOOD_RATES[optimizer]),
        batch=choice(rng, (4, 4, 4, 8)),
        world=world,
        packing=choice(rng, packings),
    )
