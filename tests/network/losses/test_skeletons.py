import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.losses.skeletons import MOST_STEPS, cldice, skeleton_recall


def logits_of(mask, strength=20.0):
    """One channel that is sure of `mask`."""
    return torch.where(mask.bool(), strength, -strength).unsqueeze(1)


def road(rows=24, columns=24, *, width=3, gap=0):
    """Labels with a road of `width` px across the middle, broken by `gap` px."""
    labels = torch.zeros((1, rows, columns), dtype=torch.int64)
    labels[:, rows // 2 : rows // 2 + width] = 1
    labels[:, :, columns // 2 : columns // 2 + gap] = 0
    return labels


def test_right_answer_costs_nothing():
    assert cldice(logits_of(road()), road()).item() < 1e-6
    assert skeleton_recall(logits_of(road()), road()).item() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("smoothing", [1.0, 0.0, 7.0])
def test_cldice_by_hand(dtype, smoothing):
    # Lines 1 px wide are their own skeletons. Of 24 px of road the map has 12, and a false line of 6 px.
    truth = road(width=1)
    claimed = road(width=1)
    claimed[:, :, 12:] = 0
    claimed[:, 2, 9:15] = 1
    precision, sensitivity = (12 + smoothing) / (18 + smoothing), (12 + smoothing) / (24 + smoothing)
    expected = 1 - 2 * precision * sensitivity / (precision + sensitivity)
    value = cldice(logits_of(claimed, 40.0).to(dtype), truth, smoothing=smoothing)
    assert value.item() == pytest.approx(expected, rel=1e-6)


def test_cldice_does_not_care_for_width_but_for_gaps():
    truth = road(width=3)
    wide, broken = road(width=3), road(width=3, gap=4)
    wide[:, 11:16] = 1
    assert cldice(logits_of(wide), truth).item() < 0.01
    assert cldice(logits_of(broken), truth).item() > 0.05


@pytest.mark.parametrize("radius", [0, 3])
@pytest.mark.parametrize("smoothing", [1.0, 0.0, 7.0])
def test_skeleton_recall_by_hand(radius, smoothing):
    # A line 1 px wide is its own skeleton, and cannot be thickened within itself.
    p = torch.full((24,), 0.9, dtype=torch.float64)
    p[:8] = 0.25
    logits = torch.full((1, 1, 24, 24), 3.0, dtype=torch.float64)
    logits[:, :, 12] = torch.logit(p)
    expected = 1 - (8 * 0.25 + 16 * 0.9 + smoothing) / (24 + smoothing)
    value = skeleton_recall(logits, road(width=1), radius=radius, smoothing=smoothing)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_radius_thickens_the_skeleton():
    # Three rows within radius 1 of the middle of seven: the map that has the middle row alone finds a third.
    labels = torch.zeros((1, 31, 200), dtype=torch.int64)
    labels[:, 12:19] = 1
    middle = torch.zeros_like(labels)
    middle[:, 15] = 1
    values = [skeleton_recall(logits_of(middle), labels, radius=radius).item() for radius in (0, 1, 2)]
    assert values == pytest.approx([0, 2 / 3, 4 / 5], abs=0.03)


def test_skeleton_recall_looks_at_the_skeleton_alone():
    labels = road(width=7)
    logits = torch.zeros((1, 1, 24, 24), requires_grad=True)
    skeleton_recall(logits, labels, radius=1).backward()
    pulled = logits.grad[0, 0] != 0
    assert (logits.grad <= 0).all()
    assert 0 < pulled.sum() < labels.sum()
    assert not (pulled & (labels[0] == 0)).any()


def test_false_alarms_of_an_absent_class_cost_as_far_as_they_have_a_skeleton():
    labels = torch.zeros((1, 12, 12), dtype=torch.int64)
    logits = torch.full((1, 1, 12, 12), -2.0)
    logits[:, :, 6] = 0.5
    logits.requires_grad_()
    cldice(logits, labels).backward()
    assert (logits.grad[:, :, 6] >= 0).all()
    assert logits.grad[:, :, 6].sum() > 0


def test_each_class_has_a_score_of_its_own():
    # A long road that is found and a short one that is missed: half lost, however short.
    labels = torch.zeros((1, 20, 40), dtype=torch.int64)
    labels[:, 4:7] = 1
    labels[:, 14:17, :8] = 2
    logits = torch.zeros((1, 3, 20, 40))
    logits[:, 0] = torch.where(labels == 1, -30.0, 0.0)
    logits[:, 2] = -30
    for loss in (cldice, skeleton_recall):
        alone = [loss(logits, labels, classes=(label,)).item() for label in (1, 2)]
        assert loss(logits, labels).item() == pytest.approx(sum(alone) / 2)
        assert alone[0] < 0.2
        assert alone[1] > 0.7


@pytest.mark.parametrize("loss", [cldice, skeleton_recall])
def test_without_smoothing_an_absent_class_divides_nothing_by_nothing(loss):
    logits = torch.randn((1, 1, 8, 8), generator=torch.Generator().manual_seed(0)).requires_grad_()
    value = loss(logits, torch.zeros((1, 8, 8), dtype=torch.int64), smoothing=0)
    value.backward()
    assert value.item() == pytest.approx(1 if loss is cldice else 0)  # a false line; a recall sees none
    assert logits.grad.isfinite().all()
    flat = torch.zeros((1, 1, 8, 8), requires_grad=True)  # no line in map or mask
    value = loss(flat, torch.zeros((1, 8, 8), dtype=torch.int64), smoothing=0)
    value.backward()
    assert value.item() == 0
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize(
    ("loss", "setting", "value", "word"),
    [
        (cldice, "iterations", -1, "iterations"),
        (cldice, "iterations", 2.5, "iterations"),
        (cldice, "iterations", True, "iterations"),
        (cldice, "iterations", MOST_STEPS + 1, "iterations"),
        (cldice, "smoothing", -1.0, "smoothing"),
        (cldice, "smoothing", float("nan"), "smoothing"),
        (cldice, "classes", (1,), "classes"),
        (skeleton_recall, "radius", -1, "radius"),
        (skeleton_recall, "radius", float("inf"), "radius"),
        (skeleton_recall, "smoothing", float("inf"), "smoothing"),
        (skeleton_recall, "classes", (), "classes"),
    ],
)
def test_settings_out_of_range_are_named(loss, setting, value, word):
    with pytest.raises(SettingError, match=word):
        loss(logits_of(road()), road(), **{setting: value})


def test_no_erosion_is_a_setting():
    value = cldice(logits_of(road(), 1.0), road(), iterations=0)
    assert value.item() != cldice(logits_of(road(), 1.0), road(), iterations=1).item()
