"""Zhao et al. 2019 (arXiv 1910.12037), eq. 11 to 16."""

import numpy as np
from tests.references.losses.evidence import evidence

DIAGONAL = 5e-4


def _pooled(plane, pool):
    """Averages of pool x pool squares; what lies beyond the image is 0."""
    rows, cols = -(-plane.shape[0] // pool), -(-plane.shape[1] // pool)
    result = np.zeros((rows, cols))
    for row in range(rows):
        for col in range(cols):
            square = plane[row * pool : (row + 1) * pool, col * pool : (col + 1) * pool]
            result[row, col] = square.sum() / pool**2
    return result


def _samples(plane, radius):
    """Every radius x radius neighbourhood as a column, less the mean column."""
    rows, cols = plane.shape
    columns = [
        plane[row : row + radius, col : col + radius].ravel()
        for row in range(rows - radius + 1)
        for col in range(cols - radius + 1)
    ]
    samples = np.array(columns, np.float64).T
    return samples - samples.mean(axis=1, keepdims=True)


def rmi(logits, labels, *, radius=3, pool=4, **common):
    seen = evidence(logits, labels, **common)
    images = []
    for image, counted in enumerate(seen.counted):
        if not counted.any():
            continue
        total = 0.0
        for number in range(seen.classes):
            truth = _samples(_pooled(seen.truth[image, number] * counted, pool), radius)
            chance = _samples(_pooled(seen.chance[image, number] * counted, pool), radius)
            alpha = DIAGONAL * np.eye(radius**2)
            both = truth @ chance.T
            left = truth @ truth.T - both @ np.linalg.inv(chance @ chance.T + alpha) @ both.T
            sign, volume = np.linalg.slogdet(left + alpha)
            if sign <= 0:
                message = "what is left unknown has no volume"
                raise ArithmeticError(message)
            total += volume / (2 * radius**2)
        images.append(total)
    return float(np.mean(images)) if images else 0.0
