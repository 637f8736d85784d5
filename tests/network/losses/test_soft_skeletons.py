"""The two ways to the soft skeleton: poolings, and OpenCV with slopes sent to their sources."""

import pytest
import torch

from rareseg.network.losses import plane_skeletons
from rareseg.network.losses.soft_skeletons import skeleton_sums, soft_skeleton

SHAPES = [(2, 2, 37, 41), (1, 1, 1, 7), (1, 2, 7, 1), (1, 1, 1, 1), (3, 1, 2, 2), (1, 1, 4, 1), (1, 1, 9, 2)]


def distinct(shape, seed=0):
    """Values 0..1 in random order, no two alike: no minimum or maximum is tied."""
    count = torch.Size(shape).numel()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return ((order + 1) / (count + 2)).reshape(shape)


def example(shape, *, void, seed=0):
    generator = torch.Generator().manual_seed(seed)
    counted = torch.rand((shape[0], 1, *shape[2:]), generator=generator) > (0.25 if void else -1)
    holds = (torch.rand(shape, generator=generator) < 0.6) & counted
    return distinct(shape, seed), holds, counted


def sums_and_slopes(chance, holds, counted, iterations):
    chance = chance.detach().clone().requires_grad_()
    sums = skeleton_sums(chance, holds, counted, iterations=iterations)
    weights = torch.tensor([[0.7], [-0.3], [1.3]], dtype=chance.dtype) + torch.arange(chance.shape[1])
    (torch.stack(sums[:3]) * weights).sum().backward()
    return torch.stack(sums).detach(), chance.grad


def by_pooling(chance, holds, counted, iterations):
    sums, slopes = sums_and_slopes(chance.double(), holds, counted, iterations)
    return sums.float(), slopes.float()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("void", [False, True], ids=["all counted", "void"])
@pytest.mark.parametrize("iterations", [0, 1, 3, 12])
def test_both_ways_agree_in_value_and_slope(shape, void, iterations):
    inputs = example(shape, void=void)
    torch.testing.assert_close(
        sums_and_slopes(*inputs, iterations), by_pooling(*inputs, iterations), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_picking_ridges_out_and_taking_all_pixels_agree(share, monkeypatch):
    inputs = example((1, 2, 30, 31), void=True)
    monkeypatch.setattr(plane_skeletons, "_FEW", share)
    torch.testing.assert_close(sums_and_slopes(*inputs, 4), by_pooling(*inputs, 4), rtol=1e-5, atol=1e-5)


def test_the_number_of_threads_changes_nothing():
    inputs = example((3, 2, 20, 21), void=True)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(sums_and_slopes(*inputs, 3))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


def test_working_memory_of_another_size_is_not_used():
    for shape in ((1, 1, 20, 21), (1, 1, 21, 20), (1, 1, 5, 5), (1, 1, 20, 21)):
        inputs = example(shape, void=False)
        torch.testing.assert_close(sums_and_slopes(*inputs, 2), by_pooling(*inputs, 2), rtol=1e-5, atol=1e-5)


def test_working_memory_is_kept_between_calls(monkeypatch):
    monkeypatch.setattr(plane_skeletons._Room, "idle", [])
    inputs = example((1, 1, 20, 21), void=False)
    chance = inputs[0].requires_grad_()
    sums = skeleton_sums(chance, *inputs[1:], iterations=2)
    (room,) = plane_skeletons._Room.idle
    sums.right.sum().backward()
    assert plane_skeletons._Room.idle == [room]
    sums_and_slopes(*inputs, 2)
    assert plane_skeletons._Room.idle == [room]


def test_large_planes_on_a_processor_are_not_pooled(monkeypatch):
    monkeypatch.setattr("rareseg.network.losses.soft_skeletons.soft_skeleton", None)
    skeleton_sums(*example((1, 1, 512, 512), void=False), iterations=1)


@pytest.mark.parametrize("ridges", ["few", "many"])
def test_few_ridges_are_picked_out(ridges, monkeypatch):
    monkeypatch.setattr(plane_skeletons, "_send_all" if ridges == "few" else "_send_some", None)
    chance, holds, counted = example((1, 1, 40, 40), void=False)
    if ridges == "few":
        chance = torch.zeros_like(chance)
        chance[..., 20, :] = 0.5
    sums_and_slopes(chance, holds, counted, 0)


@pytest.mark.parametrize("iterations", [0, 2])
def test_slopes_of_both_ways_pass_gradcheck(iterations):
    _, holds, counted = example((1, 2, 5, 6), void=True)
    chance = distinct((1, 2, 5, 6)).double().requires_grad_()

    def sums(values):
        return torch.stack(skeleton_sums(values, holds, counted, iterations=iterations)[:3])

    assert torch.autograd.gradcheck(sums, chance)


def test_certain_maps_have_finite_slopes():
    # ridge = 1 exactly: the division by 1 - ridge must not give anything else than 0.
    line = torch.zeros((1, 1, 9, 9))
    line[..., 4, :] = 1
    holds, counted = line.bool(), torch.ones((1, 1, 9, 9), dtype=torch.bool)
    sums, slopes = sums_and_slopes(line, holds, counted, 3)
    assert slopes.isfinite().all()
    assert slopes.abs().max() < 10
    assert sums[1].item() == 9


def test_pixels_that_are_not_counted_have_no_slope_at_all():
    chance, holds, _ = example((1, 1, 6, 7), void=False)
    nothing = torch.zeros_like(holds)
    sums, slopes = sums_and_slopes(chance, nothing, nothing, 2)
    assert not sums.any()
    assert not slopes.any()


def test_zeros_keep_their_sources_where_the_processor_drops_tiny_numbers():
    # Half of the values are 0. Flushing is set for one thread, so one thread works.
    chance, holds, counted = example((1, 1, 16, 17), void=False)
    chance = torch.where(chance < 0.5, 0, chance)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = sums_and_slopes(chance, holds, counted, 3)
        torch.set_flush_denormal(True)
        flushed = sums_and_slopes(chance, holds, counted, 3)
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
    torch.testing.assert_close(flushed, expected, rtol=0, atol=0)


def test_equal_values_have_no_ridge_and_no_slope():
    chance, holds = torch.full((1, 1, 6, 6), 0.3), torch.zeros((1, 1, 6, 6), dtype=torch.bool)
    sums, slopes = sums_and_slopes(chance, holds, torch.ones_like(holds), 2)
    assert sums[1].item() == 0
    assert not slopes.any()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 9])
