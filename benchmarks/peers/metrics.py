"""Exact average precision as other packages compute it: from float probabilities and 0/1 truth, both (pixels,)."""

import importlib
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Truth = NDArray[np.uint8]


def _sklearn(probabilities: Scores, truth: Truth) -> float:
    return float(importlib.import_module("sklearn.metrics").average_precision_score(truth, probabilities))


def _torchmetrics(probabilities: Scores, truth: Truth) -> float:
    torch = importlib.import_module("torch")
    package = importlib.import_module("torchmetrics.classification")
    metric = package.BinaryAveragePrecision(thresholds=None)
    return float(metric(torch.from_numpy(probabilities), torch.from_numpy(truth)))


PEERS: dict[str, Callable[[Scores, Truth], float]] = {"scikit-learn": _sklearn, "torchmetrics": _torchmetrics}


def installed() -> dict[str, str]:
    """Return the versions of the packages that are there; loads them, so that no timing pays for it."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("numpy", "cv2", "sklearn", "sklearn.metrics", "torch", "torchmetrics.classification"):
            try:
                package = importlib.import_module(name)
            except ImportError:
                found[name] = "not installed"
                continue
            if hasattr(package, "__version__"):
                found[name] = package.__version__
    return found
