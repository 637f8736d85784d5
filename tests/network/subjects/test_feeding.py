"""Batches out of arrays, data sets, loaders and generators, read once and without a trace."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from rareseg.errors import DataError
from rareseg.network.subjects.feeding import BATCH_SIZE, Feed

IMAGES = torch.arange(20 * 3 * 4 * 4, dtype=torch.float32).reshape(20, 3, 4, 4)
LABELS = torch.arange(20)[:, None, None].expand(20, 4, 4).clone()


class Noisy(Dataset):
    """Draws from all three global generators."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        noise = torch.rand(1) + float(np.random.rand())  # noqa: NPY002
        return {"image": IMAGES[index] + noise, "mask": LABELS[index]}


@pytest.mark.parametrize("container", [tuple, list])
@pytest.mark.parametrize("array", [False, True])
def test_arrays_come_in_batches(container, array):
    pair = container([IMAGES.numpy(), LABELS.numpy()] if array else [IMAGES, LABELS])
    batches = Feed(pair).first(5)
    assert [len(each.targets) for each in batches] == [BATCH_SIZE, BATCH_SIZE, 4]
    np.testing.assert_array_equal(np.concatenate([each.images for each in batches]), IMAGES)
    assert all(each.weights is None for each in batches)


def test_a_dictionary_of_arrays():
    [batch] = Feed({"image": IMAGES, "mask": LABELS}).first(1)
    assert torch.equal(batch.targets, LABELS[:8])


@pytest.mark.parametrize(
    "data",
    [
        TensorDataset(IMAGES, LABELS),
        [(image, label) for image, label in zip(IMAGES, LABELS, strict=True)],
        [{"img": image, "y": label, "name": "a"} for image, label in zip(IMAGES, LABELS, strict=True)],
        ((image.numpy(), label.numpy()) for image, label in zip(IMAGES, LABELS, strict=True)),
    ],
    ids=["Dataset", "list", "dictionaries", "generator"],
)
def test_single_samples_are_put_together(data):
    batches = Feed(data).first(9)
    assert [len(each.targets) for each in batches] == [8, 8, 4]
    assert torch.equal(batches[1].images, IMAGES[8:16]) and torch.equal(batches[1].targets, LABELS[8:16])


@pytest.mark.parametrize(
    "item",
    [
        (IMAGES, LABELS),
        [IMAGES, LABELS],
        (IMAGES, LABELS, ["a"] * 20),
        (IMAGES, LABELS, torch.arange(20)),
        {"image": IMAGES, "mask": LABELS},
        {"pixel_values": IMAGES, "labels": LABELS},
    ],
)
def test_batches_of_every_form(item):
    [batch] = Feed(iter([item])).first(2)
    assert batch.images is IMAGES and batch.targets is LABELS and batch.weights is None


@pytest.mark.parametrize("weights", [torch.ones(20), torch.ones(20, 4, 4), np.ones(20, np.float32)])
def test_sample_weights_are_kept(weights):
    [batch] = Feed([(IMAGES, LABELS, weights)]).first(1)
    assert batch.weights is weights
    if isinstance(weights, torch.Tensor):
        assert [len(each.weights) for each in Feed((IMAGES, LABELS, weights)).first(3)] == [8, 8, 4]


def test_a_generator_is_read_only_as_far_as_needed():
    read = []

    def batches():
        for number in range(100):
            read.append(number)
            yield IMAGES[:2] + number, LABELS[:2]

    feed = Feed(batches())
    first = feed.first(2)
    assert read == [0, 1]
    again = feed.first(3)
    assert read == [0, 1, 2]
    assert again[0] is first[0] and float(again[2].images[0, 0, 0, 0]) == 2
    assert feed.first(1) == first[:1] and read == [0, 1, 2]


def test_what_can_be_read_anew_goes_on_where_it_stood():
    feed = Feed([(IMAGES[:2] + number, LABELS[:2]) for number in range(5)])
    feed.first(2)
    assert [float(each.images[0, 0, 0, 0]) for each in feed.first(9)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("own", [False, True])
def test_reading_leaves_random_states_as_they_were(own):
    generator = torch.Generator().manual_seed(5) if own else None
    loader = DataLoader(Noisy(), batch_size=4, shuffle=True, generator=generator)
    before = (torch.get_rng_state(), np.random.get_state()[1].copy())  # noqa: NPY002
    own_before = generator.get_state() if generator else None
    first = Feed(loader).first(2)
    assert len(first[0].images) == 4
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert generator is None or torch.equal(own_before, generator.get_state())


@pytest.mark.parametrize("data", [3, "folder", None, lambda: 1])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(DataError, match="iterable of batches"):
        Feed(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([IMAGES], "a batch is Tensor of shape"),
        ([{"a": IMAGES, "b": LABELS}], "keys 'a', 'b'"),
        ([(IMAGES[0], LABELS[0]), (IMAGES[0, :, :2], LABELS[0, :2])], "one size"),
    ],
)
def test_batches_that_cannot_be_read_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        Feed(data).first(1)


def test_as_many_targets_as_images():
    with pytest.raises(DataError, match="as many images as targets"):
        Feed((IMAGES, LABELS[:3]))
