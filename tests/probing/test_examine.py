import numpy as np
import pytest
from tests.probing import fakes

from rareseg.probing.examine import Told, examine
from rareseg.progress import Silent
from rareseg.records.evidence import DataEvidence


class TwoModes(fakes.FakeSubject):
    """Answers the truth with noise in training mode, and that shrunk and shifted in evaluation mode."""

    def __init__(self, scale, shift):
        super().__init__(fakes.softmax_cross_entropy, None, trainable=False)
        self._scale, self._shift = scale, shift

    def answers(self, given, *, training=False):
        noise = np.random.default_rng(5).normal(size=given.labels.shape)
        odds = 4 * (given.labels == 1) - 3 + noise
        odds = odds if training else self._scale * odds + self._shift
        return np.stack([-odds / 2, odds / 2], axis=1).astype(np.float32)


def found_of(subject):
    data = DataEvidence(
        source="batches", images=1, pixels=1, classes=("background", "road"), shares=(0.95, 0.05)
    )
    found = examine(
        subject, Told(), lambda *_: (data, ()), seconds=60, quick=True, progress=Silent()
    )  # fmt: skip
    return found.answers


def test_both_modes_are_compared_on_the_training_batches():
    same = found_of(TwoModes(1.0, 0.0))
    assert same.mode_gap == pytest.approx(0, abs=1e-6)
    assert same.eval_mode_share == same.train_mode_share
    assert same.training_prevalence == pytest.approx(0.05, abs=0.01)
    shifted = found_of(TwoModes(1.0, 4.0))
    # The deviation of the log-odds is that of the noise and of 4 for one pixel in twenty.
    assert shifted.mode_gap == pytest.approx(4 / np.sqrt(1 + 16 * 0.05 * 0.95), rel=0.1)
    assert shifted.training_average_precision == pytest.approx(shifted.train_mode_average_precision, abs=0.01)
    assert shifted.eval_mode_share > 5 * shifted.train_mode_share


def test_a_network_that_answers_the_same_everywhere_has_no_gap():
    flat = fakes.FakeSubject(fakes.softmax_cross_entropy, fakes.constant(0.5, 2), trainable=False)
    assert found_of(flat).mode_gap is None
