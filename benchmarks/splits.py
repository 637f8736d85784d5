"""Train and score one data set over several splits by scene: prints each split and the mean.

    python benchmarks/splits.py [DATA] --minutes 5 | --steps N --seeds 0 1 2 [--set section.field=value ...] [--plain]

`--plain` trains the same network the usual way instead: plain cross-entropy, AdamW, last layer as torch makes it,
classes by argmax. Runs and reports stay in the folder named by -o.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import msgspec

import rareseg
from rareseg.cli.progress import on_stderr

PLAIN = {
    "loss.name": "cross_entropy",
    "weights.rule": "none",
    "initialisation.prior_bias": "false",
    "optimizer.name": "adamw",
    "sampling.rule": "uniform",
    "inference.decision": "argmax",
    "inference.views": "1",
}
"""The usual way: what is likelier than 0.5 is road."""


def main() -> None:
    """Parse, run every split, print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", type=Path, nargs="?", help="folder with images and masks [default: generated roads]"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for runs and reports [default: a temporary one]"
    )
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--steps", type=int, help="train by steps instead: for a machine with other work")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--group", help="regular expression that names the scene of a file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        given.output = given.output or Path(temporary)
        given.data = given.data or rareseg.scenes.write_roads(
            given.output / "scenes", count=32, size=384, seed=2
        )
        _table(given)


def _table(given: argparse.Namespace) -> None:
    settings = (PLAIN if given.plain else {}) | dict(pair.split("=", 1) for pair in given.set)
    rows = [_one(given, seed, settings) for seed in given.seeds]
    print(
        f"{'split':>6} {'class':>12} {'IoU':>7} {'AP':>7} {'F1':>7} {'F1 3px':>7} {'threshold':>9} {'macro IoU':>9}"
    )
    for seed, report in zip(given.seeds, rows, strict=True):
        for name, scores in report.classes.items():
            print(_row(str(seed), name, scores, report.macro.iou))
    for name in rows[0].classes:
        scores = [report.classes[name] for report in rows]
        print(_row("mean", name, _mean(scores), _average(report.macro.iou for report in rows)))


def _one(given: argparse.Namespace, seed: int, settings: dict[str, str]) -> rareseg.Report:
    folder = given.output / f"split{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    toml = folder / "data.toml"
    spec = {"images": str(_folder(given.data, ("images",))), "split_seed": seed}
    spec["masks"] = str(_folder(given.data, ("masks", "groundtruth", "labels")))
    if given.group:
        spec["group"] = given.group
    toml.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in spec.items()))
    shown = on_stderr()
    run = rareseg.train(
        toml,
        output=folder / "run",
        minutes=None if given.steps else given.minutes,
        steps=given.steps,
        settings=settings,
        overwrite=True,
        progress=shown,
    )
    print(
        f"split {seed}: {run.outcome}, {run.steps} steps in {run.seconds:.0f} s. {run.reason}",
        file=sys.stderr,
    )
    return rareseg.evaluate(
        folder / "run", toml, output=folder / "report.json", overwrite=True, progress=shown
    )


def _folder(data: Path, names: tuple[str, ...]) -> Path:
    return next(data.resolve() / name for name in names if (data / name).is_dir())


def _row(split: str, name: str, scores: object, macro: float | None) -> str:
    fields = ("iou", "average_precision", "f1", "relaxed_f1")
    cells = " ".join(_cell(getattr(scores, field)) for field in fields)
    return f"{split:>6} {name:>12} {cells} {_cell(scores.threshold, 9)} {_cell(macro, 9)}"


def _cell(value: float | None, width: int = 7) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.3f}"


def _mean(scores: list[object]) -> object:
    fields = [field for field in type(scores[0]).__struct_fields__ if field != "pixels"]
    means = {field: _average(getattr(entry, field) for entry in scores) for field in fields}
    return msgspec.structs.replace(scores[0], **means)


def _average(values: object) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present else None


if __name__ == "__main__":
    main()
