import re

import numpy as np
import pytest

from rareseg.errors import MaskReadingError
from rareseg.imagery.masks.labels import MaskCounts, apply_reading, count_raw, decide_reading
from rareseg.records import codec
from rareseg.records.dataset import VOID, ClassSpec, DataSpec

BLACK, WHITE, RED, BLUE = 0, 0xFFFFFF, 0xFF0000, 0x0000FF


def grey(counts, path="a.png", palette=None):
    return MaskCounts(path, counts, 1, palette)


def rgb(counts, path="a.png"):
    return MaskCounts(path, counts, 3, None)


def named(*names, void=()):
    return DataSpec(classes=tuple(ClassSpec(name=name) for name in names), void=void)


def decide(*masks, spec=None, layout="images + masks"):
    return decide_reading(masks, spec or DataSpec(), layout)


def spans(reading):
    return [(entry.low, entry.high, entry.label) for entry in reading.ranges]


def failure(*masks, spec=None, layout="images + masks"):
    with pytest.raises(MaskReadingError) as caught:
        decide(*masks, spec=spec, layout=layout)
    return str(caught.value)


def suggested(message):
    """The TOML that the message suggests, as a record; it must parse strictly."""
    toml = message.split("they say what your masks mean.", 1)[1]
    return codec.decode_toml(toml.encode(), DataSpec, "suggestion")


# Two values


@pytest.mark.parametrize("high", [1, 2, 38, 128, 237, 255])
def test_zero_and_another_value_are_background_and_foreground(high):
    classes, reading = decide(grey({0: 90, high: 10}))
    assert classes == ("background", "foreground")
    assert spans(reading) == [(0, 0, 0), (high, high, 1)]
    assert [entry.pixels for entry in reading.ranges] == [90, 10]
    assert reading.kind == ("indices" if high == 1 else "two_level")
    assert reading.said_by == "rule"


def test_sixteen_bit_white_is_foreground():
    assert spans(decide(grey({0: 9, 65535: 1}))[1]) == [(0, 0, 0), (65535, 65535, 1)]


def test_the_whole_set_decides():
    """A tile without road, and one that is all road, are read like the others."""
    tiles = [grey({0: 100}, "empty.png"), grey({255: 100}, "full.png"), grey({0: 1}, "tiny.png")]
    _, reading = decide(*tiles)
    assert [entry.pixels for entry in reading.ranges] == [101, 100]


def test_two_values_without_zero_are_not_guessed():
    message = failure(grey({100: 50, 250: 50}, spec_path := "odd.png"), spec=named("a", "b", "c"))
    assert "names 3 classes without values, but the masks hold 2 different values" in message
    assert spec_path in message
    assert suggested(message).classes[1].values == (250,)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_single_value_is_one_class_only(value):
    message = failure(grey({value: 10}), grey({value: 5}, "b.png"))
    assert "the whole set holds a single value that counts" in message
    assert re.search(rf"{value} +15 +100\.000 % +2  a\.png", message)
    assert len(suggested(message).classes) == 2


def test_a_single_colour_is_one_class_only():
    message = failure(rgb({RED: 10}))
    assert [entry.values for entry in suggested(message).classes] == [("#000000",), ("#ff0000",)]


def test_nothing_left_after_void():
    message = failure(grey({255: 10}), spec=DataSpec(void=(255,)))
    assert "no pixel of the whole set counts" in message
    assert "suggestion" not in message


def test_no_masks_at_all():
    assert "Expected at least one mask to read, got none" in failure()


# Class indices


def test_indices_with_void():
    classes, reading = decide(grey({0: 50, 1: 30, 2: 10, 255: 10}))
    assert classes == ("class_0", "class_1", "class_2")
    assert spans(reading) == [(0, 0, 0), (1, 1, 1), (2, 2, 2), (255, 255, VOID)]
    assert "by convention" in reading.ranges[-1].because


def test_rare_class_beside_a_wide_void_stays_a_class():
    classes, reading = decide(grey({0: 930, 1: 10, 255: 60}))
    assert classes == ("background", "foreground")
    assert spans(reading) == [(0, 0, 0), (1, 1, 1), (255, 255, VOID)]


