"""Colours of classes."""

import numpy as np
import pytest

from rareseg.imagery.colours import overlay, palette


@pytest.mark.parametrize("classes", [2, 3, 13])
def test_every_class_has_a_colour_of_its_own_as_far_as_they_go(classes):
    colours = palette(classes)
    assert set(colours) == {*range(classes), 255}
    assert len(set(colours.values())) == classes + 1
    assert all(0 <= value <= 255 for colour in colours.values() for value in colour)


def test_beyond_twelve_classes_colours_repeat():
    colours = palette(20)
    assert colours[13] == colours[1] != colours[14]


def test_the_first_class_shows_the_photo_and_void_is_white():
    photo = np.arange(12, dtype=np.uint8).reshape(3, 2, 2) * 20
    labels = np.array([[0, 1], [255, 2]], np.uint8)
    found = overlay(photo, labels, 3, overlapping=False)
    assert found.dtype == np.uint8 and found.shape == photo.shape
    np.testing.assert_array_equal(found[:, 0, 0], photo[:, 0, 0])
    np.testing.assert_array_equal(found[:, 1, 0], 255)
    for (row, col), label in (((0, 1), 1), ((1, 1), 2)):
        expected = 0.35 * photo[:, row, col] + 0.65 * np.array(palette(3)[label])
        np.testing.assert_allclose(found[:, row, col], expected, atol=0.51)


def test_overlapping_classes_are_laid_over_one_another():
    photo = np.full((3, 1, 5), 100, np.uint8)
    labels = np.array([[0, 1, 2, 3, 255]], np.uint8)
    found = overlay(photo, labels, 2, overlapping=True).astype(float)
    first, second = (np.array(palette(2)[label]) for label in range(2))

    def laid(under, colour):
        return 0.35 * under + 0.65 * colour

    below = np.full(3, 100.0)
    np.testing.assert_array_equal(found[:, 0, 0], 100)
    np.testing.assert_allclose(found[:, 0, 1], laid(below, first), atol=0.51)
    np.testing.assert_allclose(found[:, 0, 2], laid(below, second), atol=0.51)
    np.testing.assert_allclose(found[:, 0, 3], laid(laid(below, first), second), atol=0.51)
    np.testing.assert_array_equal(found[:, 0, 4], 255)
