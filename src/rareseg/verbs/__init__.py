"""The verbs of rareseg, the same in Python and on the command line: each composes stages and writes records.

Everywhere, `output` is where records go, `overwrite` replaces what is there already (without it that is refused), and
`progress` is who shows progress; None shows nothing.

Each verb loads on first use, so that those that train nothing do without PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rareseg.showing import notebook

if TYPE_CHECKING:
    from rareseg.verbs.diagnosing import diagnose as diagnose
    from rareseg.verbs.mapping import demo as demo
    from rareseg.verbs.mapping import predict as predict
    from rareseg.verbs.scoring import evaluate as evaluate
    from rareseg.verbs.scoring import report as report
    from rareseg.verbs.study import audit as audit
    from rareseg.verbs.study import plan as plan
    from rareseg.verbs.training import compare as compare
    from rareseg.verbs.training import train as train

__all__ = ["audit", "compare", "demo", "diagnose", "evaluate", "plan", "predict", "report", "train"]

_HOMES = {
    **dict.fromkeys(("audit", "plan"), "study"),
    **dict.fromkeys(("train", "compare"), "training"),
    **dict.fromkeys(("evaluate", "report"), "scoring"),
    **dict.fromkeys(("predict", "demo"), "mapping"),
    "diagnose": "diagnosing",
}

notebook.register()


def __getattr__(name: str) -> Any:
    """Load a verb on first use (PEP 562)."""
    if name not in _HOMES:
        message = f"module 'rareseg.verbs' has no attribute {name!r}. Verbs: {', '.join(__all__)}."
        raise AttributeError(message)
    return getattr(import_module(f"rareseg.verbs.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
