import numpy as np
import pytest

from rareseg.imagery.suspicion.looks import Look
from rareseg.imagery.suspicion.mirrors import better_laid

UNDONE = {
    "mirrored left to right": lambda labels: labels[:, :, ::-1],
    "mirrored top to bottom": lambda labels: labels[:, ::-1],
    "transposed": lambda labels: labels.transpose(0, 2, 1),
    "turned by 90 degrees": lambda labels: np.rot90(labels, -1, axes=(1, 2)),
}


def looks(pictures, labels):
    return [Look(*pair, str(index)) for index, pair in enumerate(zip(pictures, labels, strict=True))]


@pytest.mark.parametrize("name", UNDONE)
def test_says_how_labels_would_have_to_be_laid(drawn, name):
    pictures, labels = drawn(8, 80)
    assert better_laid(looks(pictures, UNDONE[name](labels)), 2) == name


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_lie_well_or_belong_elsewhere_are_left(drawn, seed):
    pictures, labels = drawn(8, seed=seed)
    assert better_laid(looks(pictures, labels), 2) is None
    assert better_laid(looks(pictures, np.roll(labels, 1, axis=0)), 2) is None
