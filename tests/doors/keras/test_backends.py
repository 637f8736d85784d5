"""The core of this folder's tests on JAX; all of them: KERAS_BACKEND=jax pytest tests/doors/keras."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

CORE = (
    "values_and_gradients",
    "left_behind and trained",
    "goes_on_as_if",
    "scaled_from and schedule",
    "class_weights_do_what",
    "units_are_counted",
    "constant_output and True",
    "the_backend_is",
)
"""What could differ there: stateless steps, compiled functions, the state that `fit` holds back from callbacks."""
SECOND = "RARESEG_SECOND_BACKEND"
HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.mark.skipif(SECOND in os.environ, reason="this is the second run")
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_the_core_passes_on_jax() -> None:
    # What is compiled runs once or twice here: compiling it well takes longer than running it badly.
    fast = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": fast,
        SECOND: "1",
    }
    core = " or ".join(f"({names})" for names in CORE)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE), "-k", core]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout


def test_the_backend_is_the_one_that_was_asked_for() -> None:
    import keras

    assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
