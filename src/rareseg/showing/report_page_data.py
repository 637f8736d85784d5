"""What a run was made from: the audit as pictures, and the plan with the reason of each decision."""

import base64
from collections.abc import Iterator, Sequence
from html import escape

from rareseg.records.audit import Audit, PartFacts
from rareseg.records.dataset import PARTS
from rareseg.records.plan import Choice, Plan
from rareseg.records.scores import Example
from rareseg.showing.dot_charts import ShareRow, shares
from rareseg.showing.layout import ABSENT, spell_count, spell_share, spell_size
from rareseg.showing.report_page_elements import (
    Html,
    details,
    figures,
    listed,
    name,
    note,
    percent,
    section,
    table,
)
from rareseg.showing.report_page_subjects import Shown, class_names, short

_MOST_EXAMPLES, _MOST_EXAMPLE = 6, 120_000
"""Pictures of the rarest class, and bytes of each: what `evaluate` draws is smaller."""
_REASONS = ("because", "reference", "set_by")


def data(subjects: Sequence[Shown]) -> Html:
    """Return the section on the data: shares on a log axis, facts and remarks of each audit, and of what was scored."""
    audits = _each(subjects)
    parts = [figures(_pictures(subjects, audits))]
    if any(one.report.by_image for one in subjects):
        parts.append(note("Thin ticks below a bar: the share in each image that holds the class."))
    parts += _examples(subjects)
    for held, names in audits:
        of = "" if len(audits) == 1 else ", ".join(names)
        parts += [_facts(held, of), listed(map(name, held.notes))]
    return section("data", "How rare it is", parts)


def _each(subjects: Sequence[Shown]) -> list[tuple[Audit, list[str]]]:
    """Return every audit once, with the names of the runs that were made from it."""
    found: list[tuple[Audit, list[str]]] = []
    for one in subjects:
        if one.audit is None:
            continue
        names = next((names for held, names in found if held == one.audit), None)
        if names is None:
            found.append((one.audit, [one.name]))
        else:
            names.append(one.name)
    return found


def _pictures(subjects: Sequence[Shown], audits: Sequence[tuple[Audit, list[str]]]) -> Iterator[Html]:
    for held, names in audits:
        rows = [
            ShareRow(one.name, one.share) for one in sorted(held.total.classes, key=lambda one: one.share)
        ]
        whose = "" if len(audits) == 1 else f", {', '.join(names)}"
        yield shares(
            f"All of the data{whose}", rows, told=f"Share of each class in all parts: {_told(rows)}."
        )
    drawn: dict[str, None] = {}
    for one in subjects:
        report = one.report
        if not report.counted_pixels or one.beside:
            continue
        order = list(report.classes)
        rows = [
            ShareRow(
                held,
                report.classes[held].pixels / report.counted_pixels,
                [
                    image.pixels[order.index(held)] / image.counted
                    for image in report.by_image
                    if image.counted and len(image.pixels) == len(order)
                ],
            )
            for held in class_names([one])
        ]
        whose = f", {one.name}" if sum(not one.beside for one in subjects) > 1 else ""
        picture = shares(f"What was scored{whose}", rows, told=f"Share of each class scored: {_told(rows)}.")
        drawn[picture] = None
    yield from drawn


def _examples(subjects: Sequence[Shown]) -> Iterator[Html]:
    """Yield what the rarest class looks like in the training part: photos, and the labels over them; each set once."""
    drawn: dict[tuple[str, ...], None] = {}
    for one in subjects:
        held = [
            example
            for example in one.report.examples[:_MOST_EXAMPLES]
            if all(
                0 < len(one.pictures.get(file, b"")) <= _MOST_EXAMPLE
                for file in (example.photo, example.truth)
            )
        ]
        if not held:
            continue
        asked = held[0].name
        pictures = "".join(_example(example, one) for example in held)
        title = f"<h3>What {name(asked)} looks like in the training part</h3>"
        told = note(
            "From the image that holds most of it to the one that holds least; on the right with its labels."
        )
        drawn[title, f'<div class="examples">{pictures}</div>', told] = None
    for parts in drawn:
        yield from parts


def _example(held: Example, one: Shown) -> Html:
    sides = f'width="{held.width}" height="{held.height}"'
    photo = _embedded(one.pictures[held.photo], "jpeg")
    place = f"{short(held.image, one)}, from row {held.top}, column {held.left}"
    plain = f'<img src="{photo}" {sides} alt="{escape(f"Photo {place}")}">'
    over = _embedded(one.pictures[held.truth], "png")
    marked = (
        f'<span class="marked"><img src="{photo}" {sides} alt=""><img src="{over}" {sides} '
        f'alt="{escape(f"The same with what is labelled as {held.name}")}"></span>'
    )
    return (
        f"<figure>{plain}{marked}<figcaption>{name(short(held.image, one))}: {percent(held.share)} of this picture"
        "</figcaption></figure>"
    )


