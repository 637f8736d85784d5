"""Running a user's network: on its device, in its arithmetic, on copies of the images."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from rareseg.network.subjects.feeding import Fed, as_tensor, first_picture
from rareseg.network.subjects.outputs import Layout, layout_of
from rareseg.network.subjects.setup import DTYPES, Precision, device_of, own_dtype
from rareseg.network.subjects.units import ActivationWatch
from rareseg.probing.subject import ProbeError

_LOOKED_AT = 2
"""Images of the pass that shows how outputs are laid out."""


@final
class Runner:
    """A network and the arithmetic that it is trained in."""

    def __init__(self, model: nn.Module, precision: Precision) -> None:
        """Take the network as it is; modes are the caller's business."""
        self.model, self.precision = model, precision

    @property
    def device(self) -> torch.device:
        """Return where the network lies."""
        return device_of(self.model)

    @property
    def scales_loss(self) -> bool:
        """Return whether training scales its loss: gradients in fp16 beside weights in float32."""
        return self.precision == "fp16" and own_dtype(self.model) == torch.float32

    def __call__(self, images: Any) -> Any:
        """Return what the network answers.

        Raises:
            ProbeError: with what the network raised.
        """
        mode = ", in training mode," if self.model.training else ""
        with self.autocast(), as_probe_error(f"the model{mode}"):
            return self.model(self._fed(images))

    def watched(self, watch: ActivationWatch, images: Any) -> Any:
        """Return what the network answers, its activations seen by `watch`."""
        with self.autocast(), as_probe_error("the model"):
            return watch.watch(self._fed(images))

    def look(self, fed: Fed) -> tuple[Layout, str | None]:
        """Return how outputs are laid out, and which activation gives them, from a batch's first images."""
        count = min(_LOOKED_AT, len(fed.targets))
        watch = ActivationWatch(self.model)
        images = _first(as_tensor(fed.images), count)
        output = self.watched(watch, images)
        pictures = first_picture(images)
        shape = tuple(pictures.shape) if isinstance(pictures, Tensor) else ()
        layout = layout_of(output, picture=shape, targets=tuple(np.shape(fed.targets)))
        return layout, watch.last_activation

    def cast(self, fed: Fed) -> str | None:
        """Say how images are cast, where the network would refuse them as they come; None where it would not."""
        images, own = first_picture(fed.images), own_dtype(self.model)
        # Arrays are made into tensors by the user's loop, which chooses their type.
        if not isinstance(images, Tensor) or images.dtype == own or self.precision != "fp32":
            return None
        given, wanted = spell_dtype(images.dtype), spell_dtype(own)
        scaled = "" if images.is_floating_point() else ", and not scaled"
        return (
            f"The images are {given} and the weights {wanted}: they are cast to {wanted}{scaled}. If your loop does "
            f"not do that, it stops with an error: images.to(torch.{wanted})."
        )

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of the training's arithmetic; a network that is itself in half precision needs none."""
        device = self.device.type
        if self.precision == "fp32":
            return torch.autocast(device, enabled=False)
        dtype = DTYPES[self.precision]
        return nullcontext() if own_dtype(self.model) == dtype else torch.autocast(device, dtype=dtype)

    def _fed(self, images: Any) -> Any:
        """Return a copy of `images` as the network takes them: on its device, floating; layers may write into it."""
        return _placed(as_tensor(images), self.device, own_dtype(self.model))


def spell_dtype(dtype: torch.dtype) -> str:
    """Return "float32" of torch.float32."""
    return str(dtype).removeprefix("torch.")


@contextmanager
def as_probe_error(what: str) -> Iterator[None]:
    """Turn what the user's code raises into a ProbeError that says it."""
    try:
        yield
    except ProbeError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines()
        message = f"{what} raised {type(error).__name__}: {' '.join(lines[:3]) or 'no message'}"
        raise ProbeError(message) from error


def _placed(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to(device, dtype, copy=True)
    if isinstance(value, Mapping):
        return {key: _placed(each, device, dtype) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_placed(each, device, dtype) for each in value]
    return value


def _first(value: Any, count: int) -> Any:
    if isinstance(value, Tensor):
        return value[:count]
    if isinstance(value, Mapping):
        return {key: _first(each, count) for key, each in value.items()}
    return [_first(each, count) for each in value] if isinstance(value, (list, tuple)) else value
