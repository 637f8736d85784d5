"""The Report as tables: scores per class with the constant answer beside them, means below, accuracy last."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from rareseg.records.report import ClassScores, Report
from rareseg.showing.layout import (
    ABSENT,
    bullets,
    class_name,
    is_narrow,
    remark,
    section,
    spell_count,
    spell_score,
    spell_share,
    spell_short,
    table,
)
from rareseg.showing.report_page_subjects import is_constant
from rareseg.showing.score_details import details
from rareseg.showing.score_reading import map_threshold, origin


def score_tables(report: Report, width: int) -> list[RenderableType]:
    """Return the report's sections, drawn for `width` columns."""
    own = report.name or ("this run" if report.source == "run" else "these maps")
    sections = [_title(report), _classes(report, width), *details(report), _macro(report, own)]
    if report.source != "classes":
        sections.append(_probabilities(report))
    if report.notes:
        sections.append(bullets("Worth knowing", report.notes))
    return sections


def _title(report: Report) -> RenderableType:
    counted = f"{spell_count(report.counted_pixels)} px counted, {spell_count(report.uncounted_pixels)} not"
    part = "all of it" if report.part == "all" else f"its {report.part} part"
    of = f"{report.name} on {report.data}" if report.name else report.data
    return Text.assemble(("Report", "bold"), f"  {of}, {part}: {report.images} images\n{counted}")


def _classes(report: Report, width: int) -> RenderableType:
    narrow = is_narrow(width)
    headings = [("\nclass", "left"), ("\nIoU", "right"), ("const.\nIoU", "right")]
    headings += [("\nF1", "right"), (f"F1 in\n{report.relaxed_px} px", "right")]
    headings += [("preci-\nsion", "right"), ("\nrecall", "right"), ("\nAP", "right"), ("chance\nAP", "right")]
    headings += [("thres-\nhold", "right"), ("\npixels", "right")]
    spell = spell_short if narrow else spell_count
    rows = [[*_row(report, name, scores), spell(scores.pixels)] for name, scores in report.classes.items()]
    return section("Per class", table(headings, rows, tight=narrow), *_legend(report))


def _legend(report: Report) -> Iterator[Text]:
    answer = report.constant_predictor.answer
    yield remark(f"const. IoU: of a map of {answer} everywhere; chance AP: of pixels ranked at random")
    yield remark(f"F1 in {report.relaxed_px} px: a pixel that close to the other map is a hit")
    yield remark(_thresholds(report))
    absent = [name for name, scores in report.classes.items() if not scores.pixels]
    if absent:
        yield remark(f"{ABSENT}: not measurable, there is no pixel of {', '.join(absent)}")


def _thresholds(report: Report) -> str:
    if report.source == "classes":
        return "maps of classes were scored: decided already, and without AP, as they rank nothing"
    if report.decision == "threshold":
        return f"thresholds: {origin(report)}"
    likeliest = "the map gives the likeliest class"
    if all(scores.threshold is None for scores in report.classes.values()):
        return likeliest
    return f"{likeliest}; thresholds, {origin(report)}, are for reading only"


def _row(report: Report, name: str, scores: ClassScores) -> list[str | Text]:
    share = scores.pixels / report.counted_pixels if report.counted_pixels else None
    constant = _constant_iou(report, name, share)
    # Ranking pixels at random has an average precision of the class's share.
    chance = share if scores.pixels else None
    return [
        class_name(name, share),
        _against(scores.iou, constant),
        Text(spell_score(constant), style="dim"),
        spell_score(scores.f1),
        spell_score(scores.relaxed_f1),
        spell_score(scores.precision),
        spell_score(scores.recall),
        _against(scores.average_precision, chance),
        Text(spell_score(chance), style="dim"),
        spell_score(map_threshold(report, name)),
    ]


def _probabilities(report: Report) -> RenderableType:
    """Whether 0.3 means 30 %: what the map expects of each class against what there is."""
    headings = [
        ("class", "left"),
        ("there is %", "right"),
        ("expected %", "right"),
        ("expected/there", "right"),
    ]
    headings += [("calibration error", "right")]
    rows: list[tuple[str | Text, ...]] = []
    for name, scores in report.classes.items():
        share = scores.pixels / report.counted_pixels if report.counted_pixels else None
        expected = scores.expected_share
        times = None if expected is None or not share else expected / share
        rows.append(
            (
                class_name(name, share),
                spell_share(share),
                spell_share(expected),
                ABSENT if times is None else f"{times:.2f}",
                ABSENT if scores.calibration_error is None else f"{scores.calibration_error:.4f}",
            )
        )
    told = remark(
        "expected: mean probability over all counted pixels; error: |frequency - probability| in 15 bins"
    )
    return section("Probabilities", table(headings, rows), told)


def _against(score: float | None, floor: float | None) -> Text:
    """A score in bold, red where it is no better than knowing nothing."""
    beaten = score is None or floor is None or score > floor
    return Text(spell_score(score), style="bold" if beaten else "bold red")


def _constant_iou(report: Report, name: str, share: float | None) -> float | None:
    """The constant answer's IoU: every pixel is in the union, so it is the share; 0 for the other classes."""
    if is_constant(report, name):
        return share
    return 0.0 if share else None


def _macro(report: Report, own: str) -> RenderableType:
    macro, constant = report.macro, report.constant_predictor
    headings = [("", "left"), ("IoU", "right"), ("F1", "right"), ("precision", "right"), ("recall", "right")]
    headings += [("AP", "right"), ("accuracy", "right")]
    means = (macro.iou, macro.f1, macro.precision, macro.recall, macro.average_precision)
    rows: list[tuple[str | Text, ...]] = [
        (Text(own, style="bold"), *map(spell_score, means), spell_score(report.micro.accuracy)),
        (
            Text("constant answer", style="dim"),
            spell_score(constant.macro_iou),
            *(ABSENT for _ in means[1:]),
            spell_score(constant.accuracy),
        ),
    ]
    title = f"Means over the {macro.classes} classes present; accuracy, over all pixels, says little here"
    return section(title, table(headings, rows))
