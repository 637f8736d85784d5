"""Batches from everything that `fit` takes, always the same ones, and class weights as `fit` would turn them."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from rareseg.doors.keras.batches import Source, kind_of
from rareseg.doors.keras.class_weights import declared, sample_weights
from rareseg.errors import DataError

IMAGES = np.arange(40 * 2 * 2 * 3, dtype=np.float32).reshape(40, 2, 2, 3)
MASKS = np.arange(40 * 4).reshape(40, 2, 2)


class Numbered(keras.utils.PyDataset):
    """Five batches of two."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return IMAGES[2 * index : 2 * index + 2], MASKS[2 * index : 2 * index + 2]


def generated() -> Iterator[Any]:
    for start in range(0, 40, 8):
        yield IMAGES[start : start + 8], MASKS[start : start + 8]


def loader() -> Any:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(torch.tensor(IMAGES), torch.tensor(MASKS)), batch_size=10)


@pytest.mark.parametrize(
    ("data", "kind", "sizes"),
    [
        ((IMAGES, MASKS), "arrays", [32, 8]),
        ([IMAGES, MASKS, np.ones(40)], "arrays", [32, 8]),
        (Numbered(), "PyDataset", [2] * 5),
        (list(generated()), "batches", [8] * 5),
        (((IMAGES, MASKS), (IMAGES, MASKS)), "batches", [40, 40]),
        (generated(), "generator", [8] * 5),
        (loader(), "DataLoader", [10] * 4),
    ],
    ids=["arrays", "weights", "PyDataset", "list", "tuple", "generator", "DataLoader"],
)
def test_all_kinds_give_batches(data: Any, kind: str, sizes: list[int]) -> None:
    source = Source(data, batch_size=None, what="data")
    assert source.kind == kind
    few = source.first(1)
    batches = source.first(99)
    assert [len(batch.targets) for batch in batches] == sizes
    assert batches[0] is few[0]
    for batch in batches:
        firsts = np.asarray(batch.images)[:, 0, 0, 0]
        assert np.array_equal(np.asarray(batch.targets)[:, 0, 0] * 3, firsts)
    seen = sorted(int(value) for batch in batches for value in np.asarray(batch.targets)[:, 0, 0])
    assert seen[::4] == sorted(seen)[::4]
    assert len(set(seen)) == min(len(seen), 40)


def test_arrays_are_shuffled_as_fit_does_and_large_images_come_in_small_batches() -> None:
    first = Source((IMAGES, MASKS), batch_size=8, what="data").first(1)[0]
    assert len(first.targets) == 8
    assert not np.array_equal(first.targets, MASKS[:8])
    big = np.zeros((9, 512, 512), np.uint8)
    assert [len(one.targets) for one in Source((big, big), batch_size=None, what="data").first(9)] == [
        4,
        4,
        1,
    ]


def test_several_inputs_are_cut_together() -> None:
    batch = Source(({"a": IMAGES, "b": MASKS}, MASKS), batch_size=4, what="data").first(1)[0]
    assert np.array_equal(batch.images["b"], batch.targets)
    assert len(batch.images["a"]) == 4


def test_what_is_no_batch_is_said() -> None:
    with pytest.raises(DataError, match="Expected data as arrays"):
        kind_of(IMAGES, "data")
    with pytest.raises(DataError, match="as many targets as images"):
        Source((IMAGES, MASKS[:9]), batch_size=None, what="data").first(1)
    with pytest.raises(DataError, match="each batch of validation.*received ndarray"):
        Source([IMAGES], batch_size=None, what="validation").first(1)


def test_class_weights_are_looked_up_by_image() -> None:
    targets = np.array([[0], [1], [2]])
    found = sample_weights(targets, {0: 5.0, 2: 3.0}, None, "arrays")
    assert np.array_equal(found, [5, 1, 3])
    hot = np.eye(3)
    assert np.array_equal(sample_weights(hot, {0: 5.0, 2: 3.0}, None, "PyDataset"), [5, 1, 3])
    own = np.ones(3)
    assert sample_weights(targets, None, own, "generator") is own


def test_class_weights_of_maps_raise_as_in_fit() -> None:
    with pytest.raises(TypeError):
        sample_weights(MASKS[:2] % 2, {0: 1.0, 1: 9.0}, None, "batches")
    with pytest.raises(ValueError, match="not supported for torch DataLoader"):
        sample_weights(MASKS[:2], {0: 1.0}, None, "DataLoader")


def test_weights_of_the_batches_are_how_classes_are_weighed() -> None:
    own = np.where(MASKS[:2] > 0, 9.0, 1.0)
    for kind in ("arrays", "batches", "generator", "DataLoader"):
        assert sample_weights(MASKS[:2], {0: 1.0, 1: 9.0}, own, kind) is own


def test_tf_data_takes_the_largest_label_along_the_last_axis() -> None:
    masks = np.array([[[0, 1], [1, 0]]])
    rows = sample_weights(masks, {0: 1.0, 1: 9.0}, None, "tf.data")
    # The weight of the column in which the larger label stands, not that of a class.
    assert np.array_equal(rows, [[9, 1]])
    pixels = sample_weights(masks[..., None], {0: 1.0, 1: 9.0}, None, "tf.data")
    assert np.array_equal(pixels, [[[1, 9], [9, 1]]])
    with pytest.raises(IndexError, match="not in"):
        sample_weights(np.full((1, 2, 2, 1), 3), {0: 1.0, 1: 9.0}, None, "tf.data")


def test_declared_weights_are_those_that_were_meant() -> None:
    assert declared({1: 4}, 3) == (1.0, 4.0, 1.0)
    assert declared([100, 1], 2) == (100.0, 1.0)
    assert declared(None, 2) is None
