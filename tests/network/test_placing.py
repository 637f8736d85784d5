"""Where crops lie: what each sampling rule promises, from memory and from disk."""

import numpy as np
import pytest
from msgspec.structs import replace

from rareseg.errors import TrainingError
from rareseg.network.placing import CropSampler
from rareseg.records.dataset import VOID
from rareseg.records.plan import SamplingChoice

WHY = {"because": "test", "reference": ""}


def centred(*labels, share=1.0):
    return SamplingChoice(rule="class_centred", share=share, labels=labels, **WHY)


def rare(temperature=0.1, minimum_pixels=1, share=1.0):
    return SamplingChoice(
        rule="rare_class", share=share, temperature=temperature, minimum_pixels=minimum_pixels, **WHY
    )


def above(*labels, share=1.0):
    return SamplingChoice(rule="above_mean", share=share, labels=labels, **WHY)


def pasted(*labels, share=1.0):
    return SamplingChoice(rule="copy_paste", share=share, labels=labels, **WHY)


def draws(store, plan, count, seed=0):
    sampler, rng = CropSampler(store, plan), np.random.default_rng(seed)
    return [sampler.draw(rng) for _ in range(count)]


def numbered(masks):
    """Photos that hold the number of their mask, plus one."""
    return [np.full((3, *mask.shape), number + 1, np.uint8) for number, mask in enumerate(masks)]


def test_a_small_image_is_mirrored_and_its_margin_is_void(plan, write_store):
    photo = np.stack([np.indices((20, 40))[0]] * 3).astype(np.uint8)
    store = write_store([photo], [np.ones((20, 40), np.uint8)])
    (crop, labels, _), *_ = draws(store, plan, 1)
    assert crop.shape == (3, 32, 32) and labels.shape == (32, 32)
    assert (labels[20:] == VOID).all() and (labels[:20] != VOID).all()
    np.testing.assert_array_equal(crop[0, 20:], crop[0, 8:20][::-1])


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_a_crop_centred_on_a_class_holds_it(plan, write_store, size):
    mask = np.zeros((200, 240), np.uint8)
    mask[5, 230] = mask[117, 31] = 1
    store = write_store([np.zeros((3, 200, 240), np.uint8)], [mask])
    chosen = replace(plan, sampling=centred(1), crop=replace(plan.crop, size=size))
    drawn = [crop.labels for crop in draws(store, chosen, 60)]
    assert all((labels == 1).any() for labels in drawn)
    # Both places are drawn, and the class does not always lie in the middle.
    assert len({tuple(np.argwhere(labels == 1)[0]) for labels in drawn}) > 5


def test_the_share_of_centred_crops_is_the_plans(plan, write_store):
    mask = np.zeros((250, 250), np.uint8)
    mask[0, 0] = 1
    store = write_store([np.zeros((3, 250, 250), np.uint8)], [mask])

    def held(sampling):
        return np.mean(
            [(crop.labels == 1).any() for crop in draws(store, replace(plan, sampling=sampling), 400)]
        )

    assert held(plan.sampling) < 0.02
    assert held(centred(1, share=0.5)) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("rule", [centred(1), rare(), above(1), pasted(1)], ids=lambda rule: rule.rule)
def test_a_class_that_the_part_lacks_places_no_crop(plan, write_store, rule):
    mask = np.full((64, 64), VOID if rule.rule == "rare_class" else 0, np.uint8)
    store = write_store([np.zeros((3, 64, 64), np.uint8)], [mask])
    (crop,) = draws(store, replace(plan, sampling=rule), 1)
    assert crop.labels.shape == (32, 32) and not crop.placed


def test_no_crop_is_void_where_anything_is_labelled(plan, write_store):
    mask = np.full((250, 250), VOID, np.uint8)
    mask[240:, 240:] = 1
    store = write_store([np.zeros((3, 250, 250), np.uint8)], [mask])
    assert all((crop.labels != VOID).any() for crop in draws(store, plan, 30))


def test_a_part_without_a_labelled_pixel_still_gives_crops(plan, write_store):
    store = write_store([np.zeros((3, 64, 64), np.uint8)], [np.full((64, 64), VOID, np.uint8)])
    assert (draws(store, plan, 1)[0].labels == VOID).all()


