"""Skeletons: Shit et al. 2021 (arXiv 2003.07311), algorithm 1 and eq. 1 to 3; Kirchhoff et al. 2024."""

import numpy as np
from skimage.morphology import skeletonize
from tests.references.losses.evidence import chosen, evidence

CROSS = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
SQUARE = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1)]


def _around(plane, counted, offsets, choose):
    """Choose among the counted neighbours of each counted pixel."""
    rows, cols = plane.shape
    result = np.zeros_like(plane)
    for row, col in np.argwhere(counted):
        near = [(row + down, col + right) for down, right in offsets]
        known = [
            plane[place] for place in near if 0 <= place[0] < rows and 0 <= place[1] < cols and counted[place]
        ]
        result[row, col] = choose(known)
    return result


def soft_skeleton(plane, counted, iterations):
    def opened(image):
        return _around(_around(image, counted, CROSS, min), counted, SQUARE, max)

    image = np.where(counted, np.asarray(plane, np.float64), 0)
    skeleton = np.maximum(image - opened(image), 0)
    for _ in range(iterations):
        image = _around(image, counted, CROSS, min)
        ridge = np.maximum(image - opened(image), 0)
        skeleton = skeleton + np.maximum(ridge - skeleton * ridge, 0)
    return skeleton


def cldice(logits, labels, *, iterations=10, smoothing=1.0, classes=None, **common):
    seen = evidence(logits, labels, **common)
    losses = []
    for number in chosen(seen, classes, without_background=True):
        on_truth = claimed = found = length = 0.0
        for image, counted in enumerate(seen.counted):
            chance = np.where(counted, seen.chance[image, number], 0)
            truth = seen.truth[image, number].astype(float)
            of_map = soft_skeleton(chance, counted, iterations)
            of_truth = soft_skeleton(truth, counted, iterations)
            on_truth += (of_map * truth).sum()
            claimed += of_map.sum()
            found += (of_truth * chance).sum()
            length += of_truth.sum()
        precision = (on_truth + smoothing) / (claimed + smoothing)
        sensitivity = (found + smoothing) / (length + smoothing)
        losses.append(1 - 2 * precision * sensitivity / (precision + sensitivity))
    return float(np.mean(losses)) if losses and seen.counted.any() else 0.0


def _widened(line):
    """The line and its four neighbours."""
    rows, cols = line.shape
    wide = np.zeros_like(line)
    for row, col in np.argwhere(line):
        for down, right in CROSS:
            if 0 <= row + down < rows and 0 <= col + right < cols:
                wide[row + down, col + right] = True
    return wide


def skeleton_recall(logits, labels, *, radius=2, smoothing=1.0, classes=None, **common):
    """Kirchhoff et al. 2024, eq. 3: soft recall on the thickened skeleton, each class on its own."""
    seen = evidence(logits, labels, **common)
    losses = []
    for number in chosen(seen, classes, without_background=True):
        found = length = 0.0
        for image in range(len(seen.truth)):
            truth = seen.truth[image, number]
            line = skeletonize(truth, method="zhang")
            for _ in range(radius):
                line = _widened(line)
            found += seen.chance[image, number][line & truth].sum()
            length += (line & truth).sum()
        losses.append(1 - (found + smoothing) / (length + smoothing) if length + smoothing else 0.0)
    return float(np.mean(losses)) if losses else 0.0
