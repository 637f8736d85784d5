"""TOML lines that would settle how an undecided set of masks is read: complete, but only a suggestion."""

from collections.abc import Iterable, Sequence

from rareseg.imagery.masks.raw_values import (
    MOST_CLASSES,
    ROWS_SHOWN,
    Bounds,
    RawValues,
    Said,
    compress,
    outside,
    toml_lines,
)
from rareseg.records.dataset import VOID

FEW_LEVELS = 4
"""Up to so many grey values each may be a class; more on both sides of 128 look like two blurred levels."""
HIGHEST_INDEX, FAR_ABOVE = 20, 3
"""Values up to the first look like class indices, and one so many times as high as they are does not."""


def suggest(
    values: RawValues, names: Sequence[str], void: Sequence[Said], taken: Sequence[Bounds]
) -> list[str]:
    """Return TOML lines that name every value once; empty where no TOML can help (too many colours).

    `void` stands in the TOML already and takes the ranges `taken`; `values` are the others.
    """
    if not values.pixels or (values.kind == "rgb" and len(values.pixels) > MOST_CLASSES):
        return []
    if len(values.pixels) == 1:
        return [] if void else _beside_single(values, names)
    few_names = len(names) in (0, len(values.pixels) - 1)
    if values.kind != "rgb" and few_names and is_beside_indices(values.pixels):
        return _indices_and_void(values, names, void)
    if _is_like_two_levels(values, names):
        return toml_lines(_halves(values, names, taken), void)
    return _most_frequent(values, names, void, taken)


def is_beside_indices(present: Iterable[int]) -> bool:
    """Whether the values are small whole numbers and one far above, which may stand for not counted."""
    *indices, last = sorted(present)
    if len(indices) < 2 or indices[0] < 0 or indices[-1] > HIGHEST_INDEX:
        return False
    return last >= FAR_ABOVE * indices[-1] and last != VOID


def _indices_and_void(values: RawValues, names: Sequence[str], void: Sequence[Said]) -> list[str]:
    *indices, last = values.pixels
    called = names or [f"class_{value}" for value in indices]
    said: list[tuple[str, Sequence[Said]]] = [
        (name, [value]) for name, value in zip(called, indices, strict=True)
    ]
    return toml_lines(said, [*void, last])


def _beside_single(values: RawValues, names: Sequence[str]) -> list[str]:
    value = next(iter(values.pixels))
    brightest = 0xFFFFFF if values.kind == "rgb" else 255
    other = 0 if value else brightest
    pair = [compress([one], [one], colours=values.kind == "rgb") for one in sorted((value, other))]
    return toml_lines(list(zip(_two_names(names), pair, strict=True)))


def _two_names(names: Sequence[str]) -> tuple[str, str]:
    return (names[0], names[1]) if len(names) == 2 else ("background", "foreground")


def _is_like_two_levels(values: RawValues, names: Sequence[str]) -> bool:
    count = len(values.pixels)
    if values.kind == "rgb" or len(names) not in (0, 2):
        return False
    low, high = min(values.pixels), max(values.pixels)
    both_sides = low >= 0 and low < 128 <= high <= 255
    return (both_sides and count > (2 if names else FEW_LEVELS)) or (not names and count > MOST_CLASSES)


def _halves(values: RawValues, names: Sequence[str], taken: Sequence[Bounds]) -> list[tuple[str, list[Said]]]:
    low, high = min(values.pixels), max(values.pixels)
    if low >= 0 and high <= 255:
        low, middle, high = 0, 128, 255
    else:
        middle = (low + high + 1) // 2
    halves = (outside((low, middle - 1), taken), outside((middle, high), taken))
    said: list[list[Said]] = [[values.show(*piece) for piece in half] for half in halves]
    return list(zip(_two_names(names), said, strict=True))


def _most_frequent(
    values: RawValues, names: Sequence[str], void: Sequence[Said], taken: Sequence[Bounds]
) -> list[str]:
    """Make classes of the most frequent values, in ascending order, and leave the others out of count."""
    wanted = len(names) or (len(values.pixels) if len(values.pixels) <= ROWS_SHOWN else ROWS_SHOWN)
    ordered = sorted(values.pixels, key=lambda value: (-values.pixels[value], value))
    kept = sorted(ordered[:wanted])
    colours = values.kind == "rgb"
    chosen = [
        (name, compress([value], [value], colours=colours))
        for name, value in zip(names or [f"class_{values.show(value)}" for value in kept], kept, strict=False)
    ]
    others = {*kept, *(low for low, _ in taken)}
    rest = compress(ordered[wanted:], others, colours=colours)
    return toml_lines(chosen, [*void, *rest])