def test_gaps_get_no_class_and_that_is_said():
    classes, reading = decide(grey({0: 5, 1: 4, 3: 1}))
    assert classes == ("class_0", "class_1", "class_3")
    assert spans(reading) == [(0, 0, 0), (1, 1, 1), (3, 3, 2)]
    assert all("never occur" in entry.because for entry in reading.ranges)


def test_indices_that_start_at_one():
    assert decide(grey({1: 5, 2: 4, 3: 1}))[0] == ("class_1", "class_2", "class_3")


def test_thirty_four_indices_are_classes_and_sparse_ones_are_not():
    assert len(decide(grey(dict.fromkeys(range(34), 1)))[0]) == 34
    assert "neither class indices nor two narrow levels" in failure(grey({0: 50, 25: 9, 50: 1}))


def test_negative_values_must_be_named():
    message = failure(grey({-1: 10, 0: 50, 1: 40}))
    assert "values outside 0..255" in message
    assert decide(grey({-1: 10, 0: 50, 1: 40}), spec=DataSpec(void=(-1,)))[0] == ("background", "foreground")


def test_sixteen_bit_levels_must_be_named():
    message = failure(grey({0: 50, 300: 30, 1000: 20}))
    assert [entry.values for entry in suggested(message).classes] == [(0,), (300,), (1000,)]


def test_noise_below_255_and_void_look_alike():
    message = failure(grey({0: 775, 1: 9, 2: 6, 3: 5, 4: 5, 255: 200}))
    assert "may hold class indices 0..4 with 255 for not counted, or two levels 0 and 255" in message
    assert [entry.values for entry in suggested(message).classes] == [("0-127",), ("128-255",)]


# Names without values


def test_names_go_to_the_levels_in_order():
    classes, reading = decide(grey({0: 5, 128: 4, 255: 1}), spec=named("land", "road", "roof"))
    assert classes == ("land", "road", "roof")
    assert spans(reading) == [(0, 0, 0), (128, 128, 1), (255, 255, 2)]


def test_names_for_zero_and_255():
    assert spans(decide(grey({0: 9, 255: 1}), spec=named("land", "road"))[1]) == [(0, 0, 0), (255, 255, 1)]


def test_named_indices_may_be_absent():
    _, reading = decide(grey({0: 9, 2: 1, 255: 3}), spec=named("a", "b", "c", "d"))
    assert spans(reading) == [(0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3), (255, 255, VOID)]
    assert "does not occur" in reading.ranges[1].because
    assert reading.ranges[1].pixels == 0


def test_three_names_and_255_can_mean_two_things():
    message = failure(grey({0: 5, 1: 4, 255: 1}), spec=named("a", "b", "c"))
    assert "255 may also mean not counted, and then a class is absent" in message


def test_more_values_than_names():
    message = failure(grey({0: 50, 1: 30, 2: 15, 3: 5}), spec=named("a", "b", "c"))
    assert "names 3 classes without values, but the masks hold 4 different values" in message
    record = suggested(message)
    assert [entry.values for entry in record.classes] == [(0,), (1,), (2,)]
    assert record.void == (3,)


def test_named_noisy_levels_keep_the_names():
    classes, reading = decide(grey({0: 770, 1: 10, 3: 5, 5: 5, 237: 205}), spec=named("land", "road"))
    assert classes == ("land", "road")
    assert reading.kind == "two_level"


def test_colours_cannot_be_told_by_name():
    message = failure(rgb({BLACK: 5, RED: 4, BLUE: 1}), spec=named("a", "b", "c"))
    assert "which of the 3 colours of the masks means which cannot be told" in message
    assert suggested(message).classes[0].values == ("#000000",)
    assert spans(decide(rgb({BLACK: 5, RED: 4}), spec=named("a", "b"))[1]) == [(0, 0, 0), (RED, RED, 1)]


# Void by the user beside rules


def test_void_is_taken_out_before_the_rules():
    classes, reading = decide(grey({0: 5, 1: 4, 7: 1}), spec=DataSpec(void=(7,)))
    assert classes == ("background", "foreground")
    assert spans(reading) == [(0, 0, 0), (1, 1, 1), (7, 7, VOID)]
    assert reading.ranges[2].because == "said in the TOML"


