"""Semantic segmentation of the rare class, from photos and masks to a map that is not all background.

    import rareseg

    facts = rareseg.audit("roads")                      # what is in the data
    plan = rareseg.plan(facts, minutes=5)               # what to do about it, and why
    run = rareseg.train("roads", output=Path("run"), plan=plan, audit=facts)
    report = rareseg.evaluate(Path("run"), "roads")
    rareseg.predict(Path("run"), [Path("scene.tif")], output=Path("maps"))

Every name loads on first use: `import rareseg` alone loads neither torch nor rasterio nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rareseg import errors as errors
    from rareseg import scenes as scenes
    from rareseg.errors import DataError as DataError
    from rareseg.errors import LayoutError as LayoutError
    from rareseg.errors import MaskReadingError as MaskReadingError
    from rareseg.errors import MissingPackageError as MissingPackageError
    from rareseg.errors import OutputExistsError as OutputExistsError
    from rareseg.errors import RaresegError as RaresegError
    from rareseg.errors import RecordError as RecordError
    from rareseg.errors import SettingError as SettingError
    from rareseg.errors import SplitError as SplitError
    from rareseg.errors import StaleRecordError as StaleRecordError
    from rareseg.errors import TrainingError as TrainingError
    from rareseg.errors import WeightsError as WeightsError
    from rareseg.network import losses as losses
    from rareseg.probing.watch import CollapseWatch as watch
    from rareseg.progress import Progress as Progress
    from rareseg.records.audit import Audit as Audit
    from rareseg.records.comparison import Comparison as Comparison
    from rareseg.records.dataset import DataSpec as DataSpec
    from rareseg.records.diagnosis import Diagnosis as Diagnosis
    from rareseg.records.plan import Plan as Plan
    from rareseg.records.report import Report as Report
    from rareseg.records.run import Run as Run
    from rareseg.showing import figures as plots
    from rareseg.verbs import audit as audit
    from rareseg.verbs import compare as compare
    from rareseg.verbs import demo as demo
    from rareseg.verbs import diagnose as diagnose
    from rareseg.verbs import evaluate as evaluate
    from rareseg.verbs import plan as plan
    from rareseg.verbs import predict as predict
    from rareseg.verbs import report as report
    from rareseg.verbs import train as train

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "Comparison",
    "DataError",
    "DataSpec",
    "Diagnosis",
    "LayoutError",
    "MaskReadingError",
    "MissingPackageError",
    "OutputExistsError",
    "Plan",
    "Progress",
    "RaresegError",
    "RecordError",
    "Report",
    "Run",
    "SettingError",
    "SplitError",
    "StaleRecordError",
    "TrainingError",
    "WeightsError",
    "audit",
    "compare",
    "demo",
    "diagnose",
    "errors",
    "evaluate",
    "losses",
    "plan",
    "plots",
    "predict",
    "report",
    "scenes",
    "train",
    "watch",
]

_MODULES = {
    "errors": "rareseg.errors",
    "losses": "rareseg.network.losses",
    "plots": "rareseg.showing.figures",
    "scenes": "rareseg.scenes",
}
_RECORDS = {
    "Audit": "rareseg.records.audit",
    "Comparison": "rareseg.records.comparison",
    "DataSpec": "rareseg.records.dataset",
    "Diagnosis": "rareseg.records.diagnosis",
    "Plan": "rareseg.records.plan",
    "Report": "rareseg.records.report",
    "Run": "rareseg.records.run",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in __all__:
        message = f"module 'rareseg' has no attribute {name!r}. Public names: {', '.join(__all__)}."
        raise AttributeError(message)
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "watch":
        return import_module("rareseg.probing.watch").CollapseWatch
    return getattr(import_module(_home(name)), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _home(name: str) -> str:
    if name in _RECORDS:
        return _RECORDS[name]
    if name.endswith("Error"):
        return "rareseg.errors"
    return "rareseg.progress" if name == "Progress" else "rareseg.verbs"
