"""Open a `.keras` file to ask it for answers, without running code that it holds."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import keras
import numpy as np
from numpy.typing import NDArray

from rareseg.doors.keras.arrays import to_floats, to_tensors, without_gradients
from rareseg.errors import WeightsError

_CONFIG = "config.json"
_LEGACY = (".h5", ".hdf5")
_CODE = ("Lambda", "__lambda__")
_OURS = ("keras", "builtins")


@final
class KerasFile:
    """A saved Keras model: images (images, bands, rows, cols) float32 to (images, channels, rows, cols) float32."""

    def __init__(self, model: Any) -> None:
        """Take a model that is open."""
        self._model = model

    @property
    def own(self) -> "OwnLayout":
        """Return the same model in its own layout, whichever it is."""
        return OwnLayout(self._model)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the model answers; the layout that it wants is read off its input.

        Raises:
            WeightsError: if that is no map of the image.
        """
        first = _channels_first(self._model, images.shape[1])
        return _answered(self._model, images if first else np.moveaxis(images, 1, -1), first=first)


@final
class OwnLayout:
    """A saved Keras model that is given images, and gives answers, in its own layout; others raise."""

    def __init__(self, model: Any) -> None:
        """Take a model that is open."""
        self._model = model
        shape = keras.tree.flatten(getattr(model, "input_shape", ()))
        self.input_shape: tuple[int | None, ...] = tuple(shape) if len(shape) == 4 else ()
        """Batch, then three axes in the model's order; None where any size will do; empty if it is not known."""

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answers, (images, channels, rows, cols) or (images, rows, cols, channels) as the images are.

        Raises:
            WeightsError: if that is no map of the image.
        """
        first = _channels_first(self._model, min(images.shape[1], images.shape[3]))
        maps = _answered(self._model, images, first=first)
        return maps if first else np.ascontiguousarray(np.moveaxis(maps, 1, -1))


def open_model_file(path: str | Path) -> KerasFile:
    """Return a function that asks a saved Keras model for its answers.

    Layers must be Keras's own, or classes that this process has imported and registered; nothing is compiled and no
    code in the file is run.

    Args:
        path: A `.keras` file. Other formats are refused: `.h5` keeps Lambda layers as byte code that opening may run.

    Returns:
        A function of images (images, bands, rows, cols) float32, as the model is fed, to what it answers,
        (images, channels, rows, cols) float32. The layout that the model wants is read off its input.

    Raises:
        WeightsError: if the file is missing, no `.keras` file, holds code or unknown classes, or cannot be opened.
    """
    path = Path(path)
    _check_kind(path)
    _refuse_code(path, _config(path))
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        message = f"Expected a Keras model in {path} that this Keras ({keras.__version__}) can open; {error}"
        raise WeightsError(message) from error
    return KerasFile(model)


def _check_kind(path: Path) -> None:
    if path.suffix.lower() in _LEGACY:
        message = (
            f"Expected a .keras file; received {path}. HDF5 may hold byte code that opening it runs, so it is not "
            "opened here. If you trust it, convert it once: "
            'keras.models.load_model("model.h5").save("model.keras").'
        )
        raise WeightsError(message)
    if not path.is_file():
        message = f"Expected a .keras file; there is no file {path}. Check the path."
        raise WeightsError(message)
    if path.suffix.lower() != ".keras" or not zipfile.is_zipfile(path):
        message = f'Expected a .keras file, as model.save("model.keras") writes it; received {path}.'
        raise WeightsError(message)


def _config(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_CONFIG))
    except (KeyError, ValueError, zipfile.BadZipFile, OSError) as error:
        message = f"Expected {_CONFIG} in {path}; it cannot be read: {error}. Save the model again."
        raise WeightsError(message) from error


def _refuse_code(path: Path, config: Any) -> None:
    """Look through the description before Keras does: what it may import depends on its version.

    Raises:
        WeightsError: if an object is code, or of a module that is neither Keras nor registered here.
    """
    for described in _objects(config):
        name = str(described["class_name"])
        if name in _CODE:
            message = (
                f"{path} holds a Lambda layer, that is Python code which opening the file would run; it is refused. "
                "Build the model anew with a layer of Keras in its place (Rescaling, Activation, Reshape ...) or a "
                "registered class, load the weights, and save that."
            )
            raise WeightsError(message)
        module, known = described.get("module"), described.get("registered_name")
        if keras.saving.get_registered_object(str(known)) is not None:
            continue
        if module is not None and str(module).partition(".")[0] not in _OURS:
            message = (
                f"{path} holds a {name} of {module}, which is not part of Keras. Import the module that defines it, "
                "with @keras.saving.register_keras_serializable() on the class, before opening the file."
            )
            raise WeightsError(message)
        if name == "function" and not str(module).startswith("keras"):
            message = (
                f"{path} names the function {described.get('config')} of {module}; only Keras's own are run."
            )
            raise WeightsError(message)


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _answered(model: Any, fed: NDArray[np.float32], *, first: bool) -> NDArray[np.float32]:
    """Return (images, channels, rows, cols) of what a model answers to images in its own layout."""
    with without_gradients():
        given = to_tensors(np.ascontiguousarray(fed, dtype=np.float32))
        output = keras.tree.flatten(model(given, training=False))[0]
    return _as_maps(to_floats(output), fed.shape[2:] if first else fed.shape[1:3], first=first)


def _channels_first(model: Any, bands: int) -> bool:
    """Tell whether the model wants its bands before rows and columns."""
    formats = {getattr(layer, "data_format", None) for layer in model._flatten_layers()}
    shape = keras.tree.flatten(getattr(model, "input_shape", None))
    sides = (shape[1], shape[-1]) if len(shape) == 4 else (None, None)
    if (sides[0] == bands) != (sides[1] == bands):
        return bool(sides[0] == bands)
    if formats & {"channels_first", "channels_last"}:
        return "channels_first" in formats
    return bool(keras.config.image_data_format() == "channels_first")


def _as_maps(output: NDArray[np.float32], size: tuple[int, ...], *, first: bool) -> NDArray[np.float32]:
    """Return (images, channels, rows, cols) of an output whose pixels may lie in one row.

    Raises:
        WeightsError: if that is no map of the image.
    """
    if output.ndim == 4:
        return np.ascontiguousarray(output if first else np.moveaxis(output, -1, 1))
    if output.ndim == 3 and output.shape[1:] == size:
        return output[:, None]
    if output.ndim == 3:
        for scale in range(1, max(min(size), 1) + 1):
            rows, cols = size[0] // scale, size[1] // scale
            if rows * cols == output.shape[1]:
                maps = output.reshape(len(output), rows, cols, output.shape[2])
                return np.ascontiguousarray(np.moveaxis(maps, -1, 1))
    message = (
        "Expected a model that answers (images, rows, cols, channels), or rows and columns in one axis; received "
        f"{output.shape} for images of {size}. Give a model that classifies every pixel."
    )
    raise WeightsError(message)
