"""Does it collapse? Generated roads from 20 % down to 0.05 % of the pixels, the same network and steps, four recipes.

    python benchmarks/collapse.py [--steps 400] [--seeds 0 1 2] [--shares 0.2 0.05 0.01 0.002 0.0005] [-o OUT]

default  the plan by rareseg's rules
bce      plain cross-entropy, AdamW, last layer as torch makes it, classes at probability 0.5
dice     the same with Dice alone (rareseg's)
smp      segmentation_models.pytorch's own example: its DiceLoss from logits, Adam at 2e-4, probability 0.5

All train the same network on the same crops of 128 px, 8 a step; scores are of scenes that neither training nor the
choice of thresholds saw. A run counts as collapsed if it says so itself (it ranks held-out pixels no better than
chance) or if its map of those scenes has an IoU below 0.05. `--recipe name=section.field=value,...` adds another
recipe, as a change of bce. `--alone` trains every remedy of the catalogue by itself instead, each as a change of bce
(shape losses beside cross-entropy, as they are meant): the table in docs/remedies.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import segmentation_models_pytorch as smp
import torch

import rareseg
from rareseg.remedies import catalogue

_SHARED = {"crop.size": "128", "batch.size": "8", "inference.views": "1", "watch.validations": "2"}
_BCE = {
    "loss.name": "cross_entropy",
    "weights.rule": "none",
    "sampling.rule": "uniform",
    "initialisation.prior_bias": "false",
    "optimizer.name": "adamw",
    "inference.decision": "argmax",
}
RECIPES: dict[str, dict[str, str]] = {
    "default": {},
    "bce": _BCE,
    "dice": {**_BCE, "loss.name": "dice"},
    "smp": {
        **_BCE,
        "loss.name": "smp_dice",
        "optimizer.learning_rate": "2e-4",
        "optimizer.weight_decay": "0",
        "optimizer.clip_norm": "1e9",
    },
}


_BESIDE = ("lovasz", "boundary", "hausdorff", "cldice", "skeleton_recall", "rmi")
"""Losses that are made to stand beside another."""
_LOST = 0.05
"""IoU on held-out scenes below which a map is lost."""


def smp_dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return SMP's Dice of the second class, as its example calls it; softmax of two is sigmoid of the difference."""
    return smp.losses.DiceLoss("binary", from_logits=True)(logits[:, 1:] - logits[:, :1], labels[:, None])


class Cell(NamedTuple):
    """One training."""

    share: float
    recipe: str
    seed: int
    outcome: str
    steps: int
    iou: float
    average_precision: float
    rare_pixels: float
    """Pixels of road that training has shown, expected for crops that lie anywhere."""