def test_the_skeleton_of_a_strip_is_its_middle(width):
    strip = torch.zeros((1, 1, 21, 30))
    strip[..., 6 : 6 + width, :] = 1
    skeleton = soft_skeleton(strip, torch.ones_like(strip, dtype=torch.bool), iterations=width // 2)
    rows = skeleton[0, 0, :, 15].nonzero().flatten().tolist()
    assert rows == [6 + (width - 1) // 2, 6 + width // 2][: 1 if width % 2 else 2]


def test_too_few_iterations_leave_out_what_is_wider():
    strip = torch.zeros((1, 1, 21, 30))
    strip[..., 6:15, :] = 1
    skeleton = soft_skeleton(strip, torch.ones_like(strip, dtype=torch.bool), iterations=3)
    assert not skeleton.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_strip_does_not_end_where_labels_do(dtype):
    # Rows 4..6 hold; columns from 10 on are not counted. Cutting the image there gives the same sums.
    chance = torch.zeros((1, 1, 11, 20), dtype=dtype)
    chance[..., 4:7, :] = 1
    counted = torch.zeros((1, 1, 11, 20), dtype=torch.bool)
    counted[..., :10] = True
    holds = chance.bool() & counted
    cut = skeleton_sums(chance[..., :10], holds[..., :10], counted[..., :10], iterations=3)
    sums = skeleton_sums(chance, holds, counted, iterations=3)
    torch.testing.assert_close(torch.stack(sums), torch.stack(cut), rtol=0, atol=0)
    assert sums.claimed.item() == 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_missing_numbers_are_not_hidden(dtype):
    chance = torch.full((1, 1, 5, 5), 0.5, dtype=dtype)
    chance[0, 0, 2, 2] = torch.nan
    holds = torch.zeros((1, 1, 5, 5), dtype=torch.bool)
    sums = skeleton_sums(chance, holds, torch.ones_like(holds), iterations=1)
    assert not torch.stack(sums).isfinite().all()
