"""The door to Keras 3, on any of its backends: a model under study, losses for `compile`, a callback for `fit`.

Import Keras, or set KERAS_BACKEND, as you always do before this; without either it is TensorFlow if that is there,
else PyTorch, which is.
"""

import importlib.util
import os
import sys

from rareseg.errors import MissingPackageError

if "keras" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "torch")

try:
    import keras as _keras  # noqa: F401 - tells whether it and its backend are there
except ImportError as _error:
    _message = (
        f"Keras and the backend that it is set to are needed here; importing them raised: {_error}. "
        'Install them, pip install "rareseg[keras]", and set KERAS_BACKEND to the backend that you have: torch or jax.'
    )
    raise MissingPackageError(_message) from _error

from rareseg.doors.keras.files import KerasFile as KerasFile
from rareseg.doors.keras.files import open_model_file as open_model_file
from rareseg.doors.keras.losses import CrossEntropy as CrossEntropy
from rareseg.doors.keras.losses import Dice as Dice
from rareseg.doors.keras.losses import Sum as Sum
from rareseg.doors.keras.losses import Tversky as Tversky
from rareseg.doors.keras.subject import KerasSubject as KerasSubject
from rareseg.doors.keras.subject import subject_of_model as subject_of_model
from rareseg.doors.keras.watch import CollapseWatch as CollapseWatch
