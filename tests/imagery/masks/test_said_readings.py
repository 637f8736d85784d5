import re

import numpy as np
import pytest

from rareseg.errors import MaskReadingError
from rareseg.imagery.masks.labels import MaskCounts, apply_reading, count_raw, decide_reading, toml_lines
from rareseg.records import codec
from rareseg.records.dataset import VOID, ClassSpec, DataSpec


def spec_of(*classes, void=(), overlapping=False):
    entries = tuple(ClassSpec(name=name, values=tuple(values)) for name, values in classes)
    return DataSpec(classes=entries, void=void, overlapping=overlapping)


def grey(counts, path="a.png", palette=None):
    return MaskCounts(path, counts, 1, palette)


def bands(number, path="a.tif", counts=None):
    return MaskCounts(path, counts or {}, number, None, tuple(range(10, 10 + number)))


def failure(spec, *masks):
    with pytest.raises(MaskReadingError) as caught:
        decide_reading(masks, spec, "toml")
    return str(caught.value)


# Values


def test_the_user_wins_over_every_rule():
    spec = spec_of(("road", [0]), ("rest", ["1-5", 255]), void=(7,))
    classes, reading = decide_reading([grey({0: 5, 3: 4, 255: 1, 7: 2})], spec, "camvid")
    assert (classes, reading.kind, reading.said_by) == (("road", "rest"), "indices", "user")
    assert [(entry.low, entry.high, entry.label, entry.pixels) for entry in reading.ranges] == [
        (0, 0, 0, 5),
        (1, 5, 1, 4),
        (7, 7, VOID, 2),
        (255, 255, 1, 1),
    ]


def test_values_that_nobody_names_are_listed():
    spec = spec_of(("a", [0]), ("b", [1]))
    message = failure(spec, grey({0: 80, 1: 8, 3: 2}, "a.png"), grey({0: 6, 3: 4, 9: 0}, "b.png"))
    assert "values that no class and no `void` of the TOML names" in message
    assert re.search(r" 3 +6 +6\.000 % +2  b\.png", message)
    assert " 9 " not in message  # named by the file, but on no pixel
    settled = codec.decode_toml(message.split("masks mean.")[1].encode(), DataSpec, "suggestion")
    assert settled == spec_of(("a", [0]), ("b", [1]), void=(3,))


def test_one_value_beside_one_empty_class_is_suggested_for_that_class():
    spec = spec_of(("background", [0]), ("road", [1]))
    message = failure(spec, grey({0: 80, 255: 4}))
    settled = codec.decode_toml(message.split("masks mean.")[1].encode(), DataSpec, "suggestion")
    assert settled == spec_of(("background", [0]), ("road", [255]))


def test_the_suggested_void_keeps_off_named_values_that_do_not_occur():
    spec = spec_of(("a", [0]), ("b", ["5-7"]))
    message = failure(spec, grey({0: 80, 3: 2, 4: 1, 9: 2}))
    settled = codec.decode_toml(message.split("masks mean.")[1].encode(), DataSpec, "suggestion")
    assert settled.void == ("3-4", 9)
    assert decide_reading([grey({0: 80, 3: 2, 4: 1, 9: 2})], settled, "")


def test_named_values_need_not_occur():
    _, reading = decide_reading([grey({0: 9, 1: 1})], spec_of(("a", [0]), ("b", [1]), ("c", [2])), "")
    assert reading.ranges[2].pixels == 0


def test_a_value_named_twice():
    message = failure(spec_of(("a", [0, 3]), ("b", ["1-5"])), grey({0: 1, 3: 1}))
    assert "3 is named under 'b' and again under 'a'" in message
    message = failure(spec_of(("a", [0]), ("b", [1]), void=(1,)), grey({0: 1, 1: 1}))
    assert "1 is named under 'b' and again under void" in message


def test_some_classes_without_values():
    message = failure(spec_of(("a", [0]), ("b", []), ("c", [])), grey({0: 1, 1: 1}))
    assert "Expected `values` in every [[classes]] entry, or in none; missing for b, c" in message