def test_void_is_cut_out_of_noisy_levels():
    counts = {0: 7900, **dict.fromkeys(range(20, 200), 1), 237: 2000}
    _, reading = decide(grey(counts), spec=DataSpec(void=("100-110",)))
    ends = [(entry.low, entry.high) for entry in reading.ranges]
    assert (100, 110) in ends
    assert all(first[1] < second[0] for first, second in zip(ends, ends[1:], strict=False))
    assert sum(entry.pixels for entry in reading.ranges) == sum(counts.values())


# Two noisy levels


def test_noise_around_zero_is_background():
    """As in a known road set: road 237, and noise of 1..5 on 2.5 % of the pixels."""
    counts = {0: 774, 1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 237: 201}
    classes, reading = decide(grey(counts))
    assert (classes, reading.kind) == (("background", "foreground"), "two_level")
    assert spans(reading) == [(0, 5, 0), (237, 237, 1)]
    assert [entry.pixels for entry in reading.ranges] == [799, 201]
    assert all(entry.because for entry in reading.ranges)


def test_few_values_between_go_to_the_nearer_level_in_rows_of_their_own():
    between = dict.fromkeys(range(10, 228), 1)
    _, reading = decide(grey({0: 15000, 237: 5000, **between}))
    assert spans(reading) == [(0, 8, 0), (9, 127, 0), (128, 228, 1), (229, 255, 1)]
    assert [entry.pixels for entry in reading.ranges] == [15000, 118, 100, 5000]
    assert "middle of the 8-bit scale" in reading.ranges[1].because


def test_levels_on_one_side_of_the_middle_are_cut_halfway():
    _, reading = decide(grey({0: 9000, **dict.fromkeys(range(30, 60), 1), 90: 1000}))
    assert spans(reading) == [(0, 8, 0), (9, 44, 0), (45, 81, 1), (82, 255, 1)]


def test_noise_near_both_ends():
    noise = {0: 9000, 3: 20, 5: 15, 7: 10, 250: 10, 252: 15, 253: 20, 255: 3000}
    assert spans(decide(grey(noise))[1]) == [(0, 7, 0), (250, 255, 1)]


def test_smoothed_masks_are_not_decided():
    """Thin lines blurred by interpolation: the share of road would depend on the cut."""
    counts = {0: 9000, 255: 500, **dict.fromkeys(range(10, 240), 2)}
    message = failure(grey(counts))
    assert "Interpolated, smoothed or JPEG masks look like this" in message
    assert re.search(r" 0 +9,000 +\d", message)
    assert "and 212 more values on 424 pixels" in message
    assert [entry.values for entry in suggested(message).classes] == [("0-127",), ("128-255",)]


def test_few_pixels_between_are_too_many_for_a_rare_class():
    """1.2 % between the levels is little beside 20 % of road, but not beside 2 %."""
    between = dict.fromkeys(range(60, 180), 1)
    assert decide(grey({0: 7900, 250: 2000, **between}))[1].kind == "two_level"
    assert "% of the rarer level's pixels" in failure(grey({0: 9700, 250: 200, **between}))


def test_levels_need_a_peak_and_distance():
    flat = dict.fromkeys(range(0, 8), 1000)
    assert "around 0 no single value stands out" in failure(grey({**flat, 240: 3000}))
    near = {200: 500, 210: 400, 220: 100}
    assert "all values lie less than 64 from the most frequent one, 200" in failure(grey(near))


def test_a_real_blurred_mask_is_an_error_and_the_suggestion_settles_it():
    image = np.zeros((64, 64), np.uint8)
    image[30:33], image[:, 10:12] = 255, 255
    smooth = sum(np.roll(image, shift, axis).astype(int) for axis in (0, 1) for shift in (-1, 0, 1)) // 6
    raw = smooth.astype(np.uint8)[None]
    mask = grey(count_raw(raw, colours=False))
    classes, reading = decide(mask, spec=suggested(failure(mask)))
    assert classes == ("background", "foreground")
    assert np.array_equal(apply_reading(raw, reading, "a"), smooth >= 128)


# Class indices beside a value that may mean not counted

BESIDE = [
    {0: 50, 1: 20, 2: 20, 254: 10},
    {0: 60, 1: 30, 128: 10},
    {0: 50, 1: 20, 2: 10, 3: 5, 4: 5, 100: 10},
    {0: 60, 1: 30, 99: 10},
    {0: 9700, 1: 3, 254: 297},
    {0: 9700, 1: 3, 2: 2, 254: 295},
    {0: 9000, 1: 250, 2: 3, 3: 2, 254: 745},
]


