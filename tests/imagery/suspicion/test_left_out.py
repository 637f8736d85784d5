import cv2
import numpy as np
import pytest

from rareseg.imagery.suspicion.left_out import left_out
from rareseg.imagery.suspicion.looks import VOID, Look

SIDE = 160


def looks_of(pictures, labels):
    return [
        Look(one, label, f"image {at}") for at, (one, label) in enumerate(zip(pictures, labels, strict=True))
    ]


@pytest.fixture
def scenes(drawn):
    """Roads as class 1, and spots of another colour."""
    pictures, labels = drawn(16, 80, contrast=3)
    random = np.random.default_rng(3)
    spots = np.zeros(labels.shape, np.bool_)
    for index in range(len(labels)):
        plane = np.zeros(labels.shape[1:], np.uint8)
        for _ in range(3):
            cv2.circle(plane, random.integers(8, 72, 2).tolist(), 6, 1, -1)
        spots[index] = (plane > 0) & (labels[index] == 0)
        pictures[index] += np.array([-3, 0, 3], np.float32)[:, None, None] * spots[index]
    return pictures, labels, spots


def test_a_class_that_is_left_out_looks_like_a_class(scenes):
    pictures, labels, spots = scenes
    found = left_out(looks_of(pictures, np.where(spots, VOID, labels).astype(np.int16)), 2, side=SIDE)
    assert found.fit > 0.5
    assert found.areas > 0.5


def test_spots_that_look_like_anything_do_not(scenes):
    pictures, labels, spots = scenes
    elsewhere = np.roll(spots, 1, axis=0)
    found = left_out(looks_of(pictures, np.where(elsewhere, VOID, labels).astype(np.int16)), 2, side=SIDE)
    assert abs(found.fit) < 0.2


def test_lines_between_classes_lie_beside_a_boundary(scenes):
    pictures, labels, _ = scenes
    square = np.ones((3, 3), np.uint8)
    lines = [
        cv2.dilate(one.astype(np.uint8), square) != cv2.erode(one.astype(np.uint8), square) for one in labels
    ]
    found = left_out(
        looks_of(pictures, np.where(np.stack(lines), VOID, labels).astype(np.int16)), 2, side=SIDE
    )
    assert found is None or found.areas < 0.15


def test_places_without_photo_are_rightly_left_out(scenes):
    pictures, labels, _ = scenes
    pictures[:, :, :40] = pictures.min()
    labels[:, :40] = VOID
    assert left_out(looks_of(pictures, labels), 2, side=SIDE) is None


def test_of_a_few_images_or_pixels_nothing_is_said(scenes):
    pictures, labels, spots = scenes
    out = np.where(spots, VOID, labels).astype(np.int16)
    assert left_out(looks_of(pictures[:4], out[:4]), 2, side=SIDE) is None
    assert left_out(looks_of(pictures, labels), 2, side=SIDE) is None
