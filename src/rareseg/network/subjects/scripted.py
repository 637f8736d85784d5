"""TorchScript archives, opened only if their code keeps to computing.

torch.jit.load imports no Python: its own reader of data.pkl knows torch's types and those that the archive's code
declares, and calls no function by name. But that code is a program of its own, which runs while loading
(__setstate__) and while answering, and torch's language can write files (torch.save), map files (from_file, the only
other operation that takes a file's name), call other machines (rpc) and reach compiled extensions. So the code is
read first, and an archive that names any of these, or hides a name, is refused; what was read is what is loaded. What
remains is what remains with every format: faults in torch's own operations.
"""

import re
import warnings
from itertools import pairwise
from typing import NoReturn

import torch
from torch import Tensor, nn

from rareseg.errors import WeightsError
from rareseg.network.subjects.archives import Archive

_NAMESPACES = {b"aten", b"prim", b"quantized", b"torchvision"}
_REACHING = re.compile(rb"\b(?:save|from_file|rpc\w*|dist_c10d)\b|\btorch\s*\.\s*classes\b")
_OPS = re.compile(rb"(?<![\w.])ops\b(?:\s*\.\s*(\w+))?")
"""The entry to operations of every kind; a path such as torchvision.ops is another thing."""
_TEXT = re.compile(rb'"(?:[^"\\\n]|\\.)*"')
_ESCAPED = re.compile(rb"\\[0-7xuUN]")
_PICKLED = re.compile(rb"torch\.classes|dist_c10d")
_NOT_NEEDED = (".debug_pkl", "bytecode.pkl")


def is_torchscript(archive: Archive) -> bool:
    """Return whether an archive holds TorchScript: code beside its data."""
    return "constants.pkl" in archive.names and any(name.startswith("code/") for name in archive.names)


def load_scripted(archive: Archive) -> nn.Module:
    """Return the network of a TorchScript archive, on the CPU, in evaluation mode.

    Raises:
        WeightsError: if its code reaches beyond tensors, or torch cannot read it.
    """
    for name in archive.names:
        if name.startswith("code/") and not name.endswith(_NOT_NEEDED):
            _check_code(archive, name)
        elif name.endswith(".pkl") and _PICKLED.search(archive.read(name)):
            _refuse(archive, name, "objects of compiled extensions")
    try:
        with warnings.catch_warnings():
            # torch advises torch.export instead; users have these files.
            warnings.simplefilter("ignore")
            module: nn.Module = torch.jit.load(archive.rewritten(_NOT_NEEDED), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[:1]
        message = (
            f"{archive.where}: torch cannot read this TorchScript archive ({' '.join(first)}). Save it again."
        )
        raise WeightsError(message) from error
    return module.eval()


def _check_code(archive: Archive, name: str) -> None:
    """Refuse code that reaches beyond tensors. In doubt it does: texts may be names, as in getattr(torch, "save")."""
    code = archive.read(name)
    bare = _without_sentences(code)
    if bare is None:
        _refuse(archive, name, "texts in a form that torch does not write")
    found = _REACHING.search(bare)
    if found is not None:
        _refuse(archive, name, found.group().decode())
    foreign = set(_OPS.findall(bare)) - _NAMESPACES
    if foreign:
        _refuse(archive, name, f"operations of {b', '.join(sorted(foreign)).decode() or 'any kind'}")


def _without_sentences(code: bytes) -> bytes | None:
    """Return code without texts that hold a space, such as messages of errors, which may use any word; no name does.

    None where texts are escaped, joined or quoted otherwise than torch's own writer does, so that a name could hide.
    """
    texts = list(_TEXT.finditer(code))
    joined = any(not code[one.end() : two.start()].strip(b" \t\r\n\\") for one, two in pairwise(texts))
    if joined or any(quote in _TEXT.sub(b"", code) for quote in (b'"', b"'", b"#")):
        return None
    kept = _TEXT.sub(lambda text: b'""' if b" " in text.group() else text.group(), code)
    return None if _ESCAPED.search(kept) else kept


def _refuse(archive: Archive, name: str, what: str) -> NoReturn:
    message = (
        f"{archive.where}: {name} uses {what}, which may reach files, other machines or compiled code; expected a "
        "network that only computes. Trace it: torch.jit.save(torch.jit.trace(model.eval(), images), 'model.pt'), "
        "or give the model itself to rareseg.diagnose in Python."
    )
    raise WeightsError(message)


def answer_of(module: nn.Module, images: Tensor) -> object:
    """Return what the network returns for `images`, given in the dtype of its weights."""
    weight = next((each for each in module.parameters() if each.is_floating_point()), None)
    return module(images if weight is None else images.to(weight.dtype))
