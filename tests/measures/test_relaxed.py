import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.confusion import Confusion
from rareseg.measures.relaxed import RelaxedCounts, relaxed_counts


def maps(seed: int, share: float = 0.03) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    predicted, truth = (rng.random((40, 50)) < share for _ in range(2))
    return predicted, truth, rng.random((40, 50)) < 0.9


def near(mask: NDArray[np.bool_], rho: float) -> NDArray[np.bool_]:
    """By the distance to every pixel of the mask."""
    places = np.argwhere(mask)
    grid = np.stack(np.indices(mask.shape), axis=-1)
    apart = np.linalg.norm(grid[:, :, None].astype(np.float64) - places, axis=-1)
    return np.asarray((apart <= rho + 1e-9).any(axis=-1))


@pytest.mark.parametrize("rho", [0, 1, 2**0.5, 3, 5])
def test_counts_are_those_of_all_distances(rho: float) -> None:
    predicted, truth, counted = maps(0)
    counts = relaxed_counts(predicted, truth, counted, rho)
    given, real = predicted & counted, truth & counted
    assert counts == RelaxedCounts(
        int(given.sum()),
        int((given & near(real, rho)).sum()),
        int(real.sum()),
        int((real & near(given, rho)).sum()),
    )


def test_without_reach_scores_are_the_plain_ones() -> None:
    predicted, truth, _ = maps(1, 0.3)
    counts = relaxed_counts(predicted, truth, np.ones_like(truth), 0)
    plain = Confusion.count(predicted.astype(np.uint8), truth.astype(np.uint8), classes=2, overlapping=False)
    assert counts.precision == pytest.approx(plain.precision()[1])
    assert counts.recall == pytest.approx(plain.recall()[1])
    assert counts.f1 == pytest.approx(plain.f1()[1])


def test_road_drawn_beside_itself() -> None:
    truth, predicted = np.zeros((2, 60, 60), np.bool_)
    truth[20:24], predicted[23:27] = True, True
    everywhere = np.ones_like(truth)
    assert relaxed_counts(predicted, truth, everywhere, 3).f1 == 1
    assert relaxed_counts(predicted, truth, everywhere, 2).f1 == pytest.approx(0.75)


def test_images_add_up() -> None:
    one, two = (relaxed_counts(*maps(seed), 3) for seed in (2, 3))
    stacked = [
        np.concatenate([a, np.zeros((9, 50), np.bool_), b]) for a, b in zip(maps(2), maps(3), strict=True)
    ]
    assert one + two == relaxed_counts(stacked[0], stacked[1], stacked[2], 3)
    assert one + RelaxedCounts() == one


def test_absent_class_and_empty_map() -> None:
    nothing, all_of_it = np.zeros((5, 5), np.bool_), np.ones((5, 5), np.bool_)
    absent = relaxed_counts(all_of_it, nothing, all_of_it, 3)
    assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
    missed = relaxed_counts(nothing, all_of_it, all_of_it, 3)
    assert (missed.precision, missed.recall, missed.f1) == (0.0, 0.0, 0.0)


def test_errors() -> None:
    predicted, truth, counted = maps(0)
    with pytest.raises(SettingError, match="0 px or more, got -1"):
        relaxed_counts(predicted, truth, counted, -1)
    with pytest.raises(SettingError, match=r"got \(39, 50\), \(40, 50\) and \(40, 50\)"):
        relaxed_counts(predicted[1:], truth, counted, 3)