@pytest.mark.parametrize("counts", BESIDE)
@pytest.mark.parametrize("names", [(), ("a", "b")])
def test_an_unknown_value_beside_indices_is_asked_about(counts, names):
    message = failure(grey(counts), spec=named(*names))
    *indices, last = counts
    assert f"class indices with {last} for not counted or for a class, or two levels with noise" in message
    assert "Interpolated" not in message
    assert re.search(rf"^ +{last} +{counts[last]} ", message, re.MULTILINE)
    record = suggested(message)
    if not names or len(indices) == 2:
        assert record.void == (last,)
        assert [entry.values for entry in record.classes] == [(value,) for value in indices]


def test_values_that_fill_areas_are_no_noise():
    """By shares alone 1 to 3 could be noise, but they come in areas, and noise in single pixels."""
    counts = {0: 9000, 1: 80, 2: 40, 3: 20, 237: 860}
    assert decide(grey(counts))[1].kind == "two_level"
    scattered = MaskCounts("a.png", counts, 1, None, blocks={0: 8500, 1: 5, 237: 800})
    assert decide(scattered)[1].kind == "two_level"
    areas = MaskCounts("a.png", counts, 1, None, blocks={0: 8500, 1: 5, 2: 30, 237: 800})
    assert "2 fills areas rather than single pixels, as a class does" in failure(areas)


@pytest.mark.parametrize("middle", [{128: 20}, {60: 10, 128: 10}])
def test_single_values_between_two_levels_are_asked_about(middle):
    message = failure(grey({0: 700, **middle, 255: 280}))
    assert "of the pixels away from the levels 0 and 255, so it may be a class" in message


def test_class_values_near_the_upper_level_are_asked_about():
    message = failure(grey({0: 900, 248: 1, 255: 99}))
    assert "beside 255 stands 248 alone, which may be a class rather than noise" in message
    message = failure(grey({0: 900, 248: 5, 250: 5, 252: 9, 255: 81}))
    assert "the values 248, 250, 252 beside 255 hold 19 % of the pixels there, one of them 9 %" in message


@pytest.mark.parametrize("pair", [(-1, 0), (50, 60)])
def test_two_values_that_do_not_tell_which_is_which(pair):
    message = failure(grey(dict.fromkeys(pair, 5)))
    assert f"The masks hold two values, {pair[0]} and {pair[1]}, and which of them is the backgr" in message
    assert "Interpolated" not in message
    assert [entry.values for entry in suggested(message).classes] == [(value,) for value in pair]


# CamVid


def test_camvid_names_and_void():
    classes, reading = decide(grey(dict.fromkeys(range(12), 10)), layout="camvid")
    assert classes[:4] == ("sky", "building", "pole", "road")
    assert (len(classes), classes[10]) == (11, "bicyclist")
    assert spans(reading) == [*((value, value, value) for value in range(11)), (11, 11, VOID)]
    assert "SegNet's CamVid" in reading.ranges[-1].because


def test_camvid_folders_with_other_masks_are_read_as_usual():
    assert decide(grey({0: 5, 1: 5}), layout="camvid")[0] == ("background", "foreground")
    assert decide(grey(dict.fromkeys(range(12), 1)))[0][11] == "class_11"
    assert decide(grey(dict.fromkeys(range(13), 1)), layout="camvid")[0][0] == "class_0"


# Palettes


def test_the_index_of_a_palette_is_the_class():
    palette = {0: (0, 0, 0), 1: (255, 0, 0), 200: (0, 255, 0), 3: (9, 9, 9)}
    classes, reading = decide(grey({0: 5, 1: 4, 200: 1}, palette=palette))
    assert (classes, reading.kind) == (("#000000", "#ff0000", "#00ff00"), "palette")
    assert spans(reading) == [(0, 0, 0), (1, 1, 1), (200, 200, 2)]
    assert "#ff0000" in reading.ranges[1].because


def test_two_indices_of_a_palette():
    classes, reading = decide(grey({0: 5, 255: 4}, palette={0: (1, 2, 3), 255: (250, 9, 9)}))
    assert classes == ("background", "foreground")
    assert spans(reading) == [(0, 0, 0), (255, 255, 1)]


