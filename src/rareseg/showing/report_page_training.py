"""How training went: the loss beside what the prior costs, the ranking of the rarest class, dead units, events."""

from collections.abc import Iterator, Sequence
from html import escape

from rareseg.records.run import CollapseCheck, Run
from rareseg.showing.layout import spell_count, spell_score, spell_time
from rareseg.showing.line_charts import Axis, Level, Line, chart
from rareseg.showing.report_page_elements import Html, details, figures, legend, name, percent, section, table
from rareseg.showing.report_page_subjects import Shown
from rareseg.showing.report_page_terms import term

_MOST_EVENTS = 12


def training(subjects: Sequence[Shown]) -> Html:
    """Return the section on training, "" where no subject was trained here."""
    held = [(place, one, one.run) for place, one in enumerate(subjects) if one.run is not None]
    if not held:
        return ""
    last = max(max(run.steps, *(check.step for check in run.checks), 1) for _, _, run in held)
    across = Axis("training steps", 0, last, spell=_short)
    runs = [(place, one.name, run) for place, one, run in held]
    drawn = [_losses(held, across), _lifts(runs, across), _dead(runs, across), _given(runs, across)]
    events = "".join(_events(one.name, run, alone=len(subjects) == 1) for _, one, run in held)
    watched = "".join(_checks(one.name, run, alone=len(subjects) == 1) for _, one, run in held)
    names = [one.name for one in subjects]
    return section(
        "training",
        "How training went",
        [events, legend(names, [place for place, _, _ in held]), figures(drawn), watched],
    )


def _losses(held: Sequence[tuple[int, Shown, Run]], across: Axis) -> Html:
    lines: list[Line] = []
    levels: dict[float, None] = {}
    for place, one, run in held:
        lines.append(Line(one.name, [(check.step, check.loss) for check in run.validations], place))
        val = one.audit.part("val") if one.audit else None
        if val is not None and val.counts.labelled:
            levels[val.constant_predictor.entropy] = None
    values = [y for line in lines for _, y in line.points] + list(levels)
    up = Axis("nats per pixel", 0, max(values, default=1) * 1.08 or 1)
    named = [Level("what predicting the prior costs", entropy) for entropy in levels]
    told = "; ".join(_course(line) for line in lines if line.points)
    if named:
        told += "; predicting the prior costs " + ", ".join(f"{level.value:.4f}" for level in named)
    return chart(
        "Loss on the validation part", lines, across, up, levels=named, told=f"Loss over steps. {told}."
    )


def _course(line: Line) -> str:
    return f"{line.name}: {line.points[0][1]:.4f} to {line.points[-1][1]:.4f}"


def _lifts(runs: Sequence[tuple[int, str, Run]], across: Axis) -> Html:
    lines = [
        Line(own, [(check.step, check.lift) for check in run.checks if check.lift], place, marked=True)
        for place, own, run in runs
    ]
    values = [y for line in lines for _, y in line.points]
    up = Axis(
        "times the share of the class", min([0.8, *values]), max([12.0, *values]) * 1.1, logarithmic=True
    )
    rare = ", ".join(dict.fromkeys(check.rare_class for _, _, run in runs for check in run.checks))
    told = "; ".join(_course(line) for line in lines if line.points)
    return chart(
        f"Ranking of {rare}: AP, times chance",
        lines,
        across,
        up,
        levels=[Level("chance", 1.0, "left")],
        told=f"Average precision over the share of the class, as the watch saw it; 1 is chance. {told}.",
    )


def _dead(runs: Sequence[tuple[int, str, Run]], across: Axis) -> Html:
    lines = [
        Line(own, [(check.step, check.dead_share) for check in run.checks], place, marked=True)
        for place, own, run in runs
    ]
    told = "; ".join(_course(line) for line in lines if line.points)
    up = Axis("of the ReLU channels", 0, 1, spell=_percent)
    return chart(
        "Dead units",
        lines,
        across,
        up,
        told=f"Share of channels that are 0 at every pixel looked at. {told}.",
    )