def main() -> None:
    """Parse, train every cell, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for scenes and runs [default: a temporary one]"
    )
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.2, 0.05, 0.01, 0.002, 0.0005])
    parser.add_argument("--recipe", action="append", default=[], metavar="NAME=SECTION.FIELD=VALUE,...")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--only", nargs="+", help="names of the recipes to train")
    given = parser.parse_args()
    rareseg.losses.add("smp_dice", smp_dice)
    recipes = {**(_alone() if given.alone else RECIPES), **dict(_recipe(text) for text in given.recipe)}
    if given.only:
        recipes = {name: recipes[name] for name in given.only}
    with tempfile.TemporaryDirectory() as temporary:
        given.output = given.output or Path(temporary)
        given.output.mkdir(parents=True, exist_ok=True)
        cells = list(_cells(given, recipes))
        if given.alone:
            _print_alone(cells)
        else:
            _print(cells, list(recipes))


def _alone() -> dict[str, dict[str, str]]:
    """Return every remedy by itself, as a change of bce."""
    settings: dict[str, dict[str, str]] = {"none (bce)": {}}
    for name in catalogue.names("loss"):
        if name not in ("cross_entropy", "smp_dice"):
            loss = f"cross_entropy + {name}" if name in _BESIDE else name
            settings[loss] = {"loss.name": loss}
    settings["cross_entropy + dice"] = {"loss.name": "cross_entropy + dice"}
    settings |= {name: {"weights.rule": name} for name in catalogue.names("weights")}
    settings |= {name: {"sampling.rule": name} for name in catalogue.names("sampling")}
    settings["prior_bias"] = {"initialisation.prior_bias": "true"}
    settings["muon"] = {"optimizer.name": "muon"}
    return {name: {**_BCE, **own} for name, own in settings.items()} | {"default plan": {}}


def _recipe(text: str) -> tuple[str, dict[str, str]]:
    name, _, settings = text.partition("=")
    return name, {**_BCE, **dict(pair.split("=", 1) for pair in settings.split(",") if pair)}


def _cells(given: argparse.Namespace, recipes: dict[str, dict[str, str]]) -> Iterator[Cell]:
    for share in given.shares:
        data = given.output / f"roads_{share:g}"
        if not data.exists():
            rareseg.scenes.write_roads(data, count=30, size=512, road_share=share, seed=11)
        facts = rareseg.audit(data)
        for name, settings in recipes.items():
            for seed in given.seeds:
                done = given.output / f"{share:g}-{name}-{seed}-{given.steps}.json"
                if not done.exists():
                    asked = {**_SHARED, **settings, "seed": str(seed)}
                    plan = rareseg.plan(facts, steps=given.steps, settings=asked)
                    cell = _trained(data, facts, plan, done.with_suffix(""))
                    done.write_text(json.dumps({**cell, "share": share, "recipe": name, "seed": seed}))
                print(done.read_text(), file=sys.stderr, flush=True)
                yield Cell(**json.loads(done.read_text()))


def _trained(data: Path, facts: rareseg.Audit, plan: rareseg.Plan, folder: Path) -> dict[str, object]:
    run = rareseg.train(data, output=folder, plan=plan, audit=facts, overwrite=True)
    scores = rareseg.evaluate(folder, data).classes["foreground"]
    return {
        "outcome": run.outcome,
        "steps": run.steps,
        "iou": scores.iou or 0.0,
        "average_precision": scores.average_precision or 0.0,
        "rare_pixels": run.steps * plan.batch.size * plan.crop.size**2 * facts.total.classes[1].share,
    }


def _print(cells: list[Cell], recipes: list[str]) -> None:
    print(
        "Held-out road IoU, mean of the seeds (least of them); collapsed runs of all runs where there are any"
    )
    print(f"{'roads':>7} {'road px shown':>13}  " + "".join(f"{name:>26}" for name in recipes))
    for share in dict.fromkeys(cell.share for cell in cells):
        row = [cell for cell in cells if cell.share == share]
        shown = statistics.median(cell.rare_pixels for cell in row)
        columns = [[cell for cell in row if cell.recipe == name] for name in recipes]
        print(f"{share:7.2%} {shown:13,.0f}  " + "".join(f"{_spelled(column):>26}" for column in columns))
    print("Held-out average precision, mean of the seeds")
    for share in dict.fromkeys(cell.share for cell in cells):
        means = [
            statistics.fmean(
                cell.average_precision for cell in cells if (cell.share, cell.recipe) == (share, name)
            )
            for name in recipes
        ]
        print(f"{share:7.2%} {'':>13}  " + "".join(f"{mean:26.3f}" for mean in means))


def _print_alone(cells: list[Cell]) -> None:
    shares = list(dict.fromkeys(cell.share for cell in cells))
    print("| remedy | " + " | ".join(f"{100 * share:g} %" for share in shares) + " |")
    print("|---|" + "---|" * len(shares))
    for name in dict.fromkeys(cell.recipe for cell in cells):
        columns = [[c for c in cells if (c.share, c.recipe) == (share, name)] for share in shares]
        print(f"| {name} | " + " | ".join(_mean_of(column) for column in columns) + " |")


def _mean_of(column: list[Cell]) -> str:
    """Return mean IoU and AP, and how many runs were lost."""
    lost = sum(cell.iou < _LOST for cell in column)
    iou = statistics.fmean(cell.iou for cell in column)
    said = f"{iou:.3f} / {statistics.fmean(cell.average_precision for cell in column):.3f}"
    return f"**lost** ({said})" if lost == len(column) else f"{said}{f', {lost} lost' if lost else ''}"


def _spelled(column: list[Cell]) -> str:
    collapsed = sum(cell.outcome == "collapsed" or cell.iou < _LOST for cell in column)
    ious = [cell.iou for cell in column]
    said = f"{statistics.fmean(ious):.3f} ({min(ious):.3f})"
    return f"{said}, {collapsed}/{len(column)} collapsed" if collapsed else said


if __name__ == "__main__":
    main()
