"""The user's loss: how it wants to be called, and what can be read off it."""

import copy
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor, nn

from rareseg.network.subjects.outputs import main_tensor
from rareseg.probing.subject import ProbeError

Loss = Callable[[Any, Any], Any]
Reshaping = Literal["as is", "squeezed", "unsqueezed"]


@dataclass(frozen=True, slots=True)
class _Call:
    """What stands between a batch and the loss in the user's own loop."""

    main_only: bool = False
    reshaping: Reshaping = "as is"
    dtype: torch.dtype | None = None

    def changes(self) -> list[tuple[str, str]]:
        """Return what is done to targets, in words and as code."""
        found = []
        if self.reshaping == "squeezed":
            found.append(("their axis of length 1 is dropped", "labels.squeeze(1)"))
        elif self.reshaping == "unsqueezed":
            found.append(("an axis of length 1 is added", "labels.unsqueeze(1)"))
        if self.dtype is not None:
            name = str(self.dtype).removeprefix("torch.")
            found.append((f"they are cast to {name}", f"labels.to(torch.{name})"))
        return found

    def targets(self, targets: Tensor) -> Tensor:
        """Return targets as the loss wants them."""
        if self.reshaping == "squeezed":
            targets = targets.squeeze(1)
        elif self.reshaping == "unsqueezed":
            targets = targets.unsqueeze(1)
        return targets if self.dtype is None else targets.to(self.dtype)


@final
class Criterion:
    """A loss, called as the user's loop calls it.

    Loops cast targets and add or drop an axis between loader and loss, and take "out" of a dictionary. Which of these
    the loss needs is found by trying: first with everything as it came, then with the least change that it accepts.
    """

    def __init__(self, loss: Loss) -> None:
        """Take the loss; nothing is called yet."""
        self.loss = loss
        self._call: _Call | None = None
        self._refused = ""

    def __call__(self, output: Any, targets: Any, *, risky: bool = False) -> Tensor:
        """Return the loss, one number.

        Args:
            output: as the network returned it.
            targets: as the data gives them; a copy is handed on, as losses write into them.
            risky: labels that no class has are among them. On a GPU these would end the process's use of the device,
                so the loss is asked on the CPU first.

        Raises:
            ProbeError: with what the loss raised.
        """
        if risky and main_tensor(output).is_cuda:
            on_cpu = Criterion(
                copy.deepcopy(self.loss).cpu() if isinstance(self.loss, nn.Module) else self.loss
            )
            on_cpu(_moved(output, "cpu"), targets.cpu())
        if self._call is None:
            self._call = self._found(output, targets)
        try:
            return self._asked(self._call, output, targets)
        except ProbeError:
            raise
        except Exception as error:
            raise ProbeError(_said(error)) from error

    def assumed(self, came: str) -> tuple[str, ...]:
        """Return sentences on how the loss is called where it refuses what the model and the data give.

        Args:
            came: what the data give, such as "float64 of shape (8, 64, 64)".
        """
        call, name = self._call or _Call(), loss_name(self.loss)
        sentences = []
        if call.main_only:
            sentences.append(f"{name} is given the model's answers alone, not all that the model returns.")
        if changes := call.changes():
            done, code = (" and ".join(words) for words in zip(*changes, strict=True))
            sentences.append(
                f"The labels are {came}, which {name} refuses ({self._refused}): for the probes {done}. If your loop "
                f"does not do that, this error is what stops it: {code}."
            )
        return tuple(sentences)

    def _found(self, output: Any, targets: Any) -> _Call:
        """Return the first way to call the loss that it accepts; as it came, if it accepts none."""
        for call in _calls(output, targets):
            try:
                with torch.no_grad():
                    self._asked(call, output, targets)
            except Exception as error:
                # Whatever it raises: it was not meant to be called so. Of the calls that change no target, the last
                # one says best why: there only the targets are wrong.
                if not call.changes():
                    self._refused = _reason(error)
                continue
            return call
        return _Call()

    def _asked(self, call: _Call, output: Any, targets: Any) -> Tensor:
        given = main_tensor(output) if call.main_only else output
        wanted = call.targets(targets.clone()) if isinstance(targets, Tensor) else copy.copy(targets)
        value = self.loss(given, wanted)
        if not isinstance(value, Tensor):
            value = torch.as_tensor(value)
        if value.numel() != 1:
            message = (
                f"the loss returned a tensor of shape {tuple(value.shape)}; expected one number. "
                'Use reduction="mean", or give lambda outputs, targets: loss(outputs, targets).mean()'
            )
            raise ProbeError(message)
        return value.reshape(())


def _calls(output: Any, targets: Any) -> Iterator[_Call]:
    """Yield ways to call a loss, those with the least change first."""
    wholes = (False,) if isinstance(output, Tensor) else (False, True)
    if not isinstance(targets, Tensor):
        yield from (_Call(main_only) for main_only in wholes)
        return
    shapes: list[Reshaping] = ["as is"]
    if targets.ndim >= 3:
        shapes += ["squeezed"] if targets.shape[1] == 1 else ["unsqueezed"]
    # Rounding would hide targets between the classes; only whole numbers are taken for indices.
    whole = not targets.is_floating_point() or bool((targets == targets.round()).all())
    dtypes = [None, torch.int64, main_tensor(output).dtype] if whole else [None, main_tensor(output).dtype]
    for main_only, shape, dtype in itertools.product(wholes, shapes, dtypes):
        yield _Call(main_only, shape, dtype)


