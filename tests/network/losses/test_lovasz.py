import numpy as np
import pytest
import torch
from tests.references.losses import jaccard_loss

from rareseg.network.losses import lovasz


@pytest.mark.parametrize("seed", range(5))
def test_softmax_equals_one_minus_iou_at_hard_answers(seed):
    # The Lovasz extension meets its set function at the corners of the cube.
    rng = np.random.default_rng(seed)
    labels, answers = rng.integers(0, 3, (2, 1, 6, 6))
    logits = torch.from_numpy(np.where(answers[:, None] == np.arange(3)[None, :, None, None], 40.0, -40.0))
    present = [number for number in range(3) if (labels == number).any()]
    losses = [
        jaccard_loss(labels.ravel() == number, (labels == number).ravel() ^ (answers == number).ravel())
        for number in present
    ]
    assert lovasz(logits, torch.from_numpy(labels)).item() == pytest.approx(np.mean(losses), rel=1e-9)


def test_two_classes_equal_three_of_which_one_is_never_claimed():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, 2, 8, 8), generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 2, (2, 8, 8), generator=generator)
    never = torch.full((2, 1, 8, 8), -1000.0, dtype=torch.float64)
    torch.testing.assert_close(lovasz(torch.cat([logits, never], dim=1), labels), lovasz(logits, labels))


def test_softmax_leaves_out_classes_that_the_batch_lacks():
    labels = torch.zeros((1, 4, 4), dtype=torch.int64)
    logits = torch.zeros((1, 3, 4, 4))
    assert lovasz(logits, labels).item() == pytest.approx(2 / 3, rel=1e-6)


def test_hinge_costs_the_worst_false_positive_of_an_absent_class():
    logits = torch.tensor([[0.5, -3.0], [2.0, -0.2]]).view(1, 1, 2, 2)
    labels = torch.zeros((1, 2, 2), dtype=torch.int64)
    assert lovasz(logits, labels, overlapping=True).item() == pytest.approx(1 + 2.0)


def test_hinge_is_zero_beyond_the_margin():
    labels = torch.tensor([[[0, 1]]])
    logits = torch.tensor([-1.5, 1.5]).view(1, 1, 1, 2)
    assert lovasz(logits, labels, overlapping=True).item() == 0


def test_tied_errors_cost_the_same_in_any_order():
    labels = torch.tensor([[[0, 1, 0, 1, 1, 0]]])
    logits = torch.zeros((1, 2, 1, 6))
    turned = labels.flip(-1)
    assert lovasz(logits, labels).item() == pytest.approx(lovasz(logits, turned).item())
    assert lovasz(logits, labels).item() == pytest.approx(0.5)
