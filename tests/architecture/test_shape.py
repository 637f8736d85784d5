"""The shape of the source: sizes, names, no print, one training loop."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

import rareseg

SOURCE = Path(rareseg.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES_PER_FILE = 300
MOST_LINES_PER_FUNCTION = 40
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "base"}


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(_tree(path)) if isinstance(node, kinds)]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_file_is_short(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_PER_FILE


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_functions_are_short(path: Path):
    sizes = {node.name: _lines(node) for node in _functions(path)}
    assert {name: size for name, size in sizes.items() if size > MOST_LINES_PER_FUNCTION} == {}


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end; the docstring is free, so that nobody saves on it."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def test_every_module_has_a_name_that_says_something():
    parts = {part for path in FILES for part in path.relative_to(SOURCE).with_suffix("").parts}
    assert not {part.strip("_") for part in parts} & NAMELESS


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_assert_and_no_print(path: Path):
    nodes = list(ast.walk(_tree(path)))
    assert not [node.lineno for node in nodes if isinstance(node, ast.Assert)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert not [node.lineno for node in calls if node.func.id in {"print", "eval", "exec"}]


def test_sys_exit_is_called_nowhere_below_the_command_line():
    below = [path for path in FILES if "cli" not in path.relative_to(SOURCE).parts]
    assert [_name(path) for path in below if "sys.exit" in _code(path)] == []


def test_there_is_one_training_loop():
    # A probe's single step, on the user's own loss and optimizer, is no training of ours.
    found = {_name(path) for path in FILES if ".backward(" in _code(path)}
    assert found == {"network/loop.py", "network/subjects/training.py"}


def _code(path: Path) -> str:
    """The file without comments and strings, so that prose about a call is not taken for one."""
    skipped = {
        tokenize.COMMENT,
        tokenize.STRING,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
    }
    source = io.StringIO(path.read_text(encoding="utf-8"))
    return "".join(
        token.string for token in tokenize.generate_tokens(source.readline) if token.type not in skipped
    )