def _said(error: Exception) -> str:
    return f"the loss raised {_reason(error)}"


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {' '.join(text[:3]) or 'no message'}"


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to(device)
    if isinstance(value, Mapping):
        moved = copy.copy(value)
        for key, each in value.items():
            moved[key] = _moved(each, device)  # type: ignore[index]
        return moved
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_moved(each, device) for each in value)
    return [_moved(each, device) for each in value] if isinstance(value, list) else value


def loss_name(loss: Loss | None) -> str:
    """Return what the loss is called: its class, its function, or "none"."""
    if loss is None:
        return "none"
    if isinstance(loss, functools.partial):
        return loss_name(loss.func)
    if inspect.isfunction(loss) or inspect.isbuiltin(loss) or inspect.ismethod(loss):
        inner = modules_of(loss)
        if loss.__name__ == "<lambda>" and inner:
            return f"lambda with {' + '.join(dict.fromkeys(type(each).__name__ for each in inner))}"
        return "lambda" if loss.__name__ == "<lambda>" else loss.__name__
    return type(loss).__name__


def modules_of(loss: Any) -> list[nn.Module]:
    """Return the loss modules in `loss`: itself and its parts, or those that a function refers to."""
    if isinstance(loss, nn.Module):
        return list(loss.modules())
    if isinstance(loss, functools.partial):
        return modules_of(loss.func)
    if inspect.ismethod(loss):
        return [part for each in _values(loss.__self__) for part in each.modules()] + modules_of(
            loss.__func__
        )
    if inspect.isfunction(loss):
        names = inspect.getclosurevars(loss)
        referred = [*names.nonlocals.values(), *names.globals.values()]
        return [part for each in referred if _is_loss(each) for part in each.modules()]
    return [part for each in _values(loss) for part in each.modules()]


def _values(owner: Any) -> list[nn.Module]:
    return [each for each in getattr(owner, "__dict__", {}).values() if _is_loss(each)]


def _is_loss(value: Any) -> bool:
    """Return whether `value` is a module that serves as a loss; a lambda may refer to the network as well."""
    known = isinstance(value, nn.modules.loss._Loss) or type(value).__name__.lower().endswith(
        ("loss", "criterion")
    )
    return known and isinstance(value, nn.Module)


def ignored_by(loss: Any) -> int | None:
    """Return the label that the loss says it leaves out, as its attribute or argument `ignore_index`."""
    found = [getattr(part, "ignore_index", None) for part in modules_of(loss)]
    if isinstance(loss, functools.partial):
        found.insert(0, loss.keywords.get("ignore_index"))
        if loss.func is nn.functional.cross_entropy:
            found.append(-100)
    found.append(getattr(loss, "ignore_index", None))
    if loss is nn.functional.cross_entropy or loss is nn.functional.nll_loss:
        found.append(-100)
    return next((int(each) for each in found if isinstance(each, int) and not isinstance(each, bool)), None)


def weights_of(loss: Any, class_weight: Any, classes: int) -> tuple[tuple[float, ...] | None, str | None]:
    """Return the weight of each class as the set-up declares it, and where it says so.

    Looked for in this order: `class_weight`, a sequence or a mapping from class index to weight, because that is what
    is meant; the loss's weight or class_weights, pos_weight (the positive class against 1), alpha of a focal loss.
    """
    meant = _weights("class_weight", class_weight, classes)
    if meant is not None:
        return meant, "class_weight"
    if isinstance(loss, functools.partial):
        for name in ("weight", "pos_weight"):
            found = _weights(name, loss.keywords.get(name), classes)
            if found is not None:
                return found, f"loss.{name}"
    for part in modules_of(loss):
        for name in ("weight", "class_weights", "pos_weight", "alpha"):
            # Tversky's alpha weighs errors, not classes.
            if name == "alpha" and "focal" not in type(part).__name__.lower():
                continue
            found = _weights(name, _setting(part, name), classes)
            if found is not None:
                return found, f"loss.{name}"
    return None, None


def _setting(part: nn.Module, name: str) -> Any:
    """Return an attribute of a loss module, or the argument of that name which it binds to a function (as SMP does)."""
    bound = [each.keywords for each in vars(part).values() if isinstance(each, functools.partial)]
    return next((each[name] for each in bound if each.get(name) is not None), getattr(part, name, None))


def _weights(name: str, value: Any, classes: int) -> tuple[float, ...] | None:
    """Return one weight per class, or None where `value` is none for each class."""
    if value is None or isinstance(value, (str, bool)):
        return None
    if isinstance(value, Mapping):
        return tuple(float(value.get(label, 1.0)) for label in range(classes))
    if isinstance(value, (Tensor, np.ndarray, Sequence, float, int)):
        numbers = [float(each) for each in np.asarray(_array(value), np.float64).reshape(-1)]
    else:
        return None
    if len(numbers) == 1 and classes == 2:
        # One number weighs the positive class: pos_weight against 1, focal alpha against 1 - alpha.
        return (1 - numbers[0] if name == "alpha" else 1.0, numbers[0])
    return tuple(numbers) if len(numbers) == classes else None


def _array(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value