def test_ranges_and_numbers_as_text():
    _, reading = decide_reading([grey({-3: 1, 5: 1})], spec_of(("a", ["-3--1"]), ("b", [" 5 "])), "")
    assert [(entry.low, entry.high) for entry in reading.ranges] == [(-3, -1), (5, 5)]


@pytest.mark.parametrize("value", ["5-1", "0-99999999999", 2**40])
def test_ranges_must_ascend(value):
    assert 'classes.a.values: expected a range "low-high"' in failure(
        spec_of(("a", [value]), ("b", [0])), grey({0: 1})
    )


@pytest.mark.parametrize("value", ["road", "1..5", "", "#ff", "#ff0000"])
def test_grey_masks_take_numbers(value):
    message = failure(spec_of(("a", [value]), ("b", [0])), grey({0: 1}))
    assert 'classes.a.values: expected integers or ranges "1-5": the masks are grey; got' in message


@pytest.mark.parametrize("value", [5, "1-5", "#12", "red"])
def test_colour_masks_take_colours(value):
    message = failure(spec_of(("a", ["#ff0000"]), ("b", [value])), MaskCounts("a", {0xFF0000: 1}, 3, None))
    assert 'classes.b.values: expected colours "#rrggbb": the masks hold colours; got' in message


def test_colours():
    mask = MaskCounts("a", {0xFF0000: 1, 0: 8, 0xFFFF00: 3}, 3, None)
    spec = spec_of(("rest", ["#000000"]), ("road", ["#FF0000"]), void=("#ffff00",))
    _, reading = decide_reading([mask], spec, "")
    assert reading.kind == "rgb"
    assert {entry.low: (entry.label, entry.pixels) for entry in reading.ranges} == {
        0: (0, 8),
        0xFF0000: (1, 1),
        0xFFFF00: (VOID, 3),
    }


def test_colours_of_masks_that_happen_to_be_grey():
    """The set may hold none of the red class; its masks are still colours."""
    mask = MaskCounts("a", {0: 8, 0xFFFFFF: 2}, 3, None)
    spec = spec_of(("rest", ["#000000", "#ffffff"]), ("road", ["#ff0000"]))
    _, reading = decide_reading([mask], spec, "")
    assert reading.kind == "rgb"
    assert apply_reading(np.array([0, 0, 0, 255, 255, 255]).reshape(3, 1, 2) * 0, reading, "").tolist() == [
        [0, 0]
    ]


def test_grey_values_of_masks_in_three_bands():
    mask = MaskCounts("a", {0: 8, 0xFFFFFF: 2}, 3, None)
    _, reading = decide_reading([mask], spec_of(("a", [0]), ("b", [255])), "")
    assert [entry.pixels for entry in reading.ranges] == [8, 2]


def test_palette_by_index_and_by_colour():
    palette = {0: (0, 0, 0), 1: (255, 0, 0), 2: (255, 0, 0)}
    mask = grey({0: 7, 1: 2, 2: 1}, palette=palette)
    for values in ([1, 2], ["#ff0000"], ["1-2"]):
        _, reading = decide_reading([mask], spec_of(("a", [0]), ("b", values)), "")
        assert reading.kind == "palette"
        assert sum(entry.pixels for entry in reading.ranges if entry.label == 1) == 3
    message = failure(spec_of(("a", [0]), ("b", ["#00ff00"])), mask)
    assert (
        'expected palette indices (integers or ranges "1-5") or colours "#rrggbb" of the palette' in message
    )


# Names


def test_names_are_needed_once_each():
    assert "to have a name of its own, got ['a', 'a']" in failure(
        spec_of(("a", [0]), ("a", [1])), grey({0: 1})
    )
    assert "to have a name of its own, got ['a', ' ']" in failure(
        spec_of(("a", [0]), (" ", [1])), grey({0: 1})
    )


def test_one_class_is_too_few():
    assert "Expected two classes or more, got only 'road'" in failure(spec_of(("road", [255])), grey({0: 1}))


def test_more_classes_than_labels():
    many = [(f"c{number}", [number]) for number in range(255)]
    assert "Expected at most 254 classes, got 255" in failure(spec_of(*many), grey({0: 1}))


