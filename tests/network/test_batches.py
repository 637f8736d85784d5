"""Batches: what is drawn, how it is turned and scaled, and that photo and labels stay together."""

from itertools import islice

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from rareseg.network.batches import Batches, standardise
from rareseg.records.dataset import VOID, NoData
from rareseg.records.plan import SamplingChoice
from rareseg.records.run import PhotoStatistics

WHY = {"because": "test", "reference": ""}
AS_STORED = PhotoStatistics(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def placed(height, width):
    """Photo whose bands hold row and column, and the mask that belongs to them: not symmetric in any way."""
    row, col = np.mgrid[:height, :width]
    return np.stack([row, col, row * 0]).astype(np.uint8), label_at(row, col).astype(np.uint8)


def label_at(row, col):
    return (3 * row + 5 * col + row * col) % 7 < 3


def centred(*labels, share=1.0):
    return SamplingChoice(rule="class_centred", share=share, labels=labels, **WHY)


def orientation(image):
    """Return how rows and columns run in a batch's image that holds them as bands 0 and 1."""
    steps = [image[band].diff(dim=axis).flatten()[0].item() for band in (0, 1) for axis in (0, 1)]
    return tuple(int(step) for step in steps)


def test_labels_turn_with_the_photo_in_all_eight_ways(plan, write_store):
    photo, mask = placed(90, 120)
    batches = Batches(write_store([photo], [mask]), plan, AS_STORED, seed=1)
    seen = set()
    for _ in range(40):
        batch = batches.make()
        row, col = batch.images[:, 0].numpy(), batch.images[:, 1].numpy()
        np.testing.assert_array_equal(batch.labels.numpy(), label_at(row, col))
        seen |= {orientation(image) for image in batch.images}
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [("none", {(1, 0, 0, 1)}), ("horizontal", {(1, 0, 0, 1), (1, 0, 0, -1)})],
)
def test_only_the_planned_turns_are_made(plan, write_store, mirror, expected):
    photo, mask = placed(90, 120)
    upright = replace(plan, augmentation=replace(plan.augmentation, mirror=mirror, quarter_turns=False))
    batches = Batches(write_store([photo], [mask]), upright, AS_STORED, seed=1)
    assert {orientation(image) for _ in range(20) for image in batches.make().images} == expected


def test_standardising_is_per_band_and_survives_a_constant_band(rng):
    photo = rng.integers(0, 255, (2, 3, 8, 9)).astype(np.uint8)
    found = standardise(photo, PhotoStatistics(mean=(10.0, 20.0, 30.0), std=(2.0, 0.0, 4.0)))
    assert found.dtype == np.float32
    expected = [(photo[:, 0] - 10.0) / 2, photo[:, 1] - 20.0, (photo[:, 2] - 30.0) / 4]
    np.testing.assert_allclose(found, np.stack(expected, axis=1), rtol=1e-6)


def test_areas_without_photo_hold_the_fill_and_are_void(plan, write_store):
    photo = np.full((3, 128, 128), 200, np.uint8)
    photo[:, :, 64:] = 0
    mask = np.ones((128, 128), np.uint8)
    store = write_store([photo], [mask], nodata=NoData(values=(0,), square=32), fill=(90.0, 91.0, 92.0))
    still = replace(plan, augmentation=replace(plan.augmentation, mirror="none", quarter_turns=False))
    batch = Batches(store, replace(still, crop=replace(plan.crop, size=128)), AS_STORED, seed=0).make()
    assert (batch.labels[:, :, 64:] == VOID).all() and (batch.labels[:, :, :64] == 1).all()
    filled = batch.images[:, :, :, 64:]
    assert all((filled[:, band] == value).all() for band, value in enumerate((90, 91, 92)))


def test_not_a_number_in_a_photo_reaches_no_batch(plan, write_store):
    photo = np.ones((3, 64, 64), np.float32)
    photo[1, :, :20] = np.nan
    store = write_store([photo], [np.zeros((64, 64), np.uint8)], fill=(5.0, 5.0, 5.0))
    batch = Batches(store, replace(plan, crop=replace(plan.crop, size=64)), AS_STORED, seed=0).make()
    assert torch.isfinite(batch.images).all()
    assert (batch.labels == VOID).float().mean() == pytest.approx(20 / 64)


