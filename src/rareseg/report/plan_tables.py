"""The Plan as a table: each setting, its value, why, after whom, and who set it."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from rareseg.records.plan import Choice, Plan
from rareseg.report.layout import remark, table

_REASONS = ("because", "reference", "set_by")
_UNITS = {
    ("crop", "size"): " px",
    ("batch", "size"): " crops",
    ("inference", "window"): " px",
    ("inference", "overlap"): " px",
}


def plan_tables(plan: Plan, *, explain: bool) -> list[RenderableType]:
    """Return the plan as one table; `explain` adds to each decision its reason and reference."""
    headings = [("decision", "left"), ("setting", "left"), ("because", "left")]
    rows: list[tuple[Text, ...]] = [
        (_named(name, choice), _settings(plan, name), _reason(choice))
        for name, choice in plan.choices().items()
    ]
    if not explain:
        headings, rows = headings[:2], [row[:2] for row in rows]
    how = "overlapping, by sigmoid" if plan.overlapping else "exclusive, by softmax"
    title = Text.assemble(("Plan", "bold"), f"  {len(plan.classes)} classes, {how}; seed {plan.seed}")
    hint = remark("Decide one yourself: --set DECISION.SETTING=VALUE, as in --set loss.name=dice")
    parts = (table(headings, rows, lines=explain), hint)
    return [Group(title, *(Padding(part, (0, 0, 0, 2), expand=False) for part in parts))]


def _named(name: str, choice: Choice) -> Text:
    if choice.set_by == "user":
        return Text.assemble((name, "bold"), ("\nset by user", "cyan"))
    return Text(name, style="bold")


def _settings(plan: Plan, name: str) -> Text:
    choice = plan.choices()[name]
    lines: list[Text] = []
    for field in choice.__struct_fields__:
        value = getattr(choice, field)
        if field in _REASONS or value is None:
            continue
        if isinstance(value, tuple) and len(set(value)) > 1:
            lines.append(Text(field, style="dim"))
            lines += [
                Text(f"  {label} {_spell(held)}") for label, held in zip(plan.classes, value, strict=True)
            ]
        else:
            spelled = f"{_spell(value)}{_UNITS.get((name, field), '')}"
            lines.append(Text.assemble((f"{field} ", "dim"), spelled))
    return Text("\n").join(lines)


def _spell(value: object) -> str:
    if isinstance(value, tuple):
        return f"{_spell(value[0])} for each class" if value else "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _reason(choice: Choice) -> Text:
    return Text.assemble(choice.because, (f"\n{choice.reference}" if choice.reference else "", "dim italic"))
