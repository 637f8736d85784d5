"""Lengths, breaks and false branches of drawn lines with known answers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.connections import ConnectionCounts, connection_counts

Mask = NDArray[np.bool_]


def _road(*gaps: tuple[int, int], rows: tuple[int, int] = (40, 41)) -> Mask:
    mask = np.zeros((81, 1001), np.bool_)
    mask[rows[0] : rows[1]] = True
    for start, stop in gaps:
        mask[:, start:stop] = False
    return mask


def _counts(predicted: Mask, truth: Mask) -> ConnectionCounts:
    return connection_counts(predicted, truth, np.ones(truth.shape, np.bool_))


def test_identical_empty_and_absent() -> None:
    same = _counts(_road(), _road())
    assert (same.completeness, same.correctness, same.quality) == (1, 1, 1)
    assert (same.breaks, same.false_branches, same.true_length) == (0, 0, 1000)
    none = _counts(_road() & False, _road())
    assert (none.completeness, none.correctness, none.quality, none.breaks) == (0, 0, 0, 0)
    absent = _counts(_road(), _road() & False)
    assert (absent.completeness, absent.correctness, absent.breaks_per_km) == (None, None, None)
    assert absent.false_branches == 1


@pytest.mark.parametrize("width", [2, 4, 7, 40])
def test_every_gap_between_found_pieces_is_a_break(width: int) -> None:
    counts = _counts(_road((200, 200 + width), (600, 600 + width)), _road())
    assert counts.breaks == 2
    assert counts.breaks_per_km == 2
    # The buffer reaches 3 px into a gap from either side; of the found pixels all but the last step counts.
    assert counts.found_length == 1000 - 2 * max(width - 6, 0)


def test_a_missing_end_is_no_break() -> None:
    counts = _counts(_road((700, 1001)), _road())
    assert counts.breaks == 0
    assert counts.completeness == pytest.approx(0.702, abs=0.002)
    assert counts.correctness == 1


def test_a_missing_junction_parts_its_arms() -> None:
    truth = _road()
    truth[40:, 500] = True
    predicted = truth.copy()
    predicted[25:56, 485:516] = False
    assert _counts(predicted, truth).breaks == 2


def test_false_branches_are_counted_as_pieces_and_by_km() -> None:
    predicted = _road()
    predicted[10, 100:200] = True  # apart
    predicted[:40, 500] = True  # joined
    predicted[70, 700:705] = True  # a speck
    counts = connection_counts(predicted, _road(), predicted | True, 0.5)
    assert counts.false_branches == 2
    assert counts.true_length == 500
    assert counts.false_branches_per_km == 4
    assert counts.breaks_per_km == 0
    assert counts.unit == "m"
    assert counts.correctness == pytest.approx(1000 / (1000 + 99 + 40), abs=0.005)


def test_lines_beside_the_true_line_inside_a_wide_road_are_not_invented() -> None:
    truth = _road(rows=(25, 56))
    predicted = _road(rows=(30, 33))
    counts = _counts(predicted, truth)
    assert counts.false_branches == 0
    assert counts.correctness == 0
    assert _counts(_road(rows=(58, 59)), truth).false_branches == 0  # within 3 px of its edge
    assert _counts(_road(rows=(60, 61)), truth).false_branches == 1


def test_void_neither_counts_nor_breaks() -> None:
    truth, counted = _road((400, 500)), np.ones((81, 1001), np.bool_)
    counted[:, 400:500] = False
    for predicted in (_road(), _road((420, 480)), _road((400, 500))):
        counts = connection_counts(predicted, truth, counted)
        assert counts.breaks == 0
        assert (counts.completeness, counts.correctness) == (1, 1)
        assert counts.true_length == pytest.approx(900, abs=2)
    nothing = connection_counts(_road(), truth, np.zeros_like(counted))
    assert nothing.completeness is None
    assert (nothing.predicted_length, nothing.false_branches) == (0, 0)


def test_counts_add_and_units_do_not_mix() -> None:
    one, two = _counts(_road(), _road()), _counts(_road() & False, _road())
    assert (one + two).completeness == 0.5
    assert ConnectionCounts() + one == one
    with pytest.raises(SettingError, match="cannot be added"):
        one + connection_counts(_road(), _road(), _road() | True, 1.0)


@pytest.mark.parametrize("buffer", [-1.0, float("nan")])
def test_buffer_out_of_range(buffer: float) -> None:
    with pytest.raises(SettingError, match="buffer"):
        connection_counts(_road(), _road(), _road() | True, buffer=buffer)