def test_grey_or_repeated_palette_colours_say_nothing():
    same = {0: (10, 10, 10), 1: (10, 10, 10), 2: (90, 90, 90)}
    assert decide(grey({0: 1, 1: 1, 2: 1}, palette=same))[0] == ("class_0", "class_1", "class_2")


def test_the_border_of_voc_is_void():
    palette = {0: (0, 0, 0), 1: (128, 0, 0), 255: (224, 224, 192)}
    classes, reading = decide(grey({0: 8, 1: 1, 255: 1}, palette=palette))
    assert classes == ("background", "foreground")
    assert "border of Pascal VOC" in reading.ranges[-1].because
    assert "beside 255, Pascal VOC's border, there is one" in failure(grey({0: 8, 255: 1}, palette=palette))


def test_a_grey_ramp_is_no_palette():
    ramp = {value: (value, value, value) for value in range(256)}
    assert decide(grey({0: 500, 1: 2, 2: 1, 4: 1, 237: 300}, palette=ramp))[1].kind == "two_level"


def test_too_many_palette_indices():
    palette = {value: (value, 0, 255 - value) for value in range(256)}
    message = failure(grey(dict.fromkeys(range(100), 5), palette=palette))
    assert "use 100 indices, more than 64 classes without names" in message


def test_palettes_must_agree():
    first = grey({0: 1, 1: 1}, "a.png", {0: (0, 0, 0), 1: (255, 0, 0)})
    second = grey({0: 1, 1: 1}, "b.png", {0: (0, 0, 0), 1: (0, 255, 0)})
    assert re.search(
        r"palette of a\.png.*\n  b\.png: index 1 is #00ff00, not #ff0000", failure(first, second)
    )
    third = grey({0: 1, 255: 1}, "c.png")
    assert "c.png: no palette" in failure(first, third)
    unused = grey({0: 1}, "d.png", {0: (0, 0, 0), 1: (0, 255, 0)})
    assert decide(first, unused)[0] == ("background", "foreground")


# Colours


def test_black_and_white_are_background_and_foreground():
    classes, reading = decide(rgb({BLACK: 9, WHITE: 1}))
    assert classes == ("background", "foreground")
    assert spans(reading) == [(0, 0, 0), (255, 255, 1)]  # three equal bands are one grey band


def test_black_and_a_colour():
    classes, reading = decide(rgb({BLACK: 1, RED: 9}))
    assert (classes, reading.kind) == (("background", "foreground"), "rgb")


def test_colours_come_black_first_then_by_frequency():
    classes, reading = decide(rgb({RED: 2, BLUE: 7, BLACK: 1, WHITE: 5}))
    assert classes == ("#000000", "#0000ff", "#ffffff", "#ff0000")
    assert {entry.low: entry.label for entry in reading.ranges} == {BLACK: 0, BLUE: 1, WHITE: 2, RED: 3}


def test_all_colours_of_a_stepped_palette_are_classes():
    """Steps of 64 put many colours between others; none of them is a blend."""
    steps = (0, 64, 128, 192)
    colours = [red << 16 | green << 8 | blue for red in steps for green in steps for blue in steps]
    counts = {colour: 10 ** (1 + number % 5) for number, colour in enumerate(colours)}
    assert len(decide(rgb(counts))[0]) == 64


def test_voc_border_colour_is_void():
    _, reading = decide(rgb({BLACK: 9, RED: 1, 0xE0E0C0: 1}))
    assert spans(reading)[1] == (0xE0E0C0, 0xE0E0C0, VOID)


def test_blended_colours_are_not_classes():
    blends = {int(255 * step / 8) << 16: 3 for step in range(1, 8)}
    message = failure(rgb({BLACK: 900, RED: 300, BLUE: 50, **blends}))
    assert "7 colours lie between #000000 and #ff0000" in message
    assert decide(rgb({BLACK: 900, RED: 300, BLUE: 50, **blends}), spec=suggested(message))


def test_very_many_colours():
    counts = {value * 65793 + 256 * (value % 7): 1 for value in range(80)}
    message = failure(rgb(counts))
    assert "hold 80 different colours, more than 64 classes" in message
    thousands = {value * 1001: 1 for value in range(1000)}
    assert "[[classes]]" not in failure(rgb(thousands))  # no TOML can settle this


