"""Comparisons made up for tests: counts of scenes whose average precision is set, and records with every state."""

from typing import Any

import numpy as np

from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.scene_counts import SceneCounts
from rareseg.records import comparison as records
from rareseg.records.machine import Machine

MACHINE = Machine(accelerator="cpu", fast_bf16=False, memory_bytes=1 << 33, cores=2)


def labelled_scene(seed: int, *, separation: float, pixels: int = 2000, share: float = 0.2):
    """Return log-odds (2, 1, pixels) float32 and labels (1, pixels): classes `separation` deviations apart."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(pixels) < share).astype(np.uint8)
    odds = rng.normal(0, 1, pixels) + separation * labels - 2
    return np.stack([-odds, odds]).astype(np.float32)[:, None], labels[None]


def counted_scene(seed: int, *, separation: float, share: float = 0.2) -> tuple[ScoreHistogram, Confusion]:
    """Return the counts of one such scene; the class is given from log-odds 0 on."""
    odds, labels = labelled_scene(seed, separation=separation, share=share)
    curve = ScoreHistogram.count(odds, labels, overlapping=False)
    given = (odds[1] > 0).astype(np.uint8)
    return curve, Confusion.count(given, labels, classes=2, overlapping=False)


def counts_of(seeds: range, *, separation: float) -> SceneCounts:
    """Return the counts of one scene per seed."""
    counts = SceneCounts.empty(len(seeds), 2, overlapping=False)
    for place, seed in enumerate(seeds):
        counts.add(place, *counted_scene(seed, separation=separation))
    return counts


def estimate(value: float, reach: float | None = 0.04) -> records.Estimate:
    if reach is None:
        return records.Estimate(value=value)
    return records.Estimate(value=value, low=max(0.0, value - reach), high=min(1.0, value + reach))


def scores(value: float) -> records.Scores:
    rare = records.ClassEstimates(
        name="road",
        average_precision=estimate(value),
        iou=estimate(value / 2),
        calibration_error=estimate(0.02, 0.01),
    )
    rest = records.ClassEstimates(
        name="background", average_precision=estimate(0.99, 0.01), iou=None, calibration_error=None
    )
    return records.Scores(
        average_precision=rare.average_precision,
        iou=rare.iou,
        calibration_error=rare.calibration_error,
        classes=(rest, rare),
    )


def row(name: str, state: records.State, *values: float, **others: Any) -> records.Row:
    """Return a row that scored `values` on the rungs of 50, 150 and 450 steps."""
    steps = (50, 150, 450)
    history = tuple(
        records.Point(steps=count, seeds=place + 1, average_precision=estimate(value))
        for place, (count, value) in enumerate(zip(steps, values, strict=False))
    )
    return records.Row(
        candidate=name,
        settings={"loss.name": "dice"},
        state=state,
        steps=steps[len(values) - 1] if values else 0,
        seeds=len(values),
        scores=scores(values[-1]) if values else None,
        seconds_per_step=0.214 if values else None,
        history=history,
        **{"verdict": others.get("reason", ""), **others},
    )


def difference(
    other: str, value: float, reach: float, *, seeds: int = 3, steps: int = 450
) -> records.Difference:
    return records.Difference(
        other=other,
        steps=steps,
        seeds=seeds,
        average_precision=records.Estimate(value=value, low=value - reach, high=value + reach),
        beyond_noise=abs(value) > reach and seeds > 1,
    )


def comparison(**changes: Any) -> records.Comparison:
    """Return a finished comparison with a row of every state."""
    rows = (
        row(
            "prior_bias+cross_entropy+0.5*dice",
            "compared",
            0.31,
            0.52,
            0.712,
            to_default=difference("default", 0.012, 0.02),
            test=scores(0.69),
        ),
        row(
            "default",
            "compared",
            0.33,
            0.55,
            0.70,
            to_best=difference("prior_bias+cross_entropy+0.5*dice", -0.012, 0.02),
            test=scores(0.70),
        ),
        row(
            "none",
            "compared",
            0.12,
            0.40,
            0.60,
            to_best=difference("prior_bias+cross_entropy+0.5*dice", -0.112, 0.05),
        ),
        row(
            "focal",
            "dropped",
            0.2,
            0.41,
            to_best=difference("prior_bias+cross_entropy+0.5*dice", -0.11, 0.04, seeds=1, steps=150),
        ),
        row("lovasz", "collapsed", 0.041, reason="1 of 1 seeds collapsed: its output is constant."),
        row("dice+enet", "failed", reason="weights.rule=enet has no effect on <loss.name=dice> & co."),
        row("prior_bias", "same", reason="its plan is that of default, so it was not trained again"),
        row("tversky", "waiting"),
    )
    names = tuple(one.candidate for one in rows)
    made = {
        "audit_digest": "0123456789abcdef",
        "data": "some <roads>",
        "classes": ("background", "road"),
        "rare_classes": ("road",),
        "request": records.Request(remedies=names, seeds=3, minutes=30.0),
        "machine": MACHINE,
        "outcome": "finished",
        "seconds": 1680.0,
        "rungs": tuple(
            records.Rung(steps=steps, seeds=seeds, candidates=names[:3])
            for seeds, steps in enumerate((50, 150, 450), start=1)
        ),
        "scenes": 5,
        "test_scenes": 4,
        "chance": 0.041,
        "rows": rows,
        "summary": "Nothing beats the default.",
        "winner": "default",
        "because": "nothing beats it by more than the noise",
        "notes": ("All scores are of the validation part.",),
    }
    return records.Comparison(**made | changes)
