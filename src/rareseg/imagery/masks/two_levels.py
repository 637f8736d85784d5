"""Two-level masks blurred by noise: 237 = road, 0 = background, and a few values around them."""

from rareseg.imagery.masks.raw_values import RawValues
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
"""Share of a level's pixels that hold its most frequent value, or no value stands out."""
NOISE_VALUES = 3
"""Least number of values of noise in a level, or between: one or two beside the peak may well be classes."""
MOST_NOISE, MOST_OF_ONE = 0.15, 0.05
"""Shares of a level that all its noise, and one value of it, may hold; more may be a class of its own."""
MOST_NOISE_BY_0, MOST_OF_ONE_BY_0 = 0.05, 0.02
"""The same for values just above 0, which may be class indices beside one value for not counted."""
MOST_OF_BETWEEN = 0.1
"""Share of the pixels between the levels that one value may hold: noise spreads, a class does not."""
MOST_IN_BLOCKS = 0.25
"""Squares of 2 x 2 px of one value per pixel of it: noise was seen to make less than 0.1, areas nearly 1."""
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
    for peak in (low, high):
        doubt = _level_doubt(values, peak)
        if doubt:
            return doubt
    return _between_doubt(values, low, high)


def _level_doubt(values: RawValues, peak: int) -> str:
    """Say why the values around a level's peak may be more than its noise, or nothing."""
    level = _level(values, peak)
    if values.pixels[peak] < LEAST_AT_PEAK * level:
        return f"around {peak} no single value stands out"
    noise = {v: n for v, n in values.pixels.items() if v != peak and abs(v - peak) <= SPREAD}
    if not noise:
        return ""
    shown = ", ".join(str(value) for value in noise)
    if len(noise) < NOISE_VALUES:
        return f"beside {peak} stands {shown} alone, which may be a class rather than noise"
    of_all, of_one = (MOST_NOISE_BY_0, MOST_OF_ONE_BY_0) if peak == 0 else (MOST_NOISE, MOST_OF_ONE)
    if sum(noise.values()) > of_all * level or max(noise.values()) > of_one * level:
        return (
            f"the values {shown} beside {peak} hold {100 * sum(noise.values()) / level:.3g} % of the pixels "
            f"there, one of them {100 * max(noise.values()) / level:.3g} % (up to {100 * of_all:g} % and "
            f"{100 * of_one:g} % are taken for noise)"
        )
    return _block_doubt(values, noise)


def _between_doubt(values: RawValues, low: int, high: int) -> str:
    """Say which value between the levels may be a class, or nothing."""
    between = {v: n for v, n in values.pixels.items() if min(abs(v - low), abs(v - high)) > SPREAD}
    most = _peak(between)
    if between and between[most] > MOST_OF_BETWEEN * sum(between.values()):
        return (
            f"{most} holds {100 * between[most] / sum(between.values()):.3g} % of the pixels away from the "
            f"levels {low} and {high}, so it may be a class (noise spreads over many values)"
        )
    return _block_doubt(values, between)


def _block_doubt(values: RawValues, noise: dict[int, int]) -> str:
    """Say which of the values that may be noise fill areas, as only classes do, or nothing."""
    for value, pixels in noise.items():
        if values.blocks.get(value, 0) > MOST_IN_BLOCKS * pixels:
            return f"{value} fills areas rather than single pixels, as a class does"
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
