"""Arrays of any framework to NumPy, and to tensors of the Keras backend at hand."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def to_numpy(value: Any) -> NDArray[Any]:
    """Return the values of an array or tensor of NumPy, PyTorch, JAX or TensorFlow."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):
            value = value.float()
        # NumPy warns of tensors that it is asked to copy itself.
        value = value.numpy()
    found: NDArray[Any] = np.asarray(value)
    return found


def to_floats(value: Any) -> NDArray[np.float32]:
    """Return the values as float32."""
    return to_numpy(value).astype(np.float32, copy=False)


def to_tensors(structure: Any) -> Any:
    """Return a structure of arrays as tensors of the backend, 64-bit floats as Keras's default float, as `fit` does."""
    return keras.tree.map_structure(_to_tensor, structure)


def values_of(tensor: Any) -> NDArray[Any]:
    """Return the values of a tensor or variable of the backend; they may change with it."""
    tensor = tensor.value if isinstance(tensor, keras.Variable) else tensor
    return to_numpy(tensor)


def is_array(value: Any) -> bool:
    """Tell whether this is an array or tensor of any framework, with at least one axis."""
    shape = getattr(value, "shape", None)
    return shape is not None and len(shape) > 0 and not isinstance(value, type)


def first_array(structure: Any) -> NDArray[Any]:
    """Return the first array of a structure that has the axes of a picture, else its first array."""
    arrays = [value for value in keras.tree.flatten(structure) if value is not None]
    return to_numpy(next((value for value in arrays if len(value.shape) == 4), arrays[0]))


def backend_module(name: str) -> Any:
    """Return the module of the backend if it is `name` and at work, else None; nothing is imported."""
    return sys.modules.get(name) if keras.backend.backend() == name else None


@contextmanager
def without_gradients() -> Iterator[None]:
    """Keep PyTorch from noting what gradients would need; other backends note nothing."""
    torch = backend_module("torch")
    if torch is None:
        yield
    else:
        with torch.no_grad():
            yield


def _to_tensor(value: Any) -> Any:
    if value is None or keras.ops.is_tensor(value):
        return value
    array = to_numpy(value)
    dtype = keras.config.floatx() if array.dtype == np.float64 else None
    return keras.ops.convert_to_tensor(array, dtype=dtype)
