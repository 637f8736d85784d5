import cv2
import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.measures.seams import TILES, SeamCounts, Seams, normal_score
from rareseg.records.dataset import VOID


def smooth(rng, shape, sigma):
    field = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma)
    return field / field.std()


def logits(seed, shape=(900, 1000)):
    rng = np.random.default_rng(seed)
    return 2 * smooth(rng, shape, 9) + 0.3 * smooth(rng, shape, 1) - 2


def probabilities(field):
    return (1 / (1 + np.exp(-field)))[None].astype(np.float32)


def broken(field, tile, size, seed=0):
    """Another brightness in each tile."""
    rng = np.random.default_rng(seed)
    result = field.copy()
    for row in range(0, len(field), tile):
        for col in range(0, field.shape[1], tile):
            result[row : row + tile, col : col + tile] += size * rng.normal()
    return result


@pytest.mark.parametrize("tile", [128, 224, 256])
def test_a_break_of_each_tile_is_found_without_labels(tile):
    found = SeamCounts.empty().add(probabilities(broken(logits(1), tile, 1.0))).found()
    assert found.tile == tile
    assert found.ratio is None
    assert found.jump > 2 and found.score > 4


def test_a_tile_that_the_user_names_is_found():
    field = probabilities(broken(logits(2), 208, 1.0))
    assert SeamCounts.empty((208,)).add(field).found().tile == 208
    assert SeamCounts.empty().add(field).found() == Seams()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sigma", [2, 30])
def test_maps_without_tiles_show_no_seams(seed, sigma):
    rng = np.random.default_rng(seed)
    field = 2 * smooth(rng, (600, 700), sigma) - 2
    labels = (field + smooth(rng, field.shape, 3) > 0).astype(np.uint8)
    assert SeamCounts.empty().add(probabilities(field), labels).found() == Seams()
    assert SeamCounts.empty().add((field > 0).astype(np.uint8), labels).found() == Seams()


def test_the_checkerboard_of_a_stride_is_no_seam():
    field = logits(3)
    field[::32] += 1.5
    field[:, ::16] -= 1.0
    assert SeamCounts.empty().add(probabilities(field)).found() == Seams()


def test_errors_near_borders_are_found_where_nothing_jumps():
    field = logits(4, (1100, 1100))
    labels = (field > 0).astype(np.uint8)
    rng = np.random.default_rng(0)
    away = np.minimum(np.arange(1100) % 256, -np.arange(1100) % 256)
    near = np.minimum(away[:, None], away[None]) < 7
    wrong = rng.random(field.shape) < np.where(near, 0.2, 0.05)
    given = np.where(wrong, 1 - labels, labels).astype(np.uint8)
    found = SeamCounts.empty().add(given, labels).found()
    assert found.tile == 256
    assert found.ratio == pytest.approx(3, abs=0.8)


@pytest.mark.parametrize(("tile", "side"), [(48, 144), (48, 192), (64, 128), (96, 288)])
def test_small_tiles_of_small_images_are_found_by_their_errors(tile, side):
    rng = np.random.default_rng(tile)
    at = np.arange(side)
    near = np.minimum(at % tile, tile - 1 - at % tile) < 5
    counts = SeamCounts.empty()
    for seed in range(8):
        labels = (logits(seed, (side, side)) > 0).astype(np.uint8)
        wrong = rng.random(labels.shape) < np.where(near[:, None] | near[None], 0.3, 0.05)
        counts = counts.add(np.where(wrong, 1 - labels, labels).astype(np.uint8), labels)
    assert counts.found().tile == tile
    assert counts.found().ratio > 1.5


def test_the_checkerboard_of_a_stride_in_small_images_is_no_seam():
    counts = SeamCounts.empty()
    for seed in range(8):
        field = logits(seed, (192, 192))
        labels = (field > 0).astype(np.uint8)
        field[::32] += 2
        field[:, ::32] -= 2
        counts = counts.add(probabilities(field), labels)
    assert counts.found() == Seams()


def test_windows_lie_where_they_lie_in_the_image():
    field = probabilities(broken(logits(5), 128, 1.0))
    moved = SeamCounts.empty().add(field[:, 50:, 30:])
    assert moved.found().tile != 128
    placed = SeamCounts.empty().add(field[:, 50:, 30:], top=50, left=30)
    assert placed.found().tile == 128


def test_counts_add_up():
    one, two = probabilities(broken(logits(6), 256, 1.0)), probabilities(logits(7))
    labels = (two[0] > 0.5).astype(np.uint8)
    added = SeamCounts.empty().add(one, labels).add(two)
    merged = SeamCounts.empty().add(one, labels) + SeamCounts.empty().add(two)
    for name in ("jumps", "errors", "near", "all"):
        np.testing.assert_allclose(getattr(added, name), getattr(merged, name))


def test_pixels_without_answer_or_label_count_nowhere():
    field = probabilities(logits(8))
    field[:, :, 300:] = np.nan
    labels = np.full(field.shape[1:], VOID, np.uint8)
    labels[:, :300] = 0
    counts = SeamCounts.empty().add(field, labels)
    assert counts.all[1] == 2 * 300 * 900
    whole = SeamCounts.empty().add(field[:, :, :300], labels[:, :300])
    np.testing.assert_allclose(counts.jumps[TILES.index(512)], whole.jumps[TILES.index(512)])


def test_small_images_have_no_borders():
    assert SeamCounts.empty().add(probabilities(logits(9, (60, 60)))).found() == Seams()
    assert SeamCounts.empty().add(probabilities(logits(9, (3, 3)))).found() == Seams()


def test_normal_score():
    values = np.array([0.5, 1.5, 1.0, 2.0, 0.0])
    score, mean = normal_score(5, values.sum(), (values**2).sum())
    assert mean == 1
    # t = 2.828 with 4 degrees of freedom has one-sided p = 0.0237: 1.98 standard deviations.
    assert score == pytest.approx(1.98, abs=0.02)
    assert normal_score(3, 3, 3) == (0, 0)
    assert normal_score(5, -values.sum(), (values**2).sum())[0] == -score


def test_errors():
    with pytest.raises(SettingError, match="48 px and more, got 32"):
        SeamCounts.empty((32,))
    with pytest.raises(SettingError, match=r"got \(1, 9, 9\) and \(8, 9\)"):
        SeamCounts.empty().add(np.zeros((1, 9, 9), np.float32), np.zeros((8, 9), np.uint8))
    with pytest.raises(SettingError, match="cannot be added"):
        SeamCounts.empty() + SeamCounts.empty((104,))


def test_a_break_too_faint_to_matter_is_no_seam():
    rng = np.random.default_rng(0)
    field = broken(rng.normal(size=(1500, 1500)).astype(np.float32), 64, 0.35)
    counts = SeamCounts.empty().add(probabilities(field))
    score, excess = normal_score(*counts.jumps[TILES.index(64)])
    assert score > 4 and 1.02 < np.exp(excess) < 1.15
    assert counts.found() == Seams()
