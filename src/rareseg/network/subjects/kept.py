"""Remembering all that a training may change in modules and optimizers, and putting it back in place, bit for bit."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

Return = Callable[[], Any]
"""Gives back the object that was remembered: the same object, its contents as they were."""


@final
class Memory:
    """What objects held when they were remembered.

    Everything is put back in place: parameters, buffers, optimizer states and lists stay the same objects with the
    same storage, so that whoever else refers to them sees nothing. Objects other than tensors, arrays, lists, sets
    and dictionaries are put back by reference.
    """

    def __init__(self, *, parameters: bool = True) -> None:
        """Start empty; with `parameters` False, what parameters hold is taken as never changed, which spares memory."""
        self._parameters = parameters
        self._seen: dict[int, tuple[Any, Return]] = {}
        self._modes: list[tuple[nn.Module, bool]] = []
        self._returns: list[Return] = []

    def add_module(self, module: nn.Module) -> None:
        """Remember parameters, gradients, buffers, modes, hooks and plain attributes of `module` and all below."""
        for part in module.modules():
            self._modes.append((part, part.training))
            self._returns.append(self._held(part.__dict__))
        # Compiled TorchScript keeps its tensors outside __dict__.
        self._returns += [self._held(each) for each in (*module.parameters(), *module.buffers())]

    def add_attributes(self, owner: object) -> None:
        """Remember the attributes of `owner`, such as an optimizer with its state and groups."""
        self._returns.append(self._held(owner.__dict__))

    def put_back(self) -> None:
        """Make everything as it was."""
        for give_back in self._returns:
            give_back()
        for module, training in self._modes:
            if module.training != training:
                module.training = training

    def _held(self, value: Any) -> Return:
        """Return what gives `value` back; one object is remembered once, however many refer to it."""
        known = self._seen.get(id(value))
        if known is not None:
            return known[1]
        done: list[Any] = []

        def once() -> Any:
            # A list may hold itself: the flag is set before the contents are put back.
            if not done:
                done.append(True)
                contents()
            return value

        # The entry holds `value` itself, so that its id cannot be given to another object.
        self._seen[id(value)] = (value, once)
        contents = self._contents(value)
        return once

    def _contents(self, value: Any) -> Callable[[], None]:
        """Return what puts the contents of `value` back."""
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray):
            return _array(value)
        if type(value) in (dict, OrderedDict, defaultdict):
            return self._dictionary(value)
        if type(value) in (list, deque):
            return self._sequence(value)
        if type(value) is set:
            return _set(value)
        return _nothing

    def _dictionary(self, value: dict[Any, Any]) -> Callable[[], None]:
        held = [(key, self._held(key), self._held(each)) for key, each in value.items()]

        def restore() -> None:
            entries = [(key_back(), back()) for _, key_back, back in held]
            value.clear()
            value.update(entries)

        return restore

    def _sequence(self, value: Any) -> Callable[[], None]:
        held = [self._held(each) for each in value]

        def restore() -> None:
            entries = [back() for back in held]
            value.clear()
            value.extend(entries)

        return restore

    def _tensor(self, value: Tensor) -> Callable[[], None]:
        if isinstance(value, nn.Parameter) and not self._parameters:
            return _nothing
        # The alias shares the storage: it is where the numbers go, should `value.data` be replaced.
        alias = value.data
        copy = alias.clone() if _writable(alias) else None
        gradient = self._held(value.grad) if value.is_leaf else None
        wants = value.requires_grad

        def restore() -> None:
            if not _same_place(value.data, alias):
                value.data = alias
            if copy is not None:
                alias.copy_(copy)
            if gradient is not None:
                value.grad = gradient()
                value.requires_grad_(wants)

        return restore


def _nothing() -> None:
    """Put nothing back: the reference is all."""


def _array(value: np.ndarray[Any, Any]) -> Callable[[], None]:
    copy = value.copy()

    def restore() -> None:
        if value.flags.writeable:
            value[...] = copy

    return restore


def _set(value: set[Any]) -> Callable[[], None]:
    copy = set(value)

    def restore() -> None:
        value.clear()
        value.update(copy)

    return restore


def _writable(tensor: Tensor) -> bool:
    """Return whether numbers can be written into `tensor`: not into an expanded or an inference tensor."""
    expanded = (
        any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True))
        if tensor.layout == torch.strided
        else True
    )
    return not expanded and not tensor.is_inference()


def _same_place(one: Tensor, other: Tensor) -> bool:
    if one.layout != torch.strided or other.layout != torch.strided:
        return one is other
    return (
        one.data_ptr() == other.data_ptr() and one.shape == other.shape and one.stride() == other.stride()
    ) and one.dtype == other.dtype
