"""Which images tell most: the best, the middle and the worst of a class, and where it is invented."""

from collections.abc import Sequence
from typing import NamedTuple

from rareseg.records.scores import ImageScores


class Choice(NamedTuple):
    """One image, by its place in the list, and why."""

    place: int
    why: str
    label: int


def rarest(pixels: Sequence[int]) -> int:
    """Return the class with the fewest pixels that has any; of equals the last."""
    present = [label for label, count in enumerate(pixels) if count]
    return min(reversed(present), key=lambda label: pixels[label]) if present else len(pixels) - 1


def telling(images: Sequence[ImageScores], label: int, *, least_share: float = 0.1) -> list[Choice]:
    """Return up to 6 images by IoU of class `label`: 2 worst, 1 median, 2 best, and the one with most inventions.

    Images that hold less than `least_share` of the mean number of the class's pixels decide nothing: their IoU is luck.
    """
    holding = [place for place, one in enumerate(images) if one.pixels[label]]
    mean = sum(images[place].pixels[label] for place in holding) / max(len(holding), 1)
    ranked = sorted(
        (place for place in holding if images[place].pixels[label] >= least_share * mean),
        key=lambda place: images[place].iou[label] or 0.0,
    )
    count = len(ranked)
    chosen: dict[int, str] = {}
    for place, why in (
        [(place, "worst") for place in ranked[: max(1, min(2, count // 2))]]
        + [(place, "median") for place in ranked[count // 2 : count // 2 + 1]]
        + [(place, "best") for place in ranked[::-1][: 2 if count > 4 else 1]]
    ):
        chosen.setdefault(place, why)
    lacking = [place for place, one in enumerate(images) if not one.pixels[label] and one.given[label]]
    if lacking:
        most = max(lacking, key=lambda place: images[place].given[label])
        chosen[most] = "invented where there is none"
    return [Choice(place, why, label) for place, why in chosen.items()]
