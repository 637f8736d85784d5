"""All scores at once: equal to one by one, bounded, and sound on whatever comes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.apls import path_counts
from rareseg.measures.cldice import cldice_counts
from rareseg.measures.connections import connection_counts
from rareseg.measures.objects import object_counts
from rareseg.measures.topo import topo_counts
from rareseg.measures.topology import TopologyCounts, topology_counts
from rareseg.measures.widths import width_counts
from rareseg.scenes import road_scene

Mask = NDArray[np.bool_]
SHAPE = (28, 32)


def _odd() -> dict[str, Mask]:
    rng = np.random.default_rng(0)
    blank = np.zeros(SHAPE, np.bool_)
    pixel, spiral = blank.copy(), blank.copy()
    pixel[3, 4] = True
    angle = np.linspace(1, 18, 3000)
    spiral[(14 + 0.7 * angle * np.sin(angle)).astype(int), (16 + 0.7 * angle * np.cos(angle)).astype(int)] = (
        True
    )
    return {
        "empty": blank,
        "pixel": pixel,
        "all": ~blank,
        "all but one": ~pixel,
        "checkerboard": np.indices(SHAPE).sum(axis=0) % 2 > 0,
        "spiral": spiral,
        "diagonal": np.eye(*SHAPE, dtype=np.bool_),
        "stripes": np.indices(SHAPE)[0] % 4 < 2,
        "noise": rng.random(SHAPE) < 0.5,
    }


ODD = _odd()


def _scores(counts: TopologyCounts) -> list[float | None]:
    lengths = counts.connections
    return [
        counts.apls.score,
        counts.apls.truth_onto_prediction,
        counts.apls.prediction_onto_truth,
        counts.topo.precision,
        counts.topo.recall,
        counts.topo.f1,
        lengths.completeness,
        lengths.correctness,
        lengths.quality,
        counts.cldice.score,
    ]


@pytest.mark.parametrize("void", [0.0, 0.3])
@pytest.mark.parametrize("truth", ODD)
@pytest.mark.parametrize("predicted", ODD)
def test_anything_gives_shares_or_nothing(predicted: str, truth: str, void: float) -> None:
    counted = np.random.default_rng(1).random(SHAPE) >= void
    counts = topology_counts(ODD[predicted], ODD[truth], counted)
    assert all(score is None or 0 <= score <= 1 + 1e-9 for score in _scores(counts))
    if predicted == truth and void == 0:
        assert all(score is None or score == pytest.approx(1, abs=1e-12) for score in _scores(counts))
    widths = width_counts(ODD[predicted], ODD[truth], counted)
    assert widths.true.sum() == np.count_nonzero(ODD[truth] & counted)
    assert widths.found.sum() == np.count_nonzero(ODD[truth] & ODD[predicted] & counted)
    objects = object_counts(ODD[predicted], ODD[truth], counted)
    assert (objects.found <= objects.true).all()


@pytest.mark.parametrize("predicted", ODD)
def test_where_nothing_counts_nothing_is_measured(predicted: str) -> None:
    counts = topology_counts(ODD[predicted], ODD["noise"], np.zeros(SHAPE, np.bool_))
    assert set(_scores(counts)) == {None}
    assert counts.connections.false_branches == counts.connections.breaks == 0


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (1, 1), (1, 90), (90, 1), (2, 90)])
def test_flat_images(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    predicted, truth = rng.random(shape) < 0.9, rng.random(shape) < 0.95
    counts = topology_counts(predicted, truth, np.ones(shape, np.bool_), 0.3)
    assert all(score is None or 0 <= score <= 1 + 1e-9 for score in _scores(counts))


def test_one_call_equals_its_parts_and_adds() -> None:
    truth = road_scene(3, size=256, road_share=0.1).labels == 1
    predicted = truth.copy()
    predicted[100:130, 60:200] = False
    counted = np.ones(truth.shape, np.bool_)
    counts = topology_counts(predicted, truth, counted, 0.5)
    parts = TopologyCounts(
        path_counts(predicted, truth, counted, 0.5),
        topo_counts(predicted, truth, counted, 0.5),
        connection_counts(predicted, truth, counted, 0.5),
        cldice_counts(predicted, truth, counted),
    )
    assert counts == parts
    assert TopologyCounts() + counts == counts
    twice = counts + counts
    assert twice.topo.f1 == counts.topo.f1
    assert twice.apls.score == counts.apls.score
    assert twice.connections.breaks == 2 * counts.connections.breaks


def test_turned_and_mirrored_maps_score_alike() -> None:
    truth = road_scene(5, size=256, road_share=0.08).labels == 1
    predicted = truth.copy()
    predicted[100:120, 40:220] = False
    counted = np.ones(truth.shape, np.bool_)
    upright = topology_counts(predicted, truth, counted)
    turned = topology_counts(np.rot90(predicted).copy(), np.rot90(truth).copy(), counted.T.copy())
    for one, other in zip(_scores(upright), _scores(turned), strict=True):
        assert one == pytest.approx(other, abs=0.05)
    assert upright.connections.true_length == pytest.approx(turned.connections.true_length, rel=0.03)


@pytest.mark.parametrize("measure", [topology_counts, object_counts, width_counts, cldice_counts])
def test_wrong_input_is_named(measure: object) -> None:
    truth = np.ones((5, 5), np.bool_)
    assert callable(measure)
    with pytest.raises(SettingError, match="one shape"):
        measure(truth, truth[:4], truth)
    with pytest.raises(SettingError, match="one shape"):
        measure(truth[0], truth[0], truth[0])
    with pytest.raises(SettingError, match="type bool"):
        measure(truth.astype(np.uint8), truth, truth)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf")])
def test_a_pixel_without_size_is_refused_where_lengths_are_measured(size: float) -> None:
    truth = np.ones((5, 5), np.bool_)
    with pytest.raises(SettingError, match="pixel size"):
        topology_counts(truth, truth, truth, size)