def _given(runs: Sequence[tuple[int, str, Run]], across: Axis) -> Html:
    lines = [
        Line(own, [(check.step, check.predicted_share) for check in run.checks], place, marked=True)
        for place, own, run in runs
    ]
    shares = dict.fromkeys(run.checks[-1].prevalence for _, _, run in runs if run.checks)
    top = max([0.01, *shares, *(y for line in lines for _, y in line.points)]) * 1.15
    told = "; ".join(_course(line) for line in lines if line.points)
    return chart(
        "Pixels given to the class",
        lines,
        across,
        Axis("of the pixels looked at", 0, top, spell=_percent),
        levels=[Level("what it covers", held, "left") for held in shares],
        told=f"Share of pixels given to the watched class. {told}.",
    )


def _events(own: str, run: Run, *, alone: bool) -> Html:
    title = "" if alone else f'<h3 class="who">{name(own)}</h3>'
    rows = "".join(
        f'<li class="{kind}"><span class="when">{escape(when)}</span> {told}</li>'
        for when, kind, told in _told(run)
    )
    return f'{title}<ol class="events">{rows}</ol>'


def _told(run: Run) -> Iterator[tuple[str, str, Html]]:
    """What happened, in order: (when, kind, HTML)."""
    parameters = f"{spell_count(run.trainable_parameters)} weights to learn"
    yield (
        "step 0",
        "plain",
        f"{parameters}; the first batch costs {run.initial_loss:.4f} {term('nats')} per pixel.",
    )
    found: list[tuple[int, str, Html]] = []
    above = next((check for check in run.checks if check.lift is not None and check.lift >= 2), None)
    if above:
        told = f"The watch sees {name(above.rare_class)} ranked {above.lift:.1f} times better than chance."
        found.append((above.step, "good", told))
    silent = [check for check in run.checks if check.predicted_share == 0 and check.prevalence > 0]
    for first, last in _stretches(run.checks, silent):
        till = f", up to step {spell_count(last.step)}" if last is not first else ""
        found.append((first.step, "bad", f"No pixel is given to {name(first.rare_class)}{till}."))
    best = next((one for one in run.validations if one.step == run.best_step), None)
    if best:
        found.append(
            (
                best.step,
                "good",
                f"The best weights: validation score {spell_score(best.score)}. These are kept.",
            )
        )
    for step, kind, told in sorted(found, key=lambda one: one[0])[:_MOST_EVENTS]:
        yield f"step {spell_count(step)}", kind, told
    kind = {"finished": "plain", "interrupted": "plain", "collapsed": "bad"}[run.outcome]
    ended = (
        f"<strong>{run.outcome.capitalize()}</strong> after {spell_time(run.seconds)}: {escape(run.reason)}"
    )
    yield f"step {spell_count(run.steps)}", kind, ended


def _stretches(
    checks: Sequence[CollapseCheck], silent: Sequence[CollapseCheck]
) -> list[tuple[CollapseCheck, CollapseCheck]]:
    """Return (first, last) of each unbroken stretch of `silent` among `checks`."""
    found: list[tuple[CollapseCheck, CollapseCheck]] = []
    before = False
    for check in checks:
        if check in silent:
            found[-1:] = [(found[-1][0], check)] if before else [*found[-1:], (check, check)]
        before = check in silent
    return found


def _checks(own: str, run: Run, *, alone: bool) -> Html:
    headings = ["step", "class", "AP", "times chance", "spread", "dead units", "given", "covers"]
    rows = [
        [
            spell_count(check.step),
            name(check.rare_class),
            spell_score(check.average_precision),
            "–" if check.lift is None else f"{check.lift:.1f}",
            f"{check.spatial_deviation:.3g}",
            percent(check.dead_share),
            percent(check.predicted_share),
            percent(check.prevalence),
        ]
        for check in run.checks
    ]
    of = "" if alone else f" of {own}"
    body = table(
        f"What the collapse watch saw{of}; spread: of the class's log-odds over pixels",
        headings,
        rows,
        left=(0, 1),
    )
    return details(f"What the watch saw{'' if alone else f', {name(own)}'}", body)


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _short(value: float) -> str:
    return f"{value / 1000:g} k" if value >= 10_000 else f"{value:,.0f}"