def _embedded(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _told(rows: Sequence[ShareRow]) -> str:
    return ", ".join(f"{row.label} {spell_share(row.share)} %" for row in rows)


def _facts(held: Audit, of: str) -> Html:
    parts = [facts for part in PARTS if (facts := held.part(part)) is not None]
    headings = ["class", "pixels", *(f"{facts.part}&nbsp;%" for facts in parts), "images", "objects"]
    headings += ["width&nbsp;px", "size&nbsp;px"]
    rows = []
    for place, one in enumerate(held.total.classes):
        shares_of = [
            spell_share(facts.classes[place].share) if facts.counts.labelled else ABSENT for facts in parts
        ]
        sizes = [spell_size(one.median_width), spell_size(one.median_size)]
        row = [name(one.name), spell_count(one.pixels), *shares_of, spell_count(one.images)]
        rows.append([*row, spell_count(one.objects), *sizes])
    title = f"Classes by part{f', {of}' if of else ''}; width and size are medians over objects"
    body = table(title, headings, rows) + note(held.dataset.split_because) + note(_floor(held.total))
    return details(f"The audit in numbers{f', {name(of)}' if of else ''}", body)


def _floor(facts: PartFacts) -> str:
    constant = facts.constant_predictor
    return (
        f"A map of {constant.answer} everywhere scores accuracy {constant.accuracy:.3f} and macro IoU "
        f"{constant.macro_iou:.3f}; knowing only the shares costs {constant.entropy:.4f} nats per pixel."
    )


def plan(subjects: Sequence[Shown]) -> Html:
    """Return the section on the plan: each decision with its settings, reason and source; a column per run."""
    held = [(one.name, one.plan) for one in subjects if one.plan is not None]
    if not held:
        return ""
    alone = len(held) == 1
    headings = ["decision", *("settings" if alone else name(run) for run, _ in held)]
    if alone:
        headings += ["because"]
    rows = [_decision(decision, [one for _, one in held]) for decision in held[0][1].choices()]
    body = table("Every decision with its reason", headings, rows, left=tuple(range(len(headings))))
    summary = "" if alone else "Rows with a bar differ between runs."
    in_short = listed(_in_short(run, one, alone=alone) for run, one in held)
    parts = [in_short, details("Every decision, and why", body)]
    return section("plan", "The plan", parts, told=summary)


def _in_short(run: str, held: Plan, *, alone: bool) -> Html:
    budget = held.budget
    length = f"{budget.steps:,} steps" if budget.steps else f"{budget.minutes:g} minutes"
    users = sum(choice.set_by == "user" for choice in held.choices().values())
    by_hand = f"; {users} of {len(held.choices())} decisions set by hand" if users else ""
    told = (
        f"{held.model.name}, {held.loss.name}, {held.sampling.rule} crops of {held.crop.size} px, "
        f"{held.optimizer.name}, {length}{by_hand}."
    )
    return f"{'' if alone else f'<strong>{name(run)}</strong>: '}{escape(told)}"


def _decision(decision: str, plans: Sequence[Plan]) -> list[Html]:
    choices = [one.choices()[decision] for one in plans]
    settings = [_settings(choice, one.classes) for choice, one in zip(choices, plans, strict=True)]
    by_hand = any(choice.set_by == "user" for choice in choices)
    differs = len(set(settings)) > 1
    told = f"{'<span class=differs>' if differs else '<span>'}{escape(decision)}</span>"
    told += ' <span class="tag">by hand</span>' if by_hand else ""
    if len(plans) == 1:
        return [told, settings[0], _reason(choices[0])]
    return [told, *(f"{held}{_reason(choice)}" for held, choice in zip(settings, choices, strict=True))]


def _reason(choice: Choice) -> Html:
    source = f'<br><cite class="dim">{escape(choice.reference)}</cite>' if choice.reference else ""
    return f'<div class="because">{escape(choice.because)}{source}</div>'


def _settings(choice: Choice, classes: Sequence[str]) -> Html:
    told: list[Html] = []
    for field in choice.__struct_fields__:
        value = getattr(choice, field)
        if field in _REASONS or value is None:
            continue
        for key, held in value.items() if isinstance(value, dict) else [(field, value)]:
            told.append(f'<span class="dim">{escape(key)}</span> {_spell(held, classes)}')
    return "<br>".join(told)


def _spell(value: object, classes: Sequence[str]) -> Html:
    if isinstance(value, tuple) and len(value) == len(classes) and len(set(value)) > 1:
        return ", ".join(f"{name(one)} {_spell(held, ())}" for one, held in zip(classes, value, strict=True))
    if isinstance(value, tuple):
        return ", ".join(_spell(held, ()) for held in dict.fromkeys(value)) or "none"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else name(str(value))
