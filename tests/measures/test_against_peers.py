"""The same numbers as other packages give, on random and on hard inputs."""

import warnings

import numpy as np
import pytest

from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.operating import (
    precision_at_recall,
    precision_recall_points,
    recall_at_precision,
    roc_points,
)
from rareseg.records.dataset import VOID


def load(name):
    """Import a peer, which may warn of its own past, or skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed")


@pytest.fixture(scope="module")
def sklearn():
    return load("sklearn.metrics")


@pytest.fixture(scope="module")
def torchmetrics():
    return load("torchmetrics.functional.classification")


@pytest.fixture(scope="module")
def monai():
    return load("monai.metrics")


@pytest.fixture(scope="module")
def torch():
    return load("torch")


PIXELS = 6_000


def _scores(name):
    """Log-odds and truth. All lie in bins of their own or are tied exactly, so that peers must agree to rounding."""
    rng = np.random.default_rng(0)
    holds = rng.random(PIXELS) < 0.04
    steps = np.arange(-32768, 32768, dtype=np.float32) * np.float32(5 / 8192)
    spread = steps[rng.permutation(65536)[:PIXELS]]
    return {
        "random": (spread, holds),
        "good": (np.where(holds, np.abs(spread), spread), holds),
        "coarse": (np.round(spread), holds),
        "peaked": (np.where(rng.random(PIXELS) < 0.95, np.float32(-15), spread), holds),
        "tied": (np.zeros(PIXELS, np.float32), holds),
        "perfect": (np.where(holds, np.float32(5), np.float32(-5)), holds),
        "wrong": (np.where(holds, np.float32(-5), np.float32(5)), holds),
        "one hit": (spread[:50], np.arange(50) == 17),
        "one pixel": (spread[:1], np.ones(1, np.bool_)),
        "all hold it": (spread[:100], np.ones(100, np.bool_)),
    }[name]


NAMES = [
    "random",
    "good",
    "coarse",
    "peaked",
    "tied",
    "perfect",
    "wrong",
    "one hit",
    "one pixel",
    "all hold it",
]


def counted(odds, holds):
    return ScoreHistogram.count(odds[None, None], holds[None].astype(np.uint8), overlapping=True)


def probabilities(odds):
    return 1 / (1 + np.exp(-odds.astype(np.float64)))


@pytest.mark.parametrize("name", NAMES)
def test_average_precision_and_roc_area(name, sklearn, torchmetrics, torch):
    odds, holds = _scores(name)
    histogram = counted(odds, holds)
    found = histogram.average_precision()[0]
    assert found == pytest.approx(sklearn.average_precision_score(holds, odds), abs=1e-9)
    scores, target = torch.from_numpy(probabilities(odds)), torch.from_numpy(holds.astype(np.int64))
    assert found == pytest.approx(float(torchmetrics.binary_average_precision(scores, target)), abs=1e-4)
    low, high = histogram.average_precision_bounds()[0]
    assert low <= found <= high
    if holds.all():
        assert histogram.roc_area()[0] is None
    else:
        assert histogram.roc_area()[0] == pytest.approx(sklearn.roc_auc_score(holds, odds), abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_points_of_curves(name, sklearn):
    odds, holds = _scores(name)
    histogram = counted(odds, holds)
    precision, recall, _ = sklearn.precision_recall_curve(holds, odds)
    there = {(round(p, 9), round(r, 9)) for p, r in zip(precision, recall, strict=True)}
    points = precision_recall_points(histogram, 0)
    assert all((round(point.precision, 9), round(point.recall, 9)) in there for point in points)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert histogram.best()[0].f1 == pytest.approx(f1.max())
    if not holds.all():
        false, hit, _ = sklearn.roc_curve(holds, odds, drop_intermediate=False)
        there = {(round(f, 9), round(h, 9)) for f, h in zip(false, hit, strict=True)}
        for point in roc_points(histogram, 0):
            assert (round(point.false_positive_rate, 9), round(point.recall, 9)) in there


@pytest.mark.parametrize("name", ["good", "coarse", "peaked", "perfect", "wrong", "one hit"])
@pytest.mark.parametrize("wanted", [0.1, 0.5, 0.93])
def test_scores_at_a_wanted_recall_or_precision(name, wanted, torchmetrics, torch):
    odds, holds = _scores(name)
    histogram = counted(odds, holds)
    scores, target = torch.from_numpy(probabilities(odds)), torch.from_numpy(holds.astype(np.int64))
    peer, _ = torchmetrics.binary_precision_at_fixed_recall(scores, target, min_recall=wanted)
    assert precision_at_recall(histogram, 0, wanted).precision == pytest.approx(float(peer), abs=1e-6)
    peer, _ = torchmetrics.binary_recall_at_fixed_precision(scores, target, min_precision=wanted)
    ours = recall_at_precision(histogram, 0, wanted)
    # Where no threshold reaches it, they say 0.
    assert (0.0 if ours is None else ours.recall) == pytest.approx(float(peer), abs=1e-6)


def class_maps(seed, classes, shape=(60, 70)):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, shape).astype(np.uint8)
    given = np.where(rng.random(shape) < 0.6, labels, rng.integers(0, classes, shape)).astype(np.uint8)
    labels[rng.random(shape) < 0.1] = VOID
    return given, labels


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_scores_of_class_maps(classes, sklearn, torchmetrics, torch):
    given, labels = class_maps(0, classes)
    confusion = Confusion.count(given, labels, classes=classes, overlapping=False)
    seen = labels != VOID
    np.testing.assert_array_equal(confusion.counts, sklearn.confusion_matrix(labels[seen], given[seen]))
    guess, real = torch.from_numpy(given.astype(np.int64)), torch.from_numpy(labels.astype(np.int64))
    settings = {"num_classes": classes, "average": None, "ignore_index": VOID}
    for ours, peer in (
        (confusion.iou(), torchmetrics.multiclass_jaccard_index),
        (confusion.f1(), torchmetrics.multiclass_f1_score),
        (confusion.precision(), torchmetrics.multiclass_precision),
        (confusion.recall(), torchmetrics.multiclass_recall),
    ):
        np.testing.assert_allclose(ours, peer(guess[None], real[None], **settings).numpy(), rtol=1e-6)
    assert confusion.accuracy == pytest.approx(sklearn.accuracy_score(labels[seen], given[seen]))


@pytest.mark.parametrize("classes", [2, 4])
def test_overlaps_are_those_of_medical_images(classes, monai, torch):
    given, labels = class_maps(1, classes)
    labels[labels == VOID] = 0
    confusion = Confusion.count(given, labels, classes=classes, overlapping=False)
    one_hot = torch.nn.functional.one_hot
    guess, real = (
        one_hot(torch.from_numpy(array.astype(np.int64)), classes).movedim(-1, 0)[None]
        for array in (given, labels)
    )
    np.testing.assert_allclose(confusion.iou(), monai.compute_iou(guess, real)[0].numpy(), rtol=1e-6)
    np.testing.assert_allclose(confusion.f1(), monai.compute_dice(guess, real)[0].numpy(), rtol=1e-6)
    scores = np.random.default_rng(2).integers(-40, 40, labels.shape).astype(np.float32) / 8
    holds = labels == 1
    area = monai.compute_roc_auc(
        torch.from_numpy(scores.ravel()), torch.from_numpy(holds.ravel().astype(np.int64))
    )
    assert counted(scores.ravel(), holds.ravel()).roc_area()[0] == pytest.approx(area, abs=1e-6)


def test_an_absent_class_is_none_where_peers_say_0(sklearn):
    odds = np.zeros(20, np.float32)
    histogram = counted(odds, np.zeros(20, np.bool_))
    assert histogram.average_precision() == (None,)
    with pytest.warns(UserWarning, match="No positive class"):
        assert sklearn.average_precision_score(np.zeros(20), odds) == 0
