"""`import rareseg` and `--help` are cheap: frameworks load only when used."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rareseg

SOURCE = Path(rareseg.__file__).parent
ROOT = SOURCE.parent.parent
HEAVY = {
    "torch",
    "lightning_fabric",
    "rasterio",
    "numpy",
    "cv2",
    "scipy",
    "rich",
    "tensorboard",
    "matplotlib",
}
LISTING = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"


def _loaded(code: str) -> set[str]:
    script = f"import sys\nsys.path.insert(0, {str(SOURCE.parent)!r})\n{code}\n{LISTING}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stderr.split())


def test_importing_rareseg_loads_no_framework():
    assert not _loaded("import rareseg") & HEAVY


@pytest.mark.parametrize(
    "command", ["", "audit", "plan", "train", "compare", "evaluate", "predict", "remedies", "demo"]
)
def test_help_loads_no_framework(command: str):
    arguments = [command, "--help"] if command else ["--help"]
    loaded = _loaded(f"from rareseg.cli import main\nmain({arguments!r}, standalone_mode=False)")
    assert "click" in loaded
    assert not loaded & HEAVY


def test_errors_and_progress_need_nothing():
    assert not _loaded("import rareseg.errors, rareseg.progress") & (HEAVY | {"msgspec", "click"})


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in plain | named}


@pytest.mark.parametrize("folder", ["src/rareseg", "tests"])
def test_every_imported_package_is_declared(folder: str):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = [line for extra in ("smp", "keras", "lightning", "onnx") for line in extras[extra]]
    lines = [*project["dependencies"], *optional, *(extras["dev"] if folder == "tests" else [])]
    declared = {re.split(r"[\[<>=~! ]", line)[0].lower().replace("-", "_") for line in lines}
    named = {"opencv_python_headless": "cv2", "scikit_image": "skimage"}
    own = {"rareseg", "tests", "casebook", *(name for package, name in named.items() if package in declared)}
    imported = set().union(*(_imports(path) for path in (ROOT / folder).rglob("*.py")))
    assert imported - set(sys.stdlib_module_names) - own <= declared


def test_dependencies_have_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in project["dependencies"]:
        assert re.fullmatch(r"[A-Za-z0-9-]+>=[0-9.]+", line), line
