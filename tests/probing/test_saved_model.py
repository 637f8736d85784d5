import cv2
import numpy as np
import pytest

from rareseg.imagery.sets.datasets import discover
from rareseg.probing.saved_model import Fed, ask_model
from rareseg.progress import Silent

RED = np.array([0.7, 0.4, 0.25], np.float32)
"""Colour of what is rare, 0..1."""


def by_colour(fed):
    """Answer how near to the rare colour a pixel is, for images of 0..1."""
    away = np.square((fed - RED[:, None, None]) / 0.1).sum(axis=1).clip(0, 30)
    return np.stack([away, 4 - away], axis=1).astype(np.float32)


@pytest.fixture
def painted(tmp_path):
    for seed in range(20):
        random = np.random.default_rng(seed)
        labels = cv2.GaussianBlur(random.normal(size=(64, 64)), (0, 0), 3) > 0.1
        photo = random.uniform(0, 255, (64, 64, 3))
        photo[labels] = 255 * RED[::-1] + random.normal(0, 8, (int(labels.sum()), 3))
        for folder, pixels in (("images", photo.clip(0, 255)), ("masks", labels * 255)):
            (tmp_path / folder).mkdir(exist_ok=True)
            assert cv2.imwrite(str(tmp_path / folder / f"s{seed}.png"), pixels.astype(np.uint8))
    return discover(tmp_path)


def asked(painted, told):
    root, dataset = painted
    return ask_model(by_colour, "model.onnx", root, dataset, told, progress=Silent())[0]


def test_a_scale_that_is_told_and_wrong_is_evidence(painted):
    found = asked(painted, Fed(scale="imagenet"))
    assert found.better_fed is not None and found.better_fed.startswith(asked(painted, Fed()).fed)
    assert found.better_fed_skill > found.fed_skill + 0.1
    assert found.fed != found.better_fed


def test_a_model_that_is_fed_rightly_has_no_better_way(painted):
    for told in (Fed(), Fed(scale="unit")):
        found = asked(painted, told)
        assert found.better_fed is None and found.better_fed_skill is None
        assert found.fed_skill > 0.8
