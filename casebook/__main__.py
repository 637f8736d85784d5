"""Measure the diagnosis on trainings whose cause is known: `python -m casebook --help`."""

import os
import sys

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND", "torch")

if __name__ == "__main__":
    # The environment above must stand before anything loads NumPy, PyTorch or Keras.
    from casebook.command import main

    sys.exit(main())