def test_grey_masks_among_grey_colour_masks():
    _, reading = decide(rgb({BLACK: 5, WHITE: 5}, "a.png"), grey({0: 3, 255: 2}, "b.png"))
    assert [entry.pixels for entry in reading.ranges] == [8, 7]


def test_grey_masks_among_colours():
    message = failure(rgb({BLACK: 5, RED: 5}, "a.png"), grey({0: 3, 255: 2}, "b.png"))
    assert re.search(r"some hold colours \(such as a\.png\) and these do not.*\n  b\.png: 1 band", message)


def test_other_numbers_of_bands():
    masks = [MaskCounts("a.tif", {0: 1}, 2, None), MaskCounts("b.tif", {0: 1}, 5, None)]
    message = failure(*masks)
    assert "set overlapping = true" in message
    assert "a.tif: 2 bands" in message
    assert "b.tif: 5 bands" in message


# What cannot be decided


UNDECIDED = {
    "single": ([grey({0: 10})], DataSpec()),
    "single colour": ([rgb({RED: 10})], DataSpec()),
    "smoothed": ([grey({**dict.fromkeys(range(256), 3), 0: 900})], DataSpec()),
    "smoothed, named": ([grey({**dict.fromkeys(range(256), 3), 0: 900})], named("land", "road")),
    "smoothed, two void": (
        [grey({**dict.fromkeys(range(256), 3), 0: 900})],
        DataSpec(void=("120-140", "7-9")),
    ),
    "sparse, void": ([grey({0: 50, 4: 3, 30: 2, 60: 2})], named("a", "b", void=(45, 300))),
    "smoothed, void": (
        [grey({**dict.fromkeys(range(256), 3), 0: 900})],
        named("a", "b", "c", void=("9-11",)),
    ),
    "five steps": ([grey({0: 9, 64: 2, 128: 2, 191: 2, 255: 5})], DataSpec()),
    "dark": ([grey(dict.fromkeys(range(100), 3))], DataSpec()),
    "wide": ([grey({value * 7: 3 for value in range(400)})], DataSpec()),
    "below zero": ([grey({-5: 3, 0: 9, 4: 4})], DataSpec()),
    "more values": ([grey({0: 9, 1: 4, 2: 4, 3: 1})], named("a", 'b "quoted"', "ü")),
    "fewer values": ([grey({0: 9, 200: 4})], named("a", "b", "c")),
    "palette": ([grey(dict.fromkeys(range(80), 2), palette={n: (n, 0, 0) for n in range(80)})], DataSpec()),
    "colours": ([rgb({value * 3001: value + 1 for value in range(90)})], DataSpec()),
    "colours, named": ([rgb({BLACK: 5, RED: 4, BLUE: 1})], named("a", "b")),
}


@pytest.mark.parametrize("case", UNDECIDED)
def test_every_suggestion_is_complete(case):
    """The suggested TOML parses, names every value that occurs, and is then followed as said by the user."""
    masks, spec = UNDECIDED[case]
    record = suggested(failure(*masks, spec=spec))
    classes, reading = decide(*masks, spec=record)
    assert reading.said_by == "user"
    assert len(classes) >= 2
    assert sum(entry.pixels for entry in reading.ranges) == sum(sum(mask.counts.values()) for mask in masks)


def test_the_table_shows_frequent_values_first_and_where_they_are():
    masks = [
        grey({100: 5, 150: 90, 200: 1}, "a.png"),
        grey({100: 50, 150: 1}, "b.png"),
    ]
    rows = re.findall(r"^ +(\d+) +(\d+) +([\d.]+) % +(\d)  (\S+)$", failure(*masks), re.MULTILINE)
    assert rows == [
        ("150", "91", "61.905", "2", "a.png"),
        ("100", "55", "37.415", "2", "b.png"),
        ("200", "1", "0.680", "1", "a.png"),
    ]


def test_the_table_ends_after_twenty_rows():
    message = failure(grey(dict.fromkeys(range(256), 3)))
    assert len(re.findall(r"^ +\d+ +3 +", message, re.MULTILINE)) == 20
    assert "and 236 more values on 708 pixels" in message