def test_images_are_drawn_by_their_pixels(plan, write_store):
    photos = [np.full((3, side, side), value, np.uint8) for side, value in ((64, 1), (192, 2))]
    store = write_store(photos, [np.zeros(photo.shape[1:], np.uint8) for photo in photos])
    second = np.mean([crop.photo[0, 0, 0] == 2 for crop in draws(store, plan, 400)])
    assert second == pytest.approx(0.9, abs=0.05)


def test_a_part_without_images_is_refused(plan, write_store):
    store = write_store([np.zeros((3, 32, 32), np.uint8)], [np.zeros((32, 32), np.uint8)])
    store.pairs = ()
    with pytest.raises(TrainingError, match="training part holds no image"):
        CropSampler(store, plan)


def test_rare_classes_are_drawn_by_their_rarity_and_images_evenly(plan, write_store):
    masks = [np.zeros((64, 64), np.uint8) for _ in range(4)]
    for mask in masks[:2]:
        mask[:, :32] = 1
    masks[2][:32, :32] = 1
    masks[0][40, 40] = masks[3][10:26, 10:26] = 2
    store = write_store(numbered(masks), masks, classes=3)
    names = ("a", "b", "c")
    three = replace(plan, classes=names, crop=replace(plan.crop, size=64), sampling=rare(temperature=0.3))
    shares = np.array([sum((mask == label).sum() for mask in masks) for label in range(3)]) / (4 * 64 * 64)
    chances = np.exp((1 - shares) / 0.3) / np.exp((1 - shares) / 0.3).sum()
    images = np.array([crop.photo[0, 0, 0] - 1 for crop in draws(store, three, 3000)])
    # Class c lies in images 0 and 3, b in 0 to 2, a in all: each is as likely, however little it holds.
    expected = (
        chances[0] / 4 + np.array([1, 1, 1, 0]) * chances[1] / 3 + np.array([1, 0, 0, 1]) * chances[2] / 2
    )
    np.testing.assert_allclose(np.bincount(images, minlength=4) / 3000, expected, atol=0.04)


def test_crops_around_a_rare_class_hold_enough_of_it(plan, write_store):
    mask = np.zeros((256, 256), np.uint8)
    mask[0:4, 0:4] = 1
    mask[100:140, 100:140] = 1
    mask[250, 250] = 1
    store = write_store(numbered([mask]), [mask])

    def held(minimum):
        chosen = replace(
            plan,
            sampling=rare(temperature=0.01, minimum_pixels=minimum),
            crop=replace(plan.crop, size=64),
        )
        return [int((crop.labels == 1).sum()) for crop in draws(store, chosen, 60)]

    assert min(held(1)) < 20
    assert min(held(600)) >= 600
    # More than any crop of 64 px can hold: the fullest of ten is taken, and no other.
    assert np.mean(held(5000)) > 1.7 * np.mean(held(1))


def test_an_image_with_too_little_of_the_class_is_not_drawn_where_another_has_enough(plan, write_store):
    masks = [np.zeros((64, 64), np.uint8) for _ in range(3)]
    masks[0][5, 5] = 1
    masks[2][20:40, 20:40] = 1
    store = write_store(numbered(masks), masks)
    for minimum, images in ((1, {1, 3}), (200, {3}), (10**6, {1, 3})):
        chosen = replace(plan, sampling=rare(temperature=0.01, minimum_pixels=minimum))
        assert {int(crop.photo[0, 0, 0]) for crop in draws(store, chosen, 40)} == images


@pytest.mark.parametrize("memory", [2**30, 0])
@pytest.mark.parametrize("size", [32, 64, 75, 128])
def test_every_crop_above_the_mean_is(plan, write_store, rng, size, memory):
    masks = [(rng.random((170, 203)) < 0.02).astype(np.uint8), np.zeros((140, 150), np.uint8)]
    masks[0][20:60, 100:150] = 1
    masks[0][:, 180:] = VOID
    store = write_store(numbered(masks), masks, memory_bytes=memory)
    chosen = replace(plan, sampling=above(1), crop=replace(plan.crop, size=size))
    mean = sum((mask == 1).sum() for mask in masks) / sum((mask != VOID).sum() for mask in masks)
    crops = draws(store, chosen, 40)
    assert all(crop.placed for crop in crops)
    assert all((crop.labels == 1).sum() > mean * (crop.labels != VOID).sum() for crop in crops)
    assert {crop.photo[0, 0, 0] for crop in crops} == {1}
    # Not on the grid of blocks alone: nearly every crop is another one.
    assert len({crop.labels.tobytes() for crop in crops}) > 25


