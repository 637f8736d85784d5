import numpy as np
import pytest
import torch
from tests.references.losses.lovasz import jaccard_loss, lovasz_extension

from rareseg.network.losses import ranked_errors, ranked_tensors


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks and samples as a large batch meets them."""
    monkeypatch.setattr(ranked_errors, "BLOCK", 16)
    monkeypatch.setattr(ranked_errors, "SAMPLE", 32)


def pixels(kind, *, seed=0, absent=False):
    rng = np.random.default_rng(seed)
    margin = {"softmax": 0.0, "hinge": 1.0}[kind]
    scores = rng.random(200) if kind == "softmax" else rng.normal(-0.5, 1.5, 200)
    member = np.zeros(200, bool) if absent else rng.random(200) < 0.2
    counted = rng.random(200) < 0.8
    return scores, member & counted, counted, margin


def exact(scores, member, counted, margin):
    errors = np.maximum(np.where(member, 1 - scores, scores + margin), 0)
    return lovasz_extension(member[counted], errors[counted])


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("kind", ["softmax", "hinge"])
@pytest.mark.usefixtures("small_blocks")
def test_sorting_in_pieces_equals_the_definition(kind, pieces, absent):
    scores, member, counted, margin = pixels(kind, absent=absent)
    scores = scores.astype(np.float32)
    slopes = np.zeros(200, np.float32)
    channel = ranked_errors.Channel(scores, member, ~counted, margin)
    value = ranked_errors.by_sorting(channel, slopes, pieces=pieces)
    assert value == pytest.approx(exact(scores.astype(float), member, counted, margin), rel=1e-5)
    assert not slopes[~counted].any()
    # The weights of all errors above 0 are the whole fall of IoU, so none was left out or taken twice.
    wrong = counted & (np.where(member, 1 - scores, scores + margin) > 0)
    assert np.abs(slopes).sum() == pytest.approx(jaccard_loss(member[counted], wrong[counted]), rel=1e-5)


@pytest.mark.parametrize("pieces", [1, 3])
def test_all_errors_tied_in_pieces(pieces):
    member = np.arange(40) % 4 == 0
    slopes = np.zeros(40, np.float32)
    channel = ranked_errors.Channel(np.full(40, 0.5, np.float32), member, None, 0.0)
    assert ranked_errors.by_sorting(channel, slopes, pieces=pieces) == pytest.approx(0.5)
    assert np.abs(slopes).sum() == pytest.approx(1)


def test_false_alarms_below_every_pixel_of_the_class_weigh_nothing():
    scores = np.array([0.9, 0.05, 0.3, 0.2, 0.4], np.float32)
    slopes = np.zeros(5, np.float32)
    channel = ranked_errors.Channel(scores, np.array([True, False, False, False, True]), None, 0.0)
    ranked_errors.by_sorting(channel, slopes)
    # Errors 0.6 (missed), 0.3, 0.2 (false alarms), 0.1 (missed), 0.05.
    np.testing.assert_allclose(slopes, [-1 / 4, 0, 1 / 6, 1 / 12, -1 / 2], rtol=1e-6)


@pytest.mark.parametrize("bins", [1, 3, 16, 500])
@pytest.mark.parametrize("kind", ["softmax", "hinge"])
@pytest.mark.parametrize("absent", [False, True])
def test_a_histogram_is_at_most_one_bin_below_the_exact_value(kind, bins, absent):
    for seed in range(20):
        scores, member, counted, margin = pixels(kind, seed=seed, absent=absent)
        errors = np.maximum(np.where(member, 1 - scores, scores + margin), 0)
        width = (errors[counted].max() if margin else 1) / bins
        given = ranked_tensors.Pixels(*map(torch.from_numpy, (scores, member, counted)), margin)
        value, slopes = ranked_tensors.by_histogram(given, bins)
        below = exact(scores, member, counted, margin) - value.item()
        assert -1e-12 <= below <= width + 1e-12
        # Its weights are a mean of orders' weights: no less than the whole fall, none for pixels left out.
        whole = jaccard_loss(member[counted], (errors > 0)[counted])
        assert slopes.abs().sum().item() <= whole + 1e-9
        assert not slopes[~torch.from_numpy(counted)].any()
        assert (slopes * torch.where(given.member, -1, 1)).min() >= 0
