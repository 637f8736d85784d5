"""From what a user brings to a subject."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from rareseg.errors import DataError, SettingError
from rareseg.network.subjects.criterion import loss_name, weights_of
from rareseg.network.subjects.feeding import Feed
from rareseg.network.subjects.module import TorchSubject
from rareseg.network.subjects.setup import (
    learning_rate_of,
    normalises_by_batch,
    optimizer_name,
    parameter_counts,
    precision_of,
    upsampling_of,
    versions,
)
from rareseg.probing.subject import Setup


def subject_of_module(
    model: nn.Module,
    loss: Any,
    optimizer: Any,
    data: Any,
    *,
    validation: Any = None,
    classes: Sequence[str] | int | None = None,
    class_weight: Mapping[int, float] | Sequence[float] | None = None,
    ignore_index: int | None = None,
    precision: str | None = None,
) -> TorchSubject:
    """Return a torch module as a Subject for probes; nothing of what is brought is changed.

    Args:
        model: any module from images to per-pixel answers: (images, classes, rows, cols), with one channel or without
            its axis for a yes-or-no question, channels last, (images, classes, pixels); or a dictionary with "out" or
            a tuple that starts with such a tensor. Compiled and data-parallel wrappers are taken off.
        loss: callable (outputs, targets) to one number, or None.
        optimizer: the torch optimizer of the training, or None: then training probes cannot run.
        data: training data: (images, targets), a Dataset, or an iterable of batches (images, targets[, weights]) or
            of dictionaries. A generator is read only as far as needed, and what is read is kept.
        validation: data that training does not see, in the same forms.
        classes: names or number of the classes; taken from the answers' channels if None.
        class_weight: weights that the training is meant to use, per class; read off the loss if None.
        ignore_index: label that is left out; read off the loss, or found by asking it, if None.
        precision: "fp32", "fp16" or "bf16", also as Lightning writes them; the model's own dtype or the autocast
            that is on if None.

    Raises:
        DataError: if no batch of images and targets can be read.
        SettingError: if a setting is of the wrong kind.
        ProbeError: if the model cannot be run on the first batch.
    """
    network = _checked(model)
    if hasattr(optimizer, "param_groups"):
        _check_holds(optimizer, network)
    _check_loss(loss)
    _check_optimizer(optimizer)
    names = _names(classes)
    subject = TorchSubject(
        network,
        loss,
        optimizer,
        Feed(data),
        validation=None if validation is None else Feed(validation),
        classes=len(names) if names else None,
        ignore_index=ignore_index,
        precision=precision_of(network, precision),
    )
    subject.setup = _setup(subject, names, class_weight)
    subject.without_channel(names)
    return subject


def _setup(subject: TorchSubject, names: tuple[str, ...], class_weight: Any) -> Setup:
    network, loss, optimizer = subject.model, subject.loss_called, subject.optimizer
    count = subject.form.classes
    declared, where = weights_of(loss, class_weight, count)
    parameters, trainable = parameter_counts(network, optimizer)
    return Setup(
        framework="torch",
        loss_name=loss_name(loss),
        optimizer_name=optimizer_name(optimizer),
        learning_rate=learning_rate_of(optimizer),
        parameters=parameters,
        trainable_parameters=trainable,
        classes=names or tuple(f"class {label}" for label in range(count)),
        label_form=subject.form.name,
        ignore_index=subject.form.ignore_index,
        declared_weights=declared,
        weighted_by=where,
        normalised=normalises_by_batch(network),
        precision=subject.precision,
        upsampling=upsampling_of(network),
        versions=versions(),
        trainable=loss is not None and optimizer is not None and trainable > 0,
        last_activation=subject.last_activation,
    )


def _checked(model: Any) -> nn.Module:
    """Return the module itself, without wrappers that compile it or spread it over devices."""
    while isinstance(inner := getattr(model, "_orig_mod", None), nn.Module) or (
        isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))
        and isinstance(inner := model.module, nn.Module)
    ):
        model = inner
    if not isinstance(model, nn.Module):
        message = f"model: expected a torch.nn.Module; got {type(model).__name__}."
        raise SettingError(message)
    if any(map(is_lazy, (*model.parameters(), *model.buffers()))):
        message = "model: expected layers of known shape, but some are lazy. Call model(images) once, then diagnose."
        raise DataError(message)
    if any(each.is_meta for each in (*model.parameters(), *model.buffers())):
        message = (
            "model: expected weights, but some parameters lie on the meta device, which holds shapes only. Load the "
            "weights first: model.to_empty(device='cpu'), then model.load_state_dict(...)."
        )
        raise DataError(message)
    return model


def _check_loss(loss: Any) -> None:
    if isinstance(loss, type):
        message = (
            f"loss: expected a function (outputs, targets) or a loss object; got the class {loss.__name__} itself. "
            f"Make one: {loss.__name__}()."
        )
        raise SettingError(message)
    if loss is not None and not callable(loss):
        message = f"loss: expected a callable (outputs, targets) or None; got {type(loss).__name__}."
        raise SettingError(message)


def _check_optimizer(optimizer: Any) -> None:
    if optimizer is not None and not (hasattr(optimizer, "param_groups") and hasattr(optimizer, "step")):
        message = f"optimizer: expected a torch.optim.Optimizer or None; got {type(optimizer).__name__}."
        raise SettingError(message)


def _check_holds(optimizer: Any, network: nn.Module) -> None:
    """Refuse an optimizer that trains something else."""
    own = {id(weight) for weight in network.parameters()}
    held = [weight for group in optimizer.param_groups for weight in group["params"]]
    if held and not any(id(weight) in own for weight in held):
        message = (
            f"optimizer: expected one that holds parameters of this model; its {len(held)} tensors belong to another. "
            "Make it anew from model.parameters(), after the model was built or loaded."
        )
        raise SettingError(message)


def _names(classes: Sequence[str] | int | None) -> tuple[str, ...]:
    if classes is None:
        return ()
    if isinstance(classes, int):
        return tuple(f"class {label}" for label in range(classes))
    names = tuple(str(name) for name in classes)
    # One name belongs to the positive class of a yes-or-no question.
    return ("background", *names) if len(names) == 1 else names