def test_crops_above_the_mean_are_spread_as_chance_would(plan, write_store):
    """Two places that qualify, one in an image of four times the pixels: it comes up as often as chance has it."""
    masks = [np.zeros((128, 128), np.uint8), np.zeros((256, 256), np.uint8)]
    masks[0][48:80, 48:80] = masks[1][112:144, 112:144] = 1
    store = write_store(numbered(masks), masks)
    free = draws(store, replace(plan, crop=replace(plan.crop, size=64)), 4000)
    mean = sum((mask == 1).sum() for mask in masks) / sum(mask.size for mask in masks)
    kept = [crop.photo[0, 0, 0] for crop in free if (crop.labels == 1).mean() > mean]
    chosen = replace(plan, sampling=above(1), crop=replace(plan.crop, size=64))
    found = [crop.photo[0, 0, 0] for crop in draws(store, chosen, 1000)]
    assert np.mean(np.array(found) == 2) == pytest.approx(np.mean(np.array(kept) == 2), abs=0.1)


def test_classes_are_drawn_evenly_where_several_are_named(plan, write_store):
    masks = [np.zeros((128, 128), np.uint8) for _ in range(2)]
    masks[0][:, :60] = 1
    masks[1][64:70, 64:70] = 2
    store = write_store(numbered(masks), masks, classes=3)
    for rule in (centred(1, 2), above(1, 2)):
        chosen = replace(plan, classes=("a", "b", "c"), sampling=rule)
        first = np.mean([crop.photo[0, 0, 0] == 1 for crop in draws(store, chosen, 400)])
        assert first == pytest.approx(0.5, abs=0.08)


def test_where_no_crop_is_above_the_mean_they_lie_anywhere(plan, write_store):
    mask = np.ones((64, 64), np.uint8)
    crops = draws(write_store(numbered([mask]), [mask]), replace(plan, sampling=above(1)), 5)
    assert not any(crop.placed for crop in crops)


def test_the_rules_find_overlapping_classes_by_their_bits(plan, write_store):
    mask = np.zeros((2, 200, 200), np.uint8)
    mask[0, :, :100] = 255
    mask[1, 80:90, 95:105] = 1
    store = write_store(numbered([mask[0]]), [mask], overlapping=True)
    for rule in (centred(1), rare(temperature=0.01), above(1)):
        crops = draws(store, replace(plan, overlapping=True, sampling=rule), 30)
        assert all(crop.placed and (crop.labels & 2).any() for crop in crops)
        assert set(np.unique([crop.labels for crop in crops])) <= {0, 1, 2, 3}


def test_whole_objects_are_pasted_and_the_share_is_counted(plan, write_store):
    masks = [np.zeros((200, 200), np.uint8) for _ in range(2)]
    masks[0][100:108, 90:98] = 1
    photos = [np.full((3, 200, 200), 50, np.uint8) for _ in masks]
    photos[0][:, masks[0] == 1] = 200
    store = write_store(photos, masks)
    still = replace(plan, crop=replace(plan.crop, size=64))
    crops = draws(store, replace(still, sampling=pasted(1, share=0.5)), 300)
    placed = [crop for crop in crops if crop.placed]
    assert len(placed) == pytest.approx(150, abs=25)
    assert all((crop.labels == 1).any() for crop in placed)
    sizes = [int((crop.labels == 1).sum()) for crop in placed]
    assert min(sizes) < 30 and max(sizes) > 150
    for crop in placed:
        inside = crop.photo[0][crop.labels == 1]
        assert inside.mean() > 140 and crop.photo[0][crop.labels == 0].min() == 50


def test_a_road_that_crosses_every_crop_is_not_cut_into_pieces(plan, write_store):
    mask = np.zeros((200, 200), np.uint8)
    mask[90:100] = 1
    crops = draws(write_store(numbered([mask]), [mask]), replace(plan, sampling=pasted(1)), 40)
    assert not any(crop.placed for crop in crops)
