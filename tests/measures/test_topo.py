"""TOPO: known answers; what is drawn and not joined is not reached."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.topo import TopoCounts, topo_counts

Mask = NDArray[np.bool_]


def _line(*gaps: tuple[int, int]) -> Mask:
    mask = np.zeros((41, 401), np.bool_)
    mask[20] = True
    for start, stop in gaps:
        mask[:, start:stop] = False
    return mask


def _counts(predicted: Mask, truth: Mask, radius: float = 150) -> TopoCounts:
    return topo_counts(predicted, truth, np.ones(truth.shape, np.bool_), radius=radius)


def test_identical_empty_and_absent() -> None:
    truth = _line()
    same = _counts(truth, truth)
    assert (same.precision, same.recall, same.f1) == (1, 1, 1)
    none = _counts(truth & False, truth)
    assert (none.precision, none.recall, none.f1) == (0, 0, 0)
    absent = _counts(truth, truth & False)
    assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
    assert TopoCounts().f1 is None


def test_one_cut_hides_all_beyond_it() -> None:
    truth = _line()
    counts = _counts(_line((196, 205)), truth, radius=1000)
    # 81 starts and 81 holes each; a start reaches about half of the marbles, and the two starts in the cut, within
    # reach of a side, too.
    assert counts.starts == 81
    assert counts.holes == 81 * 81
    assert counts.recall == pytest.approx(0.5, abs=0.02)
    assert counts.precision == 1


def test_missing_half() -> None:
    counts = _counts(_line((201, 401)), _line(), radius=1000)
    assert counts.precision == 1
    assert counts.recall == pytest.approx(0.25, abs=0.02)


def test_invented_street_costs_precision_where_it_is_joined() -> None:
    truth, predicted, apart = _line(), _line(), _line()
    predicted[0:21, 200] = True
    apart[0:10, 200] = True
    assert _counts(predicted, truth).recall == pytest.approx(1, abs=0.01)
    precision = _counts(predicted, truth).precision
    assert precision is not None
    assert precision < 1
    assert _counts(apart, truth).precision == 1


def test_marbles_are_matched_one_to_one() -> None:
    truth, predicted = _line(), np.zeros((41, 401), np.bool_)
    predicted[18], predicted[22], predicted[18:23, 0] = True, True, True
    counts = _counts(predicted, truth, radius=1000)
    assert counts.precision == pytest.approx(0.5, abs=0.02)
    assert counts.recall == pytest.approx(1, abs=0.01)


def test_void_neither_counts_nor_breaks() -> None:
    truth, counted = _line((180, 240)), np.ones((41, 401), np.bool_)
    counted[:, 180:240] = False
    assert topo_counts(_line(), truth, counted, radius=1000).f1 == 1
    assert topo_counts(_line((190, 230)), truth, counted, radius=1000).f1 == 1
    assert topo_counts(_line(), truth, np.zeros_like(counted)).f1 is None


def test_counts_add_and_units_do_not_mix() -> None:
    truth = _line()
    one, two = _counts(truth, truth), _counts(truth & False, truth)
    assert (one + two).recall == 0.5
    assert TopoCounts() + one == one
    with pytest.raises(SettingError, match="cannot be added"):
        one + topo_counts(truth, truth, truth | True, 2.0)


def test_metres() -> None:
    truth = _line()
    near = topo_counts(truth, truth, truth | True, 5.0)
    # 150 m are 30 px: spots at 15 px each way, 3 px apart at least.
    assert near.holes / near.starts == pytest.approx(2 * 10 + 1, abs=2)


@pytest.mark.parametrize("name", ["radius", "spacing", "reach", "most"])
def test_settings_out_of_range(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        topo_counts(_line(), _line(), _line() | True, **{name: 0})
