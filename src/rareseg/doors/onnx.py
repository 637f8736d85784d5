"""ONNX files as functions from arrays to arrays. The only importer of onnxruntime and onnx, an optional extra.

A file is parsed before it runs: its weights may lie in files beside it, which are read only if they lie in its own
folder. Nothing is registered that could bring code of its own.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, MissingPackageError, SettingError, WeightsError

Floats = NDArray[np.float32]

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32,
}
_QUIET = 3
"""onnxruntime's level of messages: errors only."""


@final
class OnnxModel:
    """One ONNX model of images, run on the CPU.

    Calling it gives its answer in its own layout: float32 (N, C, rows, cols) to (N, K, rows, cols), or channels last
    where the model was exported so; `measures.feeding` finds out which.
    """

    def __init__(self, session: Any, path: Path) -> None:
        """Use an open session; `open_onnx` makes one.

        Raises:
            DataError: if the model does not take one batch of images and give maps.
        """
        self.path = path
        self._session = session
        self._input = _image_input(session, path)
        self._output = _map_output(session, path)
        self.input_shape: tuple[int | None, ...] = _shape(self._input)
        """As declared: batch, then channels, rows, cols in the model's order; None where any size will do."""
        self.output_shape: tuple[int | None, ...] = _shape(self._output)

    def __call__(self, images: Floats) -> Floats:
        """Run the model.

        Args:
            images: (N, ...) float32 in the model's own layout and scale. A model that takes one image at a time
                is called for each.

        Returns:
            float32, in the model's own layout.

        Raises:
            SettingError: if the model does not take images of this shape, with what it said.
        """
        batch = self.input_shape[0]
        if batch is not None and batch != len(images) and len(images) % batch == 0:
            parts = [self._run(images[start : start + batch]) for start in range(0, len(images), batch)]
            return np.concatenate(parts)
        return self._run(images)

    def _run(self, images: Floats) -> Floats:
        fed = np.ascontiguousarray(images.astype(_DTYPES[self._input.type], copy=False))
        try:
            answers = self._session.run([self._output.name], {self._input.name: fed})[0]
        except Exception as error:  # onnxruntime raises classes of its own, without a common one
            message = (
                f"{self.path}: the model takes {_said(self.input_shape)} and refused images of shape "
                f"{images.shape}: {_first_line(error)}. Feed it images of the size and layout it was exported for."
            )
            raise SettingError(message) from error
        return np.asarray(answers, np.float32)


def open_onnx(path: Path, *, threads: int = 0) -> OnnxModel:
    """Open an ONNX file for running on the CPU.

    Args:
        path: the file. Weights that it keeps in other files must lie in its folder.
        threads: of one run; 0 is one per core.

    Raises:
        MissingPackageError: if onnxruntime or onnx is not installed.
        WeightsError: if the file is missing, or its weights are.
        DataError: if it is no ONNX, refers to files outside its folder, or does not map images.
    """
    runtime, onnx = _imported("onnxruntime"), _imported("onnx")
    if not path.is_file():
        message = f"{path} is not there. Expected an ONNX file, such as torch.onnx.export or tf2onnx writes."
        raise WeightsError(message)
    _check_external(_parsed(onnx, path), onnx, path)
    options = runtime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = threads
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, without a common one
        message = (
            f"{path}: onnxruntime {runtime.__version__} does not open it: {_first_line(error)}. Export it again "
            "with an opset that this version knows, without operators of your own, or update onnxruntime."
        )
        raise DataError(message) from error
    return OnnxModel(session, path)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f"ONNX models need {name}, which is not installed. Install it: pip install 'rareseg[onnx]'"
        raise MissingPackageError(message) from error


def _parsed(onnx: Any, path: Path) -> Any:
    """Parse a model without the weights that lie in other files."""
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own classes differ by version
        message = f"{path} is no ONNX file: {_first_line(error)}. Expected a model exported as ONNX (.onnx)."
        raise DataError(message) from error
    # Almost any bytes parse as an empty message.
    if not model.ir_version or not model.graph.node:
        message = f"{path} is no ONNX file: it holds no graph. Expected a model exported as ONNX (.onnx)."
        raise DataError(message)
    return model


def _check_external(model: Any, onnx: Any, path: Path) -> None:
    """Refuse weights in files outside the model's folder, before anything opens them."""
    folder = path.resolve().parent
    for location in sorted(set(_locations(model, onnx))):
        target = (folder / location).resolve()
        # Links are followed first, so that one inside the folder cannot lead out of it.
        if Path(location).is_absolute() or not target.is_relative_to(folder):
            message = (
                f"{path} keeps weights in {location!r}, outside its folder {folder}. Only files in the folder "
                "of the model are read: put them there and export again, or save the model as one file."
            )
            raise DataError(message)
        if not target.is_file():
            message = f"{path} keeps weights in {location!r}, which is not in {folder}. Copy it there."
            raise WeightsError(message)


def _locations(message: Any, onnx: Any) -> Iterator[str]:
    """Yield the external files of all tensors anywhere in a protobuf message: graphs, subgraphs, functions."""
    if isinstance(message, onnx.TensorProto):
        yield from (entry.value for entry in message.external_data if entry.key == "location")
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        repeated = not hasattr(value, "ListFields")
        for inner in value if repeated else (value,):
            yield from _locations(inner, onnx)


def _image_input(session: Any, path: Path) -> Any:
    inputs = session.get_inputs()
    images = [one for one in inputs if one.type in _DTYPES and len(one.shape) == 4]
    if len(inputs) != 1 or len(images) != 1:
        found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs) or "none"
        message = f"{path}: expected a model of one input, a batch of images of 4 dimensions; it has {found}."
        raise DataError(message)
    return images[0]


def _map_output(session: Any, path: Path) -> Any:
    """Return the first output that may be maps; auxiliary heads come after it."""
    outputs = session.get_outputs()
    maps = [one for one in outputs if len(one.shape) in (3, 4)]
    if not maps:
        found = ", ".join(f"{one.name} {one.shape}" for one in outputs)
        message = (
            f"{path}: expected an output of 4 dimensions, a channel for each class; it has {found}. This is no model "
            "of maps."
        )
        raise DataError(message)
    return maps[0]


def _shape(described: Any) -> tuple[int | None, ...]:
    return tuple(side if isinstance(side, int) and side > 0 else None for side in described.shape)


def _said(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
