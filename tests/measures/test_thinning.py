"""Sharp skeletons: no pixel to spare, and as many pieces, holes and ends as before."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.measure import label

from rareseg.measures.thinning import middle_line, padded, sharpen


def _sharp(line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    image = padded(line)
    sharpen(image)
    return image[1:-1, 1:-1].view(np.bool_)


def _pieces_and_holes(mask: NDArray[np.bool_]) -> tuple[int, int]:
    outside = np.pad(~mask, 1, constant_values=True)
    return int(label(mask, connectivity=2).max(initial=0)), int(label(outside, connectivity=1).max()) - 1


@pytest.mark.parametrize("seed", range(40))
def test_sharpening_keeps_pieces_and_holes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random((50, 60), np.float32), (0, 0), 0.3 + seed % 4)
    mask = noise > np.quantile(noise, rng.uniform(0.3, 0.8))
    line = middle_line(mask)
    sharp = _sharp(line)
    assert _pieces_and_holes(sharp) == _pieces_and_holes(mask)
    assert not np.any(sharp & ~line)
    np.testing.assert_array_equal(_sharp(sharp), sharp)


def test_steps_lose_their_corners_and_ends_stay() -> None:
    stairs = np.zeros((12, 12), np.bool_)
    for k in range(10):
        stairs[k + 1, k : k + 2] = True
    sharp = _sharp(stairs)
    assert np.count_nonzero(sharp) in (10, 11)
    straight = np.zeros((5, 20), np.bool_)
    straight[2, 3:17] = True
    np.testing.assert_array_equal(_sharp(straight), straight)


def test_a_map_that_is_true_throughout_has_no_middle_line() -> None:
    assert not middle_line(np.ones((40, 40), np.bool_)).any()
    assert not middle_line(np.zeros((0, 4), np.bool_)).any()
