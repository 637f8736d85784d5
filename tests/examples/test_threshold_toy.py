from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "threshold_toy.py"


@pytest.fixture(scope="module")
def toy():
    spec = spec_from_file_location("threshold_toy", EXAMPLE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_raw_set_is_unbalanced_and_balanced_set_is_not(toy):
    assert toy.raw_set(np.random.default_rng(0)).y.mean() == pytest.approx(63 / 64, abs=0.005)
    assert toy.balanced_set(np.random.default_rng(0)).y.mean() == pytest.approx(0.5, abs=0.02)


def test_labels_follow_the_threshold(toy):
    samples = toy.raw_set(np.random.default_rng(1))
    assert samples.x[samples.y == 0, 0].max() == toy.THRESHOLD
    assert samples.x[samples.y == 1, 0].min() == toy.THRESHOLD + 1


def test_network_is_the_one_of_the_question(toy):
    assert sum(weights.numel() for weights in toy.network().parameters()) == 10 * 8 + 8 + 8 + 1


def test_remedies_separate_the_classes_of_the_raw_set(toy):
    toy.torch.manual_seed(100)
    rng = np.random.default_rng(100)
    _, adjusted = toy.with_remedies(toy.raw_set(rng), rng)
    assert adjusted.zeros <= 0.05
    assert adjusted.ones >= 0.97
