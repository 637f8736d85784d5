"""Small road scenes in memory: noise, with lines of another brightness."""

import cv2
import numpy as np
import pytest


def scenes(count: int, size: int = 64, *, seed: int = 0, contrast: float = 1.0):
    """Return pictures (count, 3, size, size) float32 and labels (count, size, size) int16."""
    random = np.random.default_rng(seed)
    pictures = random.normal(0, 1, (count, 3, size, size)).astype(np.float32)
    labels = np.zeros((count, size, size), np.int16)
    for index, label in enumerate(labels):
        for band in range(3):
            ground = random.normal(0, 4, (size, size)).astype(np.float32)
            pictures[index, band] += 2 * cv2.GaussianBlur(ground, (0, 0), 6)
        ends = random.integers(0, size, (2, 2))
        cv2.line(label, ends[0].tolist(), (size - 1 - ends[1]).tolist(), 1, 5)
        cv2.line(label, (int(ends[0, 1]), 0), (int(ends[1, 0]), size - 1), 1, 4)
        pictures[index] += contrast * np.array([1.5, 1.0, 0.5], np.float32)[:, None, None] * label
    return pictures, labels


@pytest.fixture
def drawn():
    return scenes
