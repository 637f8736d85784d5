"""Scores of images by how much of a class they hold: maps may serve where roads are dense and fail elsewhere."""

from collections.abc import Sequence

from rareseg.records.scores import ImageScores, ShareScores

MOST_GROUPS = 4
"""Quarters of the images that hold the class."""
LEAST_IMAGES = 2
"""Images of a group."""


def by_share(images: Sequence[ImageScores], label: int) -> tuple[ShareScores, ...]:
    """Return the images that hold class `label` in up to 4 groups of rising share.

    IoU is pooled over the pixels of a group; average precision is the mean over its images. Empty if fewer than 4
    images hold the class.
    """
    holding = sorted(
        (one for one in images if one.pixels[label] and one.counted), key=lambda one: _share(one, label)
    )
    groups = min(MOST_GROUPS, len(holding) // LEAST_IMAGES)
    if groups < 2:
        return ()
    cuts = [len(holding) * place // groups for place in range(groups + 1)]
    return tuple(_group(holding[start:stop], label) for start, stop in zip(cuts, cuts[1:], strict=False))


def _group(images: Sequence[ImageScores], label: int) -> ShareScores:
    hits = sum(_hits(one, label) for one in images)
    union = sum(one.pixels[label] + one.given[label] for one in images) - hits
    ranked = [value for one in images if (value := one.average_precision[label]) is not None]
    return ShareScores(
        low=_share(images[0], label),
        high=_share(images[-1], label),
        images=len(images),
        iou=hits / union if union else None,
        average_precision=sum(ranked) / len(ranked) if ranked else None,
    )


def _share(image: ImageScores, label: int) -> float:
    return image.pixels[label] / image.counted


def _hits(image: ImageScores, label: int) -> float:
    """Return the pixels that are right: with t true, g given and IoU u, h = u (t + g) / (1 + u)."""
    iou = image.iou[label] or 0.0
    return iou * (image.pixels[label] + image.given[label]) / (1 + iou)
