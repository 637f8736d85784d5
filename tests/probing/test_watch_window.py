import numpy as np
import pytest

from rareseg.probing.watch_sample import Sample
from rareseg.probing.watch_window import Readings, log_odds, looks_like, measure

NAMES = ("ground", "road", "tree")


def _sample(logits, members, weights=None, *, void=0, looked_at=None):
    count = logits.shape[1]
    weights = np.ones(count, np.int64) if weights is None else weights
    return Sample(logits.astype(np.float32), members, weights, looked_at or count, void, (), 0)


def _hot(labels, classes):
    return labels[None] == np.arange(classes)[:, None]


def _readings(activation="none", *, overlapping=False, names=NAMES, majority=0):
    return Readings(activation, overlapping, majority, names)


def _scene(count=4000, share=0.05, strength=3.0, classes=2, seed=1):
    random = np.random.default_rng(seed)
    labels = (random.random(count) < share).astype(int) * random.integers(1, classes, size=count)
    logits = random.normal(size=(classes, count)) + strength * _hot(labels, classes)
    return logits, labels


def _exact_average_precision(scores, holds, weights):
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum((holds * weights)[order])
    precision = hits / np.cumsum(weights[order])
    return float((precision * (holds * weights)[order]).sum() / hits[-1])


@pytest.mark.parametrize(
    "weighted", [lambda labels: labels * 0 + 5 - 4 * labels, lambda labels: 1 + np.arange(4000) % 7]
)
def test_weighted_average_precision_is_that_of_the_repeated_pixels(weighted):
    logits, labels = _scene()
    weights = weighted(labels).astype(np.int64)
    window = measure([_sample(logits, _hot(labels, 2), weights)], _readings(), step=1, losses=[])
    expected = _exact_average_precision(logits[1] - logits[0], labels == 1, weights)
    assert window.worst.average_precision == pytest.approx(expected, abs=2e-3)
    assert window.worst.prevalence == pytest.approx(weights[labels == 1].sum() / weights.sum())
    assert window.worst.pixels == (labels == 1).sum()


def test_ranking_far_beyond_the_histogram_s_reach_still_counts():
    logits, labels = _scene()
    far = np.stack([np.zeros(4000), logits[1] - logits[0] - 300])
    window = measure([_sample(far, _hot(labels, 2))], _readings(), step=1, losses=[])
    near = measure([_sample(logits, _hot(labels, 2))], _readings(), step=1, losses=[])
    assert window.worst.average_precision == pytest.approx(near.worst.average_precision, abs=0.01)
    assert window.worst.mean_probability < 1e-9


def test_a_drifting_bias_is_no_spread_over_pixels():
    labels = _scene()[1]
    samples = [
        _sample(np.stack([np.zeros(4000), np.full(4000, float(drift))]), _hot(labels, 2))
        for drift in range(20)
    ]
    assert measure(samples, _readings(), step=20, losses=[]).worst.deviation == 0


def test_the_spread_is_that_of_the_log_odds():
    logits, labels = _scene()
    window = measure([_sample(logits, _hot(labels, 2))] * 2, _readings(), step=2, losses=[])
    assert window.worst.deviation == pytest.approx((logits[1] - logits[0]).std(), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_logits_and_their_probabilities_give_the_same_numbers(classes):
    logits, labels = _scene(classes=classes)
    chances = np.exp(logits) / np.exp(logits).sum(axis=0)
    one = measure([_sample(logits, _hot(labels, classes))], _readings(), step=1, losses=[])
    two = measure([_sample(chances, _hot(labels, classes))], _readings("softmax"), step=1, losses=[])
    for raw, softened in zip(one.classes, two.classes, strict=True):
        assert raw.average_precision == pytest.approx(softened.average_precision, abs=1e-3)
        assert raw.predicted_share == softened.predicted_share
        assert raw.deviation == pytest.approx(softened.deviation, rel=1e-3)
    assert one.loss == pytest.approx(two.loss, rel=1e-4)
    assert one.loss == pytest.approx(-np.log(chances[labels, np.arange(4000)]).mean(), rel=1e-4)


def test_one_channel_is_the_class_itself():
    logits, labels = _scene()
    single = (logits[1] - logits[0])[None]
    one = measure([_sample(single, (labels == 1)[None])], _readings(names=("road",)), step=1, losses=[])
    two = measure([_sample(logits, _hot(labels, 2))], _readings(), step=1, losses=[])
    assert one.classes[0][1:] == pytest.approx(two.classes[0][1:], rel=1e-5)
    assert one.loss == pytest.approx(two.loss, rel=1e-5)


def test_the_majority_is_not_judged_and_the_worst_comes_first():
    logits, labels = _scene(classes=3, share=0.2)
    logits[2] = 0.01 * logits[2]
    window = measure([_sample(logits, _hot(labels, 3))], _readings(), step=1, losses=[])
    assert [one.name for one in window.classes] == ["road", "tree"]
    assert window.worst.name == "tree"
    assert window.judged[-1].name == "road"


def test_overlapping_classes_are_all_judged_by_their_own_sigmoid():
    logits, labels = _scene()
    members = np.stack([np.ones(4000, bool), labels == 1])
    members[0, :50] = False
    window = measure([_sample(logits, members)], _readings(overlapping=True), step=1, losses=[])
    assert len(window.classes) == 2
    assert window.classes[1].predicted_share == pytest.approx((logits[1] > 0).mean())


def test_pixels_that_no_exclusive_class_claims_do_not_count():
    logits, labels = _scene()
    members = _hot(labels, 2)
    members[:, :1000] = False
    window = measure([_sample(logits, members)], _readings(), step=1, losses=[])
    assert window.worst.prevalence == pytest.approx((labels[1000:] == 1).mean())


def test_few_pixels_are_not_judged():
    logits, labels = _scene(share=0.005)
    window = measure([_sample(logits, _hot(labels, 2))], _readings(), step=1, losses=[])
    assert window.worst is None
    assert window.classes[0].pixels == (labels == 1).sum() < 50
    assert window.classes[0].lift is None


def test_the_user_s_losses_are_averaged():
    logits, labels = _scene()
    sample = _sample(logits, _hot(labels, 2), void=400)
    window = measure([sample], _readings(), step=1, losses=[1.0, 3.0])
    assert window.loss == 2
    assert window.void_share == 0.1


def test_softmax_over_a_single_channel_is_seen():
    labels = _scene()[1]
    ones = measure([_sample(np.ones((1, 4000)), (labels == 1)[None])], _readings(), step=1, losses=[])
    assert ones.single_constant
    halves = measure([_sample(np.full((1, 4000), 0.5), (labels == 1)[None])], _readings(), step=1, losses=[])
    assert not halves.single_constant


def test_what_values_look_like():
    logits = _scene()[0].astype(np.float32)
    chances = np.exp(logits) / np.exp(logits).sum(axis=0)
    assert looks_like(logits) == "none"
    assert looks_like(chances) == "softmax"
    assert looks_like(chances * 0.5) == "sigmoid"
    assert looks_like(chances[:1]) == "sigmoid"


def test_log_odds_of_extremes_are_finite():
    assert np.isfinite(log_odds(np.float32([[0, 1, 0.5]]), "sigmoid")).all()
    three = np.float32([[80, -80], [0, 0], [-80, 80]])
    assert np.isfinite(log_odds(three, "none")).all()
