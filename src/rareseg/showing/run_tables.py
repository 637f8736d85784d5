"""The Run as tables: how it ended, how it went, and what the collapse watch last saw."""

from rich.console import RenderableType
from rich.text import Text

from rareseg.records.run import Run, Sampled, Validation
from rareseg.showing.layout import (
    ABSENT,
    section,
    spell_chance,
    spell_count,
    spell_score,
    spell_share,
    spell_time,
    table,
)

_COLOURS = {"finished": "bold green", "interrupted": "bold yellow", "collapsed": "bold red"}
_HOW = {
    "none": "as the network gives them",
    "undone": "mapped back by formula",
    "fitted": "mapped back by a fit",
}
_PLACED = {
    "class_centred": "around {}",
    "rare_class": "around a class drawn by its rarity",
    "above_mean": "above the mean share of {}",
    "copy_paste": "with objects of {} pasted in",
}
_ROWS = 8
"""Validations shown: evenly chosen, with the best and the last."""


def run_tables(run: Run) -> list[RenderableType]:
    """Return the run's sections; none is wider than 80 columns."""
    sections = [_title(run), _summary(run), _calibration(run)]
    if run.sampled is not None:
        sections.append(_sampling(run.sampled))
    if run.validations:
        sections.append(_validations(run))
    if run.checks:
        sections.append(_watch(run))
    return sections


def _title(run: Run) -> RenderableType:
    return Text.assemble(("Run ", "bold"), (f" {run.outcome}", _COLOURS[run.outcome]), f"  {run.reason}")


def _summary(run: Run) -> RenderableType:
    frozen = run.parameters - run.trainable_parameters
    weights = spell_count(run.parameters) + (f", of which {spell_count(frozen)} frozen" if frozen else "")
    thresholds = ", ".join(spell_score(threshold) for threshold in run.thresholds)
    rows = [
        ("trained", f"{spell_count(run.steps)} steps in {spell_time(run.seconds)}"),
        ("parameters", weights),
        ("first batch", f"loss {run.initial_loss:.4f} nats per pixel"),
        ("best weights", f"of step {spell_count(run.best_step)}"),
        ("thresholds", f"{thresholds}, from {run.thresholds_from}"),
    ]
    drawn = table([("", "left"), ("", "left")], rows)
    return section("In short", drawn)


def _calibration(run: Run) -> RenderableType:
    """Whether 0.3 means 30 %: what was done to the probabilities, and the error before and after."""
    held = run.calibration
    pairs = zip(held.error_before, held.error_after, strict=True)
    known = [(before, after) for before, after in pairs if before is not None and after is not None]
    rows: list[tuple[str, str]] = []
    if known:
        before, after = zip(*known, strict=True)
        rows += [
            ("calibration error, mean over classes", _change(_mean([*before]), _mean([*after]))),
            ("of the class that is worst off", _change(max(before), max(after))),
        ]
    if held.how != "none":
        moved = ", ".join(f"{0.0 - shift:+.2f}" if shift else "0" for shift in held.shift)
        rows.append(("logits moved by, class by class", f"{moved} nats; temperature {held.temperature:.3g}"))
    drawn = table([("", "left"), ("", "left")], rows)
    return section(f"Probabilities: {_HOW[held.how]}", Text(held.because), drawn)


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ABSENT
    return f"{after:.4f}" if before == after else f"{before:.4f} before, {after:.4f} now"


def _sampling(held: Sampled) -> RenderableType:
    """Where crops were asked to lie and did, and the share of each class in the data and in the batches."""
    said = f"{spell_count(held.crops)} crops, from anywhere."
    if held.rule in _PLACED:
        names = held.around[0] if len(held.around) == 1 else "a rare class"
        said = (
            f"Asked {spell_chance(held.asked_share)} % of {spell_count(held.crops)} crops "
            f"{_PLACED[held.rule].format(names)}; {100 * held.placed_share:.1f} % were."
        )
    if held.rule == "copy_paste" and held.placed_share < held.asked_share / 2:
        said += " Most others held no whole object to paste, as of classes that cross the crop."
    headings = [
        ("class", "left"),
        ("% of data", "right"),
        ("% of batches", "right"),
        ("% of crops hold it", "right"),
    ]
    shares = zip(held.classes, held.data_shares, held.realised_shares, held.crops_holding, strict=True)
    rows = [
        (name, spell_share(data), spell_share(drawn), spell_chance(holding))
        for name, data, drawn, holding in shares
    ]
    return section("What training saw", Text(said), table(headings, rows))


def _validations(run: Run) -> RenderableType:
    headings = [("step", "right"), ("time", "right"), ("loss", "right")]
    headings += [
        ("worst AP", "right"),
        ("mean AP", "right"),
        ("mean IoU", "right"),
        ("score", "right"),
        ("", "left"),
    ]
    rows = []
    for held in _chosen(run.validations, run.best_step):
        precisions = [value for value in held.average_precision if value is not None]
        overlaps = [value for value in held.iou if value is not None]
        rows.append(
            (
                spell_count(held.step),
                spell_time(held.seconds),
                f"{held.loss:.4f}",
                spell_score(min(precisions, default=None)),
                spell_score(_mean(precisions)),
                spell_score(_mean(overlaps)),
                spell_score(held.score),
                Text("best", style="bold green") if held.step == run.best_step else "",
            )
        )
    return section("On the validation part", table(headings, rows))


def _chosen(validations: tuple[Validation, ...], best_step: int) -> list[Validation]:
    last = len(validations) - 1
    evenly = {round(index * last / (_ROWS - 1)) for index in range(_ROWS)}
    return [held for index, held in enumerate(validations) if index in evenly or held.step == best_step]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _watch(run: Run) -> RenderableType:
    check = run.checks[-1]
    lift = ABSENT if check.lift is None else f"{check.lift:.1f} times chance"
    rows = [
        ("average precision", f"{spell_score(check.average_precision)}, {lift}"),
        ("spread of its logit over pixels", f"{check.spatial_deviation:.3g} (0: the same answer everywhere)"),
        (
            "given to",
            f"{100 * check.predicted_share:.2f} % of pixels; it covers {100 * check.prevalence:.2f} %",
        ),
        ("units that never fire", f"{100 * check.dead_share:.1f} %"),
    ]
    drawn = table([("", "left"), ("", "left")], rows)
    return section(f"Collapse watch, step {spell_count(check.step)}, class {check.rare_class}", drawn)