# Bands


def test_bands_in_order():
    classes, reading = decide_reading(
        [bands(2), bands(2, "b.tif")], spec_of(("road", []), ("water", []), overlapping=True), ""
    )
    assert (classes, reading.kind) == (("road", "water"), "bands")
    assert [(entry.low, entry.label, entry.pixels) for entry in reading.ranges] == [(1, 0, 20), (2, 1, 22)]


def test_bands_by_number():
    spec = spec_of(("road", [3]), ("water", [1]), overlapping=True)
    classes, reading = decide_reading([bands(3)], spec, "")
    raw = np.array([1, 0, 9]).reshape(3, 1, 1)
    assert apply_reading(raw, reading, "").tolist() == [[0b11]]
    assert apply_reading(raw[[0, 2, 1]], reading, "").tolist() == [[0b10]]


def test_bands_without_names():
    classes, reading = decide_reading([bands(3)], spec_of(overlapping=True), "")
    assert classes == ("band_1", "band_2", "band_3")
    assert "in order" in reading.ranges[0].because


def test_one_overlapping_class_is_enough():
    assert decide_reading([bands(1)], spec_of(("road", [1]), overlapping=True), "")[0] == ("road",)


def test_seven_bits():
    assert len(decide_reading([bands(7)], spec_of(overlapping=True), "")[0]) == 7
    assert "Expected at most 7 overlapping classes, got 8" in failure(spec_of(overlapping=True), bands(8))


@pytest.mark.parametrize(
    "values", [[[1], [1]], [[1], [3]], [[0], [1]], [[1, 2], []], [["1"], [2]], [[1], []]]
)
def test_each_class_has_a_band_of_its_own(values):
    spec = spec_of(("a", values[0]), ("b", values[1]), overlapping=True)
    assert "Expected each class to have one mask band of its own, values = [n] with n in 1..2" in failure(
        spec, bands(2)
    )


def test_names_and_bands_must_be_as_many():
    spec = spec_of(("a", []), ("b", []), overlapping=True)
    assert "one mask band of its own" in failure(spec, bands(3))


def test_void_has_no_place_in_bands():
    assert "`void` and overlapping = true cannot go together" in failure(
        spec_of(("a", [1]), void=(255,), overlapping=True), bands(1)
    )


def test_bands_must_be_as_many_in_every_file():
    message = failure(spec_of(overlapping=True), bands(2), bands(3, "b.tif"))
    assert re.search(r"Expected 2 mask bands in every file, as in a\.tif.*\n  b\.tif: 3 bands", message)


def test_interpolated_bands():
    message = failure(spec_of(overlapping=True), bands(2, counts=dict.fromkeys(range(40), 1)))
    assert "look interpolated" in message
    assert "a.tif: 40 values" in message
    assert decide_reading([bands(2, counts={0: 5, 255: 4})], spec_of(overlapping=True), "")


def test_overlapping_needs_masks():
    assert "Expected at least one mask to read" in failure(spec_of(overlapping=True))


# TOML


def test_toml_lines_read_back():
    classes = [("land", [0, "1-5"]), ('say "road"\\ü', ["#ff0000"])]
    text = "\n".join(toml_lines(classes, [255, "7-9"]))
    assert codec.decode_toml(text.encode(), DataSpec, "x") == spec_of(*classes, void=(255, "7-9"))
    assert toml_lines([("a", [1])])[0] == "[[classes]]"


def test_counts_as_said_equal_the_labels_applied():
    raw = np.random.default_rng(8).integers(0, 12, (1, 50, 40)).astype(np.uint8)
    spec = spec_of(("a", ["0-3"]), ("b", [4, 6, 8]), ("c", ["9-11"]), void=(5, 7))
    classes, reading = decide_reading([grey(count_raw(raw, colours=False))], spec, "")
    labels = apply_reading(raw, reading, "")
    for label in (0, 1, 2, VOID):
        told = sum(entry.pixels for entry in reading.ranges if entry.label == label)
        assert told == np.count_nonzero(labels == label)
