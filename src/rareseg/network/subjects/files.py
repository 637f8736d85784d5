"""Networks in files, as functions from images to answers. Nothing in a file may run code of its own."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rareseg.errors import DataError, WeightsError
from rareseg.measures.preparations import Answerer
from rareseg.network.subjects.archives import Archive
from rareseg.network.subjects.exported import ExportedNetwork
from rareseg.network.subjects.outputs import main_tensor
from rareseg.network.subjects.scripted import answer_of, is_torchscript, load_scripted
from rareseg.network.trained import TrainedRun, load_run
from rareseg.probing.subject import ProbeError

_HOW = (
    "Save the network as torch.export.save(torch.export.export(model.eval(), (images,)), 'model.pt2'), as "
    "torch.jit.save(torch.jit.trace(model.eval(), images), 'model.pt') or as ONNX; or build the model in Python, load "
    "the weights, and call rareseg.diagnose(model, loss, optimizer, data)."
)


@final
class FileNetwork:
    """A network in a file: from images (images, bands, rows, cols) to answers (images, channels, rows, cols)."""

    def __init__(
        self, answer: Answerer, input_shape: tuple[int | None, ...] = (), classes: tuple[str, ...] = ()
    ) -> None:
        """Keep what is known of it."""
        self._answer = answer
        self.input_shape = input_shape
        """Axes of the images; None where any size will do; empty if the file does not say."""
        self.classes = classes
        """Names in the order of the channels; empty if the file does not say."""

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network answers, float32; see `answers_of_file`."""
        return self._answer(images)


def answers_of_file(path: Path) -> FileNetwork:
    """Open a network: TorchScript, torch.export (.pt2) or the folder of a rareseg run; its content tells which.

    Args:
        path: the file or folder.

    Returns:
        A function from images (images, bands, rows, cols) float32 to answers (images, channels, rows, cols) float32:
        what the network returns, be it logits or probabilities; of a dictionary or a tuple its main tensor. A rareseg
        run is given photos as they are, scales them itself and answers probabilities. It raises ProbeError with
        what the network raised, and DataError where images have a size that the file was not exported for.

    Raises:
        WeightsError: if the file cannot be read, is of another kind, or could run code: checkpoints of torch.save are
            pickles and are refused.
        RecordError: if a folder is not that of a finished run.
    """
    if path.is_dir():
        run = load_run(path)
        return FileNetwork(_of_run(run), classes=run.plan.classes)
    if not path.is_file():
        message = f"{path}: expected a file with a network or the folder of a rareseg run, but there is none."
        raise WeightsError(message)
    if not zipfile.is_zipfile(path):
        raise WeightsError(_what_else(path))
    archive = Archive(path)
    if is_torchscript(archive):
        module = load_scripted(archive)
        return FileNetwork(_guarded(lambda images: main_tensor(answer_of(module, images))))
    if any(name.startswith("models/") for name in archive.names):
        network = ExportedNetwork(archive)
        answer = _guarded(lambda images: _in_size(network, images, str(path)))
        return FileNetwork(answer, tuple(network.sizes))
    raise WeightsError(_what_else(path, archive))


def _of_run(trained: TrainedRun) -> Answerer:
    mapper = trained.mapper()

    def answer(images: NDArray[np.float32]) -> NDArray[np.float32]:
        everywhere = np.ones(images.shape[-2:], np.bool_)
        return np.stack([mapper.map_image(photo, everywhere) for photo in images])

    return answer


def _guarded(run: Callable[[Tensor], Tensor]) -> Answerer:
    """Return a function of arrays, without gradients, that says what a network raises."""

    def answer(images: NDArray[np.float32]) -> NDArray[np.float32]:
        given = torch.from_numpy(np.ascontiguousarray(images, np.float32).copy())
        try:
            with torch.inference_mode():
                output = run(given).float().cpu()
        except (DataError, WeightsError, ProbeError):
            raise
        except Exception as error:
            lines = str(error).strip().splitlines()
            message = f"the network raised {type(error).__name__}: {' '.join(lines[-2:]) or 'no message'}"
            raise ProbeError(message) from error
        return (output[:, None] if output.ndim == 3 else output).numpy()

    return answer


def _in_size(network: ExportedNetwork, images: Tensor, where: str) -> Tensor:
    """Run a network that may have been exported for one size only; for one number of images, in parts of that."""
    wanted, given = network.sizes[1:], tuple(images.shape[1:])
    if len(wanted) != len(given) or any(
        size not in {None, own} for size, own in zip(wanted, given, strict=True)
    ):
        sizes = " x ".join("any" if size is None else str(size) for size in wanted)
        message = (
            f"{where}: expected images of {sizes}, for which it was exported; got {' x '.join(map(str, given))}. Give "
            "images of that size, or export with dynamic_shapes for rows and columns."
        )
        raise DataError(message)
    images = images.to(network.dtype)
    count = network.sizes[0]
    if count is None:
        return network(images)
    missing = -len(images) % count
    filled = torch.cat([images, images[-1:].expand(missing, *given)])
    return torch.cat([network(filled[start : start + count]) for start in range(0, len(filled), count)])[
        : len(images)
    ]


def _what_else(path: Path, archive: Archive | None = None) -> str:
    """Return what to do with a file that is not opened."""
    start = path.read_bytes()[:2] if archive is None else b""
    if archive is not None and any(name.endswith(".pkl") for name in archive.names) or start == b"\x80\x02":
        return (
            f"{path}: this is a pickle, as torch.save writes checkpoints; opening it could run any code, and it holds "
            f"no network that runs by itself. {_HOW}"
        )
    if path.suffix == ".safetensors":
        return f"{path}: this file holds weights, but not the network that they belong to. {_HOW}"
    if archive is not None and any(name.startswith("serialized_") for name in _whole_names(path)):
        return f"{path}: this was exported by torch before 2.8. Export it again with a newer one. {_HOW}"
    return f"{path}: expected TorchScript, torch.export (.pt2) or the folder of a rareseg run; it is none. {_HOW}"


def _whole_names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as whole:
        return whole.namelist()
