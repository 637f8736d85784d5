"""Two-level masks blurred by noise: 237 = road, 0 = background, and a few values around them."""

from rareseg.imagery.raw_values import RawValues
from rareseg.records.dataset import ValueRange

SPREAD = 8
"""Half-width of a level, in grey values: 1/32 of the 8-bit scale."""
FAR_APART = 64
"""Least distance of the two levels, in grey values: a quarter of the 8-bit scale."""
MOST_BETWEEN = 0.03
"""Share of all pixels that may lie between the levels."""
MOST_BETWEEN_OF_RARER = 0.125
"""The same as share of the rarer level: beyond, the rarer class would depend on where the cut lies."""
LEAST_AT_PEAK = 0.5
"""Share of a level's pixels that hold its most frequent value."""
MIDDLE = 128


def noisy_two_levels(values: RawValues) -> tuple[ValueRange, ...] | str:
    """Find two narrow levels far apart in 8-bit values; the lower gets label 0, the upper label 1.

    Values between the levels are allowed on few pixels only. They go to the nearer level, by the middle of
    the 8-bit scale where the levels lie on both sides of it, and stand in rows of their own.

    Returns:
        The ranges, or a sentence that says why the values are not two narrow levels.
    """
    present = values.pixels
    if min(present) < 0 or max(present) > 255:
        return "values outside 0..255 are not searched for two levels"
    first = _peak(present)
    second = _peak({value: n for value, n in present.items() if abs(value - first) >= FAR_APART})
    if second < 0:
        return f"all values lie less than {FAR_APART} from the most frequent one, {first}"
    low, high = sorted((first, second))
    why_not = _why_not(values, low, high)
    return why_not or _ranges(values, low, high)


def _peak(pixels: dict[int, int]) -> int:
    return max(pixels, key=lambda value: pixels[value], default=-1)


def _level(values: RawValues, peak: int) -> int:
    return values.within(peak - SPREAD, peak + SPREAD)


def _why_not(values: RawValues, low: int, high: int) -> str:
    total = sum(values.pixels.values())
    levels = [_level(values, peak) for peak in (low, high)]
    between = total - sum(levels)
    if between > MOST_BETWEEN * total or between > MOST_BETWEEN_OF_RARER * min(levels):
        return (
            f"{100 * between / total:.2f} % of the pixels lie away from the levels {low} and {high}, "
            f"{100 * between / min(levels):.0f} % of the rarer level's pixels (up to "
            f"{100 * MOST_BETWEEN:g} % and {100 * MOST_BETWEEN_OF_RARER:g} % are taken for noise)"
        )
    for peak, level in zip((low, high), levels, strict=True):
        if values.pixels[peak] < LEAST_AT_PEAK * level:
            return f"around {peak} no single value stands out"
    return ""


def _ranges(values: RawValues, low: int, high: int) -> tuple[ValueRange, ...]:
    present = values.pixels
    total = sum(present.values())
    between = total - _level(values, low) - _level(values, high)
    if not between:
        below = [value for value in present if value <= low + SPREAD]
        above = [value for value in present if value >= high - SPREAD]
        return (
            _level_range(values, (min(below), max(below), low), 0),
            _level_range(values, (min(above), max(above), high), 1),
        )
    straddling = low < MIDDLE <= high
    cut = MIDDLE if straddling else (low + high + 1) // 2
    middle = "the middle of the 8-bit scale" if straddling else f"halfway between {low} and {high}"
    share = f"noise: {100 * between / total:.2f} % of all pixels lie between the levels {low} and {high}"
    lower, upper = (low + SPREAD + 1, cut - 1), (cut, high - SPREAD - 1)
    return (
        _level_range(values, (0, low + SPREAD, low), 0),
        values.read_as(0, lower, f"{share}; this part lies below {cut}, {middle}"),
        values.read_as(1, upper, f"{share}; this part lies from {cut}, {middle}, up"),
        _level_range(values, (high - SPREAD, 255, high), 1),
    )


def _level_range(values: RawValues, bounds: tuple[int, int, int], label: int) -> ValueRange:
    start, end, peak = bounds
    pixels = values.within(start, end)
    which, share = ("upper" if label else "lower"), 100 * values.pixels[peak] / pixels
    because = f"{which} of two narrow levels far apart; {peak} on {share:.1f} % of these pixels"
    return values.read_as(label, (start, end), because)
