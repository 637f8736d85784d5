"""Networks of torch.export (.pt2), run here operation by operation.

torch.export.load would run code from the file: it unpickles sample inputs and constants, compiles the guards and names
of the graph as Python, and evaluates expressions of sizes. So the graph, which is JSON, is read here, and of its
operations only torch's own on tensors (aten) and plain arithmetic are done; weights are read as raw numbers.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, final

import torch
from torch import Tensor

from rareseg.errors import WeightsError
from rareseg.network.subjects.archives import Archive

_ATEN = re.compile(
    r"torch\.ops\.aten\.([a-zA-Z][a-zA-Z0-9_]*|_[a-zA-Z][a-zA-Z0-9_]*)\.([a-zA-Z][a-zA-Z0-9_]*)"
)
_TEXTS = {
    "approximate",
    "equation",
    "indexing",
    "mode",
    "ord",
    "padding",
    "padding_mode",
    "reduce",
    "rounding_mode",
    "side",
}
"""Arguments that choose among ways to compute. Others that take a text may name a file."""
_CHECKS = ("_assert", "sym_constrain", "_functional_assert")
"""Operations that only check sizes."""
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    **{f"_operator.{name}": getattr(operator, name) for name in (
        "add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge", "getitem",
        "and_", "or_", "not_",
    )},
    "math.floor": math.floor, "math.ceil": math.ceil, "math.trunc": math.trunc,
    "torch.sym_max": max, "torch.sym_min": min, "torch.sym_int": int, "torch.sym_float": float,
    "torch.sym_not": operator.not_,
}  # fmt: skip
# The numbers that the format gives to dtypes and memory formats (torch/_export/serde/schema.py).
_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
_MEMORY = {
    1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format,
}  # fmt: skip
# Kinds of arguments.
_LITERAL = {"as_int", "as_ints", "as_bool", "as_bools", "as_string", "as_int_lists"}
_NUMBERS = {"as_float", "as_floats"}
_NAMED = {
    "as_tensor", "as_tensors", "as_optional_tensor", "as_optional_tensors", "as_sym_int", "as_sym_ints", "as_sym_bool",
    "as_sym_bools", "as_sym_float", "as_sym_floats",
}  # fmt: skip
_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "as_none": lambda _: None,
    "as_scalar_type": lambda said: _DTYPES[said],
    "as_memory_format": lambda said: _MEMORY[said],
    "as_layout": lambda _: torch.strided,
    "as_device": lambda _: torch.device("cpu"),
}


@final
class ExportedNetwork:
    """One exported graph with its weights, on the CPU."""

    def __init__(self, archive: Archive) -> None:
        """Read graph and weights.

        Raises:
            WeightsError: if the file does not hold exactly one exported network, or one that needs more than torch's
                own operations.
        """
        self._where = archive.where
        names = [name for name in archive.names if name.startswith("models/") and name.endswith(".json")]
        if len(names) != 1:
            self._refuse(f"expected one network; it holds {len(names)}")
        name = names[0].removeprefix("models/").removesuffix(".json")
        try:
            program = json.loads(archive.read(names[0]))
            module = program["graph_module"]
            self._graph, signature = module["graph"], module["signature"]
            self._inputs, self._outputs = signature["input_specs"], signature["output_specs"]
            self._nodes = [(self._operation(node["target"]), node) for node in self._graph["nodes"]]
            self._weights = _tensors(archive, f"data/weights/{name}_weights_config.json", "data/weights/")
            self._weights |= _tensors(
                archive, f"data/constants/{name}_constants_config.json", "data/constants/"
            )
            self.sizes, self.dtype = self._input_meta()
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
            self._refuse(f"it does not follow the format of torch.export ({type(error).__name__}: {error})")

    def __call__(self, images: Tensor) -> Tensor:
        """Return the first output for `images`."""
        values = self._given(images)
        for operation, node in self._nodes:
            if operation is not None:
                self._bind(values, node["outputs"], self._run(operation, node, values))
        pairs = zip(self._outputs, self._graph["outputs"], strict=True)
        own = [
            output["as_tensor"] for spec, output in pairs if "user_output" in spec and "as_tensor" in output
        ]
        if not own:
            self._refuse("the network returns no tensor")
        answer: Tensor = values[own[0]["name"]]
        return answer

    def _operation(self, target: str) -> Callable[..., Any] | None:
        """Return what a node does; None for checks of sizes."""
        if target in _ARITHMETIC:
            return _ARITHMETIC[target]
        match = _ATEN.fullmatch(target)
        if match is None:
            self._refuse(f"it uses {target}, and only torch's own tensor operations (torch.ops.aten) are run")
        name, overload = match.groups()
        if name.startswith(_CHECKS):
            return None
        found: Any = getattr(getattr(torch.ops.aten, name), overload)
        texts = [each.name for each in found._schema.arguments if "str" in str(each.type)]
        if not set(texts) <= _TEXTS or not found._schema.returns:
            self._refuse(f"it uses {target}, which may do more than compute")
        return found  # type: ignore[no-any-return]

    def _run(self, operation: Callable[..., Any], node: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
        arguments = [(each.get("name") or "", self._value(each["arg"], values)) for each in node["inputs"]]
        if node["target"] in _ARITHMETIC:
            return operation(*(value for _, value in arguments))
        return operation(**dict(arguments))

    def _value(self, argument: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
        """Return what an argument stands for."""
        [(kind, said)] = [(kind, said) for kind, said in argument.items() if kind.startswith("as_")]
        if kind in _LITERAL:
            return said
        if kind in _NUMBERS:
            return [float(each) for each in said] if isinstance(said, list) else float(said)
        if kind in _NAMED:
            return (
                [self._named(each, values) for each in said]
                if isinstance(said, list)
                else self._named(said, values)
            )
        if kind not in _SETTINGS:
            self._refuse(f"it uses arguments of the kind {kind}, which are not run")
        return _SETTINGS[kind](said)

    def _named(self, said: Any, values: Mapping[str, Any]) -> Any:
        """Return a tensor or a size: by its name, or by one more level of what it stands for."""
        if "name" in said:
            return values[said["name"]]
        return values[said["as_name"]] if "as_name" in said else self._value(said, values)

    def _bind(self, values: dict[str, Any], outputs: list[Any], result: Any) -> None:
        """Give the outputs of a node their names."""
        results = [result] if len(outputs) == 1 else list(result)
        for output, each in zip(outputs, results, strict=True):
            [(kind, said)] = output.items()
            if kind == "as_tensors":
                values.update((part["name"], value) for part, value in zip(said, each, strict=True))
            elif kind != "as_none":
                values[said.get("name") or said.get("as_name")] = each

    def _given(self, images: Tensor) -> dict[str, Any]:
        """Return the inputs of the graph by name."""
        values: dict[str, Any] = {}
        for spec, place in zip(self._inputs, self._graph["inputs"], strict=True):
            [(kind, said)] = spec.items()
            if kind == "user_input":
                values[place["as_tensor"]["name"]] = images
            elif kind == "parameter":
                values[said["arg"]["name"]] = self._weights[said["parameter_name"]]
            elif kind == "buffer":
                # Graphs exported in training mode count in their buffers.
                values[said["arg"]["name"]] = self._weights[said["buffer_name"]].clone()
            elif kind == "tensor_constant":
                values[said["arg"]["name"]] = self._weights[said["tensor_constant_name"]]
            else:
                self._refuse(f"it takes an input of the kind {kind}; expected one tensor of images")
        return values

    def _input_meta(self) -> tuple[tuple[int | None, ...], torch.dtype]:
        """Return the sizes that images must have, None where any will do, and their dtype."""
        names = [
            place["as_tensor"]["name"]
            for spec, place in zip(self._inputs, self._graph["inputs"], strict=True)
            if "user_input" in spec
        ]
        if len(names) != 1:
            self._refuse(f"it takes {len(names)} inputs; expected one tensor of images")
        meta = self._graph["tensor_values"][names[0]]
        return tuple(size.get("as_int") for size in meta["sizes"]), _DTYPES[meta["dtype"]]

    def _refuse(self, why: str) -> NoReturn:
        message = (
            f"{self._where}: expected a network as torch.export.save writes it (torch 2.8 or newer), but {why}. Export "
            "it again in evaluation mode: torch.export.save(torch.export.export(model.eval(), (images,)), 'model.pt2')."
        )
        raise WeightsError(message)


def _tensors(archive: Archive, config: str, folder: str) -> dict[str, Tensor]:
    """Return the tensors that a list in the archive names, from raw bytes."""
    found = {}
    for name, entry in json.loads(archive.read(config))["config"].items():
        if entry["use_pickle"] or not entry.get("tensor_meta"):
            message = (
                f"{archive.where}: {name} is stored as a pickle, which could run code; expected raw numbers. Export "
                "again without custom objects."
            )
            raise WeightsError(message)
        meta = entry["tensor_meta"]
        dtype = _DTYPES[meta["dtype"]]
        raw = bytearray(archive.read(folder + entry["path_name"]))
        storage = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        sizes, strides = ([int(size["as_int"]) for size in meta[key]] for key in ("sizes", "strides"))
        # as_strided refuses what lies outside the bytes.
        found[name] = torch.as_strided(storage, sizes, strides, int(meta["storage_offset"]["as_int"]))
    return found
