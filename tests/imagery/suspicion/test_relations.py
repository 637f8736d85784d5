import numpy as np
import pytest

from rareseg.imagery.suspicion.pairing import Pairing
from rareseg.imagery.suspicion.relations import paired_fields
from rareseg.imagery.suspicion.shifts import Shift


def pairing(information, power=20.0):
    return Pairing(information, 0.01, 0.002, power, np.eye(12))


def shift(rows, cols, fit):
    return Shift(rows, cols, 5.0, 0.4, 0.9, (rows, cols), fit)


def test_labels_that_fit_elsewhere_are_no_wrong_pairs():
    fields, notes = paired_fields(pairing(0.011), shift(0, 9, 0.05))
    assert fields["shift"] == (0, 9)
    assert fields["pair_information"] == 0.05
    assert fields["shift_agreement"] == 0.9
    assert len(notes) == 1


def test_a_shift_that_hardly_beats_chance_is_none():
    fields, _ = paired_fields(pairing(0.011), shift(0, 9, 0.02))
    assert "shift" not in fields
    assert fields["pair_information"] == 0.011


def test_right_pairs_keep_their_information():
    fields, notes = paired_fields(pairing(0.06), shift(0, 0, 0.06))
    assert (fields["shift"], fields["pair_information"], notes) == ((0, 0), 0.06, [])
    assert fields["shuffled_information"] == pytest.approx(0.01)


def test_what_cannot_be_told_is_left_out():
    fields, notes = paired_fields(pairing(0.011, power=2.0), None)
    assert set(fields) == {"pair_information"}
    assert "cannot be told" in notes[0]


def test_many_wrong_pairs_are_noted():
    half = Pairing(0.06, 0.01, 0.002, 20.0, np.diag([1.0, -1.0] * 6))
    _, notes = paired_fields(half, None)
    assert "About 100%" in notes[0]
