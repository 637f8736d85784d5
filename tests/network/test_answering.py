"""A run as a source: windows are the same wherever they are cut."""

import numpy as np
import pytest

from rareseg.errors import DataError
from rareseg.imagery.tiles import Window
from rareseg.network import forward
from rareseg.network.answering import check_fit, of_run
from rareseg.network.trained import load_run


def test_windows_with_a_halo_are_parts_of_the_whole_map(roads_run, roads, monkeypatch):
    trained = load_run(roads_run)
    dataset = trained.audit.dataset
    pair = dataset.pairs[0]
    source = of_run(trained, roads, dataset, [pair], name="run", notes=("said",))
    (whole,) = source.windows([pair], 0)
    assert whole.core == Window(0, 0, pair.height, pair.width)
    monkeypatch.setattr(forward, "BLOCK", 40)
    monkeypatch.setattr(forward, "_LEAST_BLOCK", 8)
    parts = list(source.windows([pair], 5))
    assert len(parts) > 1
    assert [part.first for part in parts] == [True] + [False] * (len(parts) - 1)
    seen = np.zeros((pair.height, pair.width), int)
    for part in parts:
        place = part.window
        rows, cols = slice(place.row, place.row + place.height), slice(place.col, place.col + place.width)
        np.testing.assert_allclose(
            part.answer.probabilities, whole.answer.probabilities[:, rows, cols], atol=1e-5
        )
        np.testing.assert_array_equal(part.labels, whole.labels[rows, cols])
        top, left = place.row + part.core.row, place.col + part.core.col
        seen[top : top + part.core.height, left : left + part.core.width] += 1
    assert (seen == 1).all()
    one = source.window(pair, Window(11, 7, 30, 41))
    np.testing.assert_allclose(
        one.answer.probabilities, whole.answer.probabilities[:, 11:41, 7:48], atol=1e-5
    )
    assert (source.kind, source.notes, source.thresholds) == ("run", ("said",), trained.run.thresholds)


def test_data_that_do_not_fit_are_refused(roads_run, land_run, tmp_path):
    trained, other = load_run(roads_run), load_run(land_run)
    check_fit(trained, trained.audit.dataset, tmp_path)
    with pytest.raises(DataError, match="does not fit the run"):
        check_fit(trained, other.audit.dataset, tmp_path)
