import pytest
import torch

from rareseg.errors import DataError, SettingError
from rareseg.network.losses.targets import asks_each_class, check_shapes, read, spread, sums_by_comparing


def test_one_channel_is_a_question_of_its_own():
    assert asks_each_class(1, overlapping=False)
    assert asks_each_class(1, overlapping=True)
    assert asks_each_class(2, overlapping=True)
    assert not asks_each_class(2, overlapping=False)


def test_exclusive_labels_are_spread_over_classes():
    holds, counted = spread(torch.tensor([[[0, 2, 255]]]), 3, overlapping=False)
    assert holds[0, :, 0].tolist() == [[True, False, False], [False] * 3, [False, True, False]]
    assert counted[0, 0, 0].tolist() == [True, True, False]


def test_bits_are_spread_over_classes():
    holds, counted = spread(torch.tensor([[[0, 5, 255]]]), 3, overlapping=True)
    assert holds[0, :, 0].tolist() == [[False, True, False], [False] * 3, [False, True, False]]
    assert counted[0, 0, 0].tolist() == [True, True, False]


@pytest.mark.parametrize("overlapping", [False, True])
def test_one_channel_holds_where_the_label_is_1(overlapping):
    holds, _ = spread(torch.tensor([[[0, 1, 255]]]), 1, overlapping=overlapping)
    assert holds[0, 0, 0].tolist() == [False, True, False]


@pytest.mark.parametrize(("classes", "overlapping"), [(1, False), (2, False), (3, False), (3, True)])
@pytest.mark.parametrize("void", [False, True])
def test_what_is_counted_is_the_sum_over_what_holds(classes, overlapping, void):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2**classes if overlapping else max(classes, 2), (2, 5, 6), generator=generator)
    if void:
        labels[:, ::2, ::3] = 255
    seen = read(labels, classes, overlapping=overlapping)
    targets = spread(labels, classes, overlapping=overlapping)
    assert seen.pixels.tolist() == targets.counted.sum(dim=(1, 2, 3)).tolist()
    assert seen.present.tolist() == targets.holds.sum(dim=(2, 3)).tolist()
    assert seen.all_pixels == targets.counted.sum()
    assert (seen.counted is None) == (not void)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_sums_by_class(device):
    labels = torch.tensor([[[0, 2, 2, 1]], [[1, 1, 1, 1]]])
    seen = read(labels, 3, overlapping=False)
    amounts = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.5, 0.0, 0.25, 1.0]])
    found = seen.sums(amounts.to(device), seen.values.to(device))
    assert found.shape == (2, 3)
    if device == "cpu":
        assert found.tolist() == [[1.0, 4.0, 5.0], [0.0, 1.75, 0.0]]


def test_no_pixel_counted_is_a_divisor_of_one():
    seen = read(torch.full((2, 3, 3), 255), 2, overlapping=False)
    assert seen.pixels.tolist() == [0, 0]
    assert seen.all_pixels == 1


def test_labels_that_are_not_counted_may_be_anything():
    labels = torch.tensor([[[7, 1]]])
    valid = torch.tensor([[[False, True]]])
    assert read(labels, 2, overlapping=False, valid=valid).values.tolist() == [[0, 1]]
    with pytest.raises(DataError, match="class indices 0..1 or 255 .not counted.*found 7 on 1 pixels"):
        read(labels, 2, overlapping=False, valid=~valid)


@pytest.mark.parametrize("ignored", [3, -100])
def test_out_of_range_names_the_label_that_is_not_counted(ignored):
    with pytest.raises(DataError, match=f"0..1 or {ignored} .not counted.*found 5, 255 on 2 pixels"):
        read(torch.tensor([[[255, ignored, 5]]]), 2, overlapping=False, ignore_index=ignored)


def test_booleans_are_labels_of_one_channel():
    assert read(torch.tensor([[[True, False]]]), 1, overlapping=False).values.tolist() == [[1, 0]]


@pytest.mark.parametrize("valid", [torch.ones((1, 3, 3)), torch.ones((1, 3, 4), dtype=torch.bool)])
def test_valid_of_another_kind_is_refused(valid):
    logits, labels = torch.zeros((1, 2, 3, 3)), torch.zeros((1, 3, 3), dtype=torch.int64)
    with pytest.raises(DataError, match=r"valid to be bool of the labels' shape \(1, 3, 3\)"):
        check_shapes(logits, labels, overlapping=False, valid=valid)


def test_seven_overlapping_classes_fit_and_eight_do_not():
    labels = torch.zeros((1, 3, 3), dtype=torch.uint8)
    check_shapes(torch.zeros((1, 7, 3, 3)), labels, overlapping=True)
    check_shapes(torch.zeros((1, 8, 3, 3)), labels, overlapping=False)
    with pytest.raises(SettingError, match="at most 7 overlapping classes"):
        check_shapes(torch.zeros((1, 8, 3, 3)), labels, overlapping=True)


@pytest.mark.parametrize("void", [False, True])
def test_sums_without_scatter_are_the_same(void):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (3, 9, 11), generator=generator)
    if void:
        labels[:, 2:5] = 255
    seen = read(labels, 5, overlapping=False)
    amounts = torch.rand((3, 99), generator=generator)
    if seen.counted is not None:
        amounts = amounts * seen.counted
    wanted = seen.sums(amounts, seen.values)
    torch.testing.assert_close(sums_by_comparing(amounts.to(seen.wide), seen.values, 5), wanted)
    assert wanted[:, :3].min() > 1
    assert not wanted[:, 4].any()