def test_overlapping_labels_are_bit_sets(plan, write_store):
    mask = np.zeros((2, 200, 200), np.uint8)
    mask[0, :, :100] = 255
    mask[1, 80:90, 95:105] = 1
    store = write_store([np.zeros((3, 200, 200), np.uint8)], [mask], overlapping=True)
    both = replace(plan, overlapping=True, sampling=centred(1))
    labels = Batches(store, both, AS_STORED, seed=0).make().labels
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3}
    assert all((crop & 2).any() for crop in labels)


def test_a_seed_gives_the_same_batches_and_the_thread_changes_nothing(plan, squares):
    varied = replace(plan, augmentation=replace(plan.augmentation, brightness=0.2, contrast=0.2))
    made = [Batches(squares, varied, AS_STORED, seed=3).make() for _ in range(2)]
    again = Batches(squares, varied, AS_STORED, seed=3)
    second = Batches(squares, varied, AS_STORED, seed=3)
    assert torch.equal(made[0].images, made[1].images)
    for one, other in zip(islice(iter(again), 3), [second.make() for _ in range(3)], strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
    for different in (Batches(squares, varied, AS_STORED, seed=4), second):
        assert not torch.equal(different.make().images, made[0].images)


@pytest.mark.parametrize("rule", ["uniform", "class_centred", "rare_class", "above_mean", "copy_paste"])
def test_a_stream_taken_up_again_goes_on_with_the_same_batches(plan, squares, rule):
    own = {
        "uniform": {},
        "class_centred": {"share": 0.5, "labels": (1,)},
        "rare_class": {"share": 0.5, "temperature": 0.1, "minimum_pixels": 50},
        "above_mean": {"share": 0.5, "labels": (1,)},
        "copy_paste": {"share": 0.5, "labels": (1,)},
    }[rule]
    chosen = replace(plan, sampling=SamplingChoice(rule=rule, **own, **WHY))
    whole = Batches(squares, chosen, AS_STORED, seed=3)
    through = list(islice(iter(whole), 6))
    early = Batches(squares, chosen, AS_STORED, seed=3)
    list(islice(iter(early), 4))
    late = Batches(squares, chosen, AS_STORED, seed=3, first=4, drawn=early.drawn)
    for one, other in zip(through[4:], islice(iter(late), 2), strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
    assert late.drawn == whole.drawn and whole.drawn.crops == 6 * plan.batch.size


def test_what_is_handed_out_is_counted_and_nothing_else(plan, squares):
    batches = Batches(squares, replace(plan, sampling=centred(1, share=0.5)), AS_STORED, seed=0)
    seen = torch.stack([batch.labels for batch in islice(iter(batches), 5)])
    drawn = batches.drawn
    assert drawn.pixels == ((seen == 0).sum(), (seen == 1).sum())
    assert drawn.labelled == (seen != VOID).sum() and drawn.crops == 5 * plan.batch.size
    holding = [(seen == label).flatten(2).any(dim=2).sum() for label in (0, 1)]
    assert list(drawn.holding) == holding
    assert 4 < drawn.placed < 16
    # Iterating again goes on after the last batch handed out, not after the one made ahead.
    again = Batches(squares, replace(plan, sampling=centred(1, share=0.5)), AS_STORED, seed=0)
    expected = [again.make() for _ in range(6)][5]
    assert torch.equal(next(iter(batches)).labels, expected.labels)


def test_brightness_shifts_bands_and_contrast_scales_images(plan, write_store):
    store = write_store([np.full((3, 64, 64), 100, np.uint8)], [np.zeros((64, 64), np.uint8)])
    scale = PhotoStatistics(mean=(50.0,) * 3, std=(50.0,) * 3)

    def drawn(**changes):
        varied = replace(plan, augmentation=replace(plan.augmentation, **changes))
        batches = Batches(store, varied, scale, seed=0)
        return torch.cat([batches.make().images for _ in range(100)])

    shifted = drawn(brightness=0.3)
    assert (shifted.flatten(2).std(dim=2) < 1e-6).all()  # one value per image and band
    assert (shifted[:, :, 0, 0] - 1).std() == pytest.approx(0.3, rel=0.1)
    scaled = drawn(contrast=0.2)
    torch.testing.assert_close(scaled[:, 0], scaled[:, 2])
    assert (scaled[:, 0, 0, 0] - 1).std() == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize("last", [True, False])
def test_the_memory_layout_is_the_plans(plan, squares, last):
    chosen = replace(plan, precision=replace(plan.precision, channels_last=last))
    images = Batches(squares, chosen, AS_STORED, seed=0).make().images
    assert images.is_contiguous(memory_format=torch.channels_last) == last
