"""Weights and training state on disk: safetensors and strict JSON, nothing that can run code."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rareseg.errors import WeightsError
from rareseg.network.optimizers import Stepper
from rareseg.records.codec import decode, encode, give_usual_mode
from rareseg.records.run import TrainingState

BEST, LAST, STATE = "best.safetensors", "last.safetensors", "state.safetensors"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write named tensors under a temporary name, then rename to `path`, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    # Clones: safetensors refuses tensors that share memory, and wants them contiguous.
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(copies, temporary, metadata)
    give_usual_mode(temporary)
    temporary.replace(path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors.

    Raises:
        WeightsError: if the file is missing, truncated or not safetensors.
    """
    try:
        return load_file(path)
    except FileNotFoundError as error:
        message = (
            f"{path}: expected a safetensors file, but there is none. Is this the folder of a finished run?"
        )
        raise WeightsError(message) from error
    except (SafetensorError, OSError) as error:
        message = f"{path}: expected a safetensors file, but it cannot be read ({error}). Train again or restore it."
        raise WeightsError(message) from error


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give `model` the weights in `tensors`, all of them.

    Raises:
        WeightsError: naming the keys and shapes that do not fit, or the tensors that are not finite.
    """
    own = model.state_dict()
    missing = sorted(own.keys() - tensors.keys())
    unexpected = sorted(tensors.keys() - own.keys())
    shapes = [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(own[name].shape)}"
        for name in sorted(own.keys() & tensors.keys())
        if own[name].shape != tensors[name].shape
    ]
    if missing or unexpected or shapes:
        message = (
            f"{where} does not fit the network: {_few('missing', missing)}{_few('unexpected', unexpected)}"
            f"{_few('other shape', shapes)}use the weights of the same model and classes."
        )
        raise WeightsError(message)
    broken = [name for name, tensor in sorted(tensors.items()) if not bool(torch.isfinite(tensor).all())]
    if broken:
        message = (
            f"{where} holds numbers that are not finite ({', '.join(broken[:3])}): train again or restore it."
        )
        raise WeightsError(message)
    model.load_state_dict(dict(tensors))


def save_state(
    folder: Path, model: nn.Module, average: Mapping[str, Tensor], stepper: Stepper, state: TrainingState
) -> None:
    """Write all that --resume needs into one file, so that tensors and step never disagree."""
    named = {f"model/{name}": value for name, value in model.state_dict().items()}
    named |= {f"average/{name}": value for name, value in average.items()}
    named |= {f"optimizer/{name}": value for name, value in stepper.tensors().items()}
    save_tensors(folder / STATE, named, metadata={"state": encode(state).decode()})


def load_state(folder: Path) -> tuple[TrainingState, dict[str, dict[str, Tensor]]]:
    """Return the state and its tensors by owner: "model", "average" and "optimizer".

    Raises:
        WeightsError: if there is no state to resume, or it cannot be read.
        RecordError: if the state does not fit this version.
    """
    path = folder / STATE
    tensors = load_tensors(path)
    with safe_open(path, framework="pt") as stream:
        metadata = stream.metadata() or {}
    state = decode(metadata.get("state", "{}").encode(), TrainingState, str(path))
    owners: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        owner, _, key = name.partition("/")
        owners.setdefault(owner, {})[key] = tensor
    return state, owners


def averaged(average: dict[str, Tensor], model: nn.Module, *, decay: float, step: int) -> None:
    """Move `average` towards the model's weights and buffers: a <- d a + (1 - d) w, in place.

    d = min(decay, (1 + step) / (10 + step)), so that the average forgets the random start
    (the rule of TensorFlow's ExponentialMovingAverage).
    """
    rate = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                average[name].lerp_(value, rate)
            else:
                average[name].copy_(value)


def _few(title: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{title}: {', '.join(names[:3])}{more}; "
