import cv2
import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.measures.boundary import BoundaryCounts, boundary_counts, boundary_width
from rareseg.measures.cores import cut, haloed


def papers_boundary(mask, dilation):
    """As the paper's published code has it: eroded again and again by 3 x 3, the image's edge is outside."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=dilation)
    return mask & ~eroded[1:-1, 1:-1].astype(np.bool_)


def blobs(seed, shape=(90, 110), share=0.5):
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 5)
    return smooth > np.quantile(smooth, 1 - share)


@pytest.mark.parametrize("width", [1, 2, 7, 40, 200])
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_boundary_iou_is_the_papers(width, share):
    given, truth = blobs(0, share=share), blobs(1, share=share)
    guess, real = papers_boundary(given, width), papers_boundary(truth, width)
    counts = boundary_counts(given, truth, None, width)
    assert counts == BoundaryCounts(int(guess.sum()), int(real.sum()), int((guess & real).sum()))
    assert counts.iou == pytest.approx((guess & real).sum() / (guess | real).sum())
    assert counts == boundary_counts(given, truth, np.ones_like(given), width)


def test_iou_follows_from_f1():
    counts = boundary_counts(blobs(0), blobs(2), None, 3)
    assert counts.f1 is not None and counts.iou == pytest.approx(counts.f1 / (2 - counts.f1))
    same = boundary_counts(blobs(0), blobs(0), None, 3)
    assert (same.iou, same.f1) == (1.0, 1.0)


def test_a_wide_boundary_gives_plain_iou():
    given, truth = blobs(3), blobs(4)
    assert boundary_counts(given, truth, None, 110).iou == pytest.approx(
        (given & truth).sum() / (given | truth).sum()
    )


@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize("width", [1, 6])
@pytest.mark.parametrize("side", [13, 40])
def test_windows_with_a_halo_add_up(void, width, side):
    given, truth = blobs(5), blobs(6)
    counted = ~blobs(7, share=0.1) if void else np.ones_like(given)
    total = BoundaryCounts()
    for row in range(0, 90, side):
        for col in range(0, 110, side):
            window = (row, col, min(side, 90 - row), min(side, 110 - col))
            outer, core = haloed(window, given.shape, width)
            total += boundary_counts(cut(given, outer), cut(truth, outer), cut(counted, outer), width, core)
    assert total == boundary_counts(given, truth, counted, width)
    short = haloed((30, 30, 40, 40), given.shape, 0)[0]
    assert boundary_counts(cut(given, short), cut(truth, short), None, width) != boundary_counts(
        given, truth, None, width, (30, 30, 40, 40)
    )


def test_void_neither_is_boundary_nor_makes_any():
    mask = np.ones((30, 30), np.bool_)
    counted = np.ones_like(mask)
    counted[10:13] = False
    rim = boundary_counts(mask, mask, None, 2)
    # Rows 10 to 12 take four boundary pixels each out of the image's rim; no outline runs along them.
    assert boundary_counts(mask, mask, counted, 2).true == rim.true - 12
    without = mask.copy()
    without[10:13] = False
    assert boundary_counts(without, without, counted, 2) == boundary_counts(mask, mask, counted, 2)
    nothing = boundary_counts(mask, mask, ~mask, 2)
    assert nothing == BoundaryCounts() and nothing.iou is None and nothing.f1 is None


def boundary_pixel_by_pixel(mask, counted, width):
    """Written apart, pixel by pixel: a counted pixel of the mask from which one step of at most `width` px, in rows

    and in columns, leads to a counted pixel outside the mask, or out of the image.
    """
    rows, cols = mask.shape
    found = np.zeros_like(mask)
    for row, col in np.argwhere(mask & counted):
        for down in range(-width, width + 1):
            for right in range(-width, width + 1):
                y, x = row + down, col + right
                inside = 0 <= y < rows and 0 <= x < cols
                found[row, col] |= not inside or bool(counted[y, x] and not mask[y, x])
    return found


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_counts_with_void_are_those_of_code_written_apart(seed, width):
    given, truth = blobs(seed, (27, 33)), blobs(seed + 50, (27, 33))
    counted = ~blobs(seed + 100, (27, 33), share=0.05 + 0.1 * seed)
    guess, real = (boundary_pixel_by_pixel(one, counted, width) for one in (given, truth))
    found = boundary_counts(given, truth, counted, width)
    assert (found.given, found.true, found.both) == (guess.sum(), real.sum(), (guess & real).sum())
    assert found.iou == pytest.approx((guess & real).sum() / (guess | real).sum())


def test_absent_class_is_not_measurable_and_a_missed_one_scores_0():
    nothing, square = np.zeros((20, 20), np.bool_), np.zeros((20, 20), np.bool_)
    square[5:9, 5:9] = True
    assert boundary_counts(square, nothing, None, 2).iou is None
    missed = boundary_counts(nothing, square, None, 2)
    assert (missed.iou, missed.f1) == (0.0, 0.0)
    one = boundary_counts(np.ones((1, 1), np.bool_), np.ones((1, 1), np.bool_), None, 1)
    assert one == BoundaryCounts(1, 1, 1)


def test_usual_width():
    assert boundary_width(1500, 1500) == 42
    assert boundary_width(10, 10) == 1
    assert boundary_width(300, 400, share=0.1) == 50
    with pytest.raises(SettingError, match="got 0 x 10 px and 0.02"):
        boundary_width(0, 10)
    with pytest.raises(SettingError, match="got 10 x 10 px and 0"):
        boundary_width(10, 10, share=0)


def test_errors():
    mask = np.zeros((10, 10), np.bool_)
    with pytest.raises(SettingError, match="at least 1 px wide, got 0"):
        boundary_counts(mask, mask, None, 0)
    with pytest.raises(
        SettingError, match=r"Expected given and truth of one shape, got \(10, 10\) and \(9, 10\)"
    ):
        boundary_counts(mask, mask[1:], None, 1)
    with pytest.raises(SettingError, match=r"inside the window of 10 x 10 px, got \(0, 0, 11, 5\)"):
        boundary_counts(mask, mask, None, 1, (0, 0, 11, 5))
