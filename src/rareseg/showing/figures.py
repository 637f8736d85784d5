"""Figures for papers, with Matplotlib: `rareseg.plots`. Each draws on axes of yours, or on new ones, and returns them.

Numbers come from the records alone. Colours are told apart with colour-blind eyes, and lines by their dashes in grey.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.records.report import ClassScores, Report
from rareseg.records.scores import Curve, Reliability
from rareseg.showing.charts import COLOURS
from rareseg.showing.score_details import spell_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = ("-", "--", "-.", ":")
FOUND, MISSED, INVENTED = "#0072B2", "#E69F00", "#CC3377"
"""Of an overlay: right, missed and false pixels."""
_SIZE = (4.2, 3.6)
_WIDE = (5.2, 3.2)
_STRENGTH = 0.65


def precision_recall(
    report: Report,
    classes: str | Sequence[str] | None = None,
    *,
    label: str = "",
    axes: "Axes | None" = None,
) -> "Axes":
    """Draw precision against recall, a line per class, the map's threshold as a dot, chance as a dotted line.

    Args:
        report: of probabilities; maps of classes have no curve.
        classes: names; None: all but the one that the constant answer gives.
        label: said before each class in the legend, to tell reports apart that are drawn on the same axes.
        axes: where to draw; None: new ones. Colours go on after those that are there.

    Raises:
        SettingError: if a class is not in the report, or has no curve.
    """
    drawn = _new(axes, _SIZE)
    first = _drawn_before(drawn)
    for place, (name, scores) in enumerate(_chosen(report, classes).items(), start=first):
        curve = _curve(name, scores)
        style = _style(place)
        told = f"AP {spell_interval(scores.average_precision, scores.intervals.get('average_precision'))}"
        drawn.plot(curve.recall, curve.precision, label=f"{_called(label, name)}, {told}", **style)
        if scores.recall is not None and scores.precision is not None:
            drawn.plot(scores.recall, scores.precision, marker="o", markersize=5, color=style["color"])
        share = scores.pixels / report.counted_pixels
        chance = drawn.axhline(share, color=style["color"], linewidth=0.8, linestyle=":")
        if not place:  # Once, however many are drawn.
            chance.set_label("ranked at random")
    return _finished(drawn, "recall", "precision")


def roc(
    report: Report,
    classes: str | Sequence[str] | None = None,
    *,
    label: str = "",
    axes: "Axes | None" = None,
) -> "Axes":
    """Draw recall against the false positive rate; of rare classes it flatters: show `precision_recall` beside it.

    Arguments and errors as in `precision_recall`.
    """
    drawn = _new(axes, _SIZE)
    first = _drawn_before(drawn)
    for place, (name, scores) in enumerate(_chosen(report, classes).items(), start=first):
        curve = _curve(name, scores)
        area = "" if scores.roc_area is None else f", area {scores.roc_area:.3f}"
        drawn.plot(
            curve.false_positive_rate, curve.recall, label=f"{_called(label, name)}{area}", **_style(place)
        )
    drawn.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    return _finished(drawn, "false positive rate", "recall")


def reliability(
    report: Report,
    classes: str | Sequence[str] | None = None,
    *,
    label: str = "",
    axes: "Axes | None" = None,
) -> "Axes":
    """Draw how often pixels hold the class against the probability they were given; on the diagonal they agree.

    Arguments and errors as in `precision_recall`.
    """
    drawn = _new(axes, _SIZE)
    first = _drawn_before(drawn)
    drawn.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    for place, (name, scores) in enumerate(_chosen(report, classes).items(), start=first):
        bins = _reliability(name, scores)
        error = scores.calibration_error
        told = _called(label, name) + ("" if error is None else f", calibration error {error:.4f}")
        drawn.plot(
            bins.mean_probability, bins.frequency, marker="o", markersize=3, label=told, **_style(place)
        )
    return _finished(drawn, "probability given", "share of pixels that hold the class")


def recall_by_width(
    report: Report, classes: str | Sequence[str] | None = None, *, axes: "Axes | None" = None
) -> "Axes":
    """Draw the recall of parts of lines against their width, px; classes that are no lines are refused.

    Arguments and errors as in `precision_recall`.
    """
    drawn = _new(axes, _WIDE)
    chosen = _chosen(report, classes)
    names = [name for name, scores in chosen.items() if scores.widths]
    if not names:
        message = f"Expected a class whose widths were scored; {', '.join(chosen)} has none. Score with shapes=True."
        raise SettingError(message)
    lows = sorted({one.low for name in names for one in chosen[name].widths})
    high = {one.low: one.high for name in names for one in chosen[name].widths}
    for place, name in enumerate(names):
        bars = {one.low: one.recall or 0.0 for one in chosen[name].widths}
        across = np.arange(len(lows)) + (place - (len(names) - 1) / 2) * 0.8 / len(names)
        drawn.bar(
            across,
            [bars.get(low, 0.0) for low in lows],
            width=0.8 / len(names),
            label=name,
            color=_style(place)["color"],
        )
    labels = [f"> {low - 1}" if high[low] is None else f"{low}-{high[low]}" for low in lows]
    drawn.set_xticks(range(len(lows)), labels)
    drawn.set_ylim(0, 1)
    return _labelled(drawn, "width, px", "recall")


def overlay(
    photo: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    given: NDArray[np.bool_],
    *,
    counted: NDArray[np.bool_] | None = None,
    axes: "Axes | None" = None,
) -> "Axes":
    """Draw what of a class is found, missed and invented over the photo.

    Args:
        photo: (rows, cols, 3) uint8, red, green, blue.
        truth: (rows, cols), where the class is.
        given: (rows, cols), where the map says so.
        counted: (rows, cols), False where there is no label; None: everywhere.
        axes: where to draw; None: new ones.

    Raises:
        SettingError: if the shapes do not fit together.
    """
    counted = np.ones_like(truth) if counted is None else counted
    if photo.shape != (*truth.shape, 3) or given.shape != truth.shape or counted.shape != truth.shape:
        message = (
            "Expected a photo (rows, cols, 3) and truth, given and counted (rows, cols) of one size; received "
            f"{photo.shape}, {truth.shape}, {given.shape} and {counted.shape}."
        )
        raise SettingError(message)
    from matplotlib.colors import to_rgb  # noqa: PLC0415 - Matplotlib takes half a second to load
    from matplotlib.patches import Patch  # noqa: PLC0415

    kinds = {
        "found": (FOUND, truth & given),
        "missed": (MISSED, truth & ~given),
        "invented": (INVENTED, ~truth & given),
    }
    shown = photo.astype(np.float64) / 255
    for colour, where in kinds.values():
        place = where & counted
        shown[place] = (1 - _STRENGTH) * shown[place] + _STRENGTH * np.asarray(to_rgb(colour))
    drawn = _new(axes, _SIZE)
    drawn.imshow(shown)
    drawn.set_axis_off()
    handles = [
        Patch(color=colour, label=f"{name} {np.count_nonzero(where & counted):,} px")
        for name, (colour, where) in kinds.items()
    ]
    drawn.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, frameon=False, fontsize=8
    )
    return drawn


def _chosen(report: Report, classes: str | Sequence[str] | None) -> dict[str, ClassScores]:
    if classes is None:
        names = [name for name, scores in report.classes.items() if scores.pixels]
        rest = [name for name in names if name != report.constant_predictor.answer]
        names = rest or names
    else:
        names = [classes] if isinstance(classes, str) else list(classes)
    strange = [name for name in names if name not in report.classes]
    if strange:
        message = (
            f"There is no class {', '.join(strange)} in the report; it has: {', '.join(report.classes)}."
        )
        raise SettingError(message)
    return {name: report.classes[name] for name in names}


def _curve(name: str, scores: ClassScores) -> Curve:
    if scores.curve is None:
        raise _without(name, "curve")
    return scores.curve


def _reliability(name: str, scores: ClassScores) -> Reliability:
    if scores.reliability is None:
        raise _without(name, "reliability curve")
    return scores.reliability


def _without(name: str, what: str) -> SettingError:
    message = f"{name} has no {what}: it is absent, or maps of classes were scored. Score probabilities that hold it."
    return SettingError(message)


def _called(label: str, name: str) -> str:
    return f"{label}: {name}" if label else name


def _drawn_before(axes: "Axes") -> int:
    """Return how many curves the axes hold: those that a legend would name, but for chance."""
    named = [str(line.get_label()) for line in axes.lines]
    return sum(not text.startswith("_") and text != "ranked at random" for text in named)


def _style(place: int) -> dict[str, Any]:
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": _DASHES[place // len(COLOURS) % len(_DASHES)],
        "linewidth": 1.6,
    }


def _new(axes: "Axes | None", size: tuple[float, float]) -> "Axes":
    if axes is not None:
        return axes
    # Late, as it takes half a second to load.
    from matplotlib.figure import Figure  # noqa: PLC0415

    return Figure(figsize=size, layout="constrained").add_subplot()


def _finished(axes: "Axes", across: str, up: str) -> "Axes":
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    axes.set_aspect("equal")
    return _labelled(axes, across, up)


def _labelled(axes: "Axes", across: str, up: str) -> "Axes":
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, alpha=0.2, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return axes
