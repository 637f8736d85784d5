"""Pixels kept from a pass over many images, evenly spread, within a fixed memory."""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.records.dataset import VOID

VALUES = 20_000_000
"""Probabilities, pixels x classes, that a sample holds at most: 80 MB."""


@final
@dataclass(slots=True)
class PixelSample:
    """One of every n counted pixels: its probabilities and its label. The same pixels whenever it is repeated."""

    every: int
    """n, from 1 (all pixels)."""
    _probabilities: list[NDArray[np.float32]] = field(default_factory=list)
    _labels: list[NDArray[np.uint8]] = field(default_factory=list)
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @classmethod
    def of(cls, pixels: int, classes: int, *, values: int = VALUES) -> "PixelSample":
        """Return a sample that holds at most about `values` numbers of `pixels` pixels of `classes` classes."""
        return cls(every=max(-(-pixels * classes // values), 1))

    def add(self, probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        """Take one of every n counted pixels, drawn among them: a fixed step would follow the image's columns.

        Args:
            probabilities: (classes, rows, cols).
            labels: (rows, cols); VOID is not counted.

        Raises:
            SettingError: if the shapes do not fit together.
        """
        if probabilities.shape[1:] != labels.shape:
            message = (
                "Expected probabilities (classes, rows, cols) and labels (rows, cols), got "
                f"{probabilities.shape} and {labels.shape}. Map the photo that belongs to this mask."
            )
            raise SettingError(message)
        counted = np.flatnonzero(labels != VOID)
        starts = np.arange(0, len(counted), self.every)
        places = starts + self._rng.integers(0, self.every, len(starts))
        # Of the last, shorter stretch a pixel is taken as seldom as it is short.
        chosen = counted[places[places < len(counted)]]
        self._probabilities.append(probabilities.reshape(len(probabilities), -1)[:, chosen])
        self._labels.append(labels.reshape(-1)[chosen])

    def pixels(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]] | None:
        """Return copies: probabilities (classes, pixels) and labels (pixels,); None if no pixel was taken."""
        if not any(len(labels) for labels in self._labels):
            return None
        return np.concatenate(self._probabilities, axis=1), np.concatenate(self._labels)
