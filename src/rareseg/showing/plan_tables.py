"""The Plan as a table: each setting, its value, why, after whom, and who set it."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from rareseg.records.plan import Choice, Plan, WeightsChoice
from rareseg.showing.layout import remark, table

_REASONS = ("because", "reference", "set_by")
_INDICES = ("labels", "classes")
"""Settings that hold class indices."""
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
        for key, held in value.items() if isinstance(value, dict) else [(field, value)]:
            lines += _lines(plan.classes, key, held, _UNITS.get((name, field), ""))
    if isinstance(choice, WeightsChoice) and any(choice.values):
        lines += _ratio(choice.values)
    return Text("\n").join(lines)


def _lines(classes: Sequence[str], field: str, value: object, unit: str) -> Iterator[Text]:
    """Spell one setting: in one line, or in one for each class where these differ."""
    if isinstance(value, tuple) and field.rpartition(".")[2] in _INDICES:
        yield Text.assemble((f"{field} ", "dim"), ", ".join(classes[int(label)] for label in value))
    elif isinstance(value, tuple) and len(value) == len(classes) and len(set(value)) > 1:
        yield Text(field, style="dim")
        yield from (Text(f"  {label} {_spell(held)}") for label, held in zip(classes, value, strict=True))
    elif isinstance(value, tuple) and len(value) != len(classes):
        yield Text.assemble((f"{field} ", "dim"), ", ".join(map(_spell, value)))
    else:
        yield Text.assemble((f"{field} ", "dim"), f"{_spell(value)}{unit}")


def _ratio(weights: Sequence[float]) -> Iterator[Text]:
    """How much more the heaviest class counts than the lightest: the number by which rules compare."""
    used = [weight for weight in weights if weight > 0]
    if max(used) > min(used):
        yield Text.assemble(("ratio ", "dim"), f"{max(used) / min(used):#.3g} : 1")
    if len(used) < len(weights):
        yield Text(f"{len(weights) - len(used)} weigh 0: never learned", style="dim")


def _spell(value: object) -> str:
    if isinstance(value, tuple):
        return f"{_spell(value[0])} for each class" if value else "none"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _reason(choice: Choice) -> Text:
    return Text.assemble(choice.because, (f"\n{choice.reference}" if choice.reference else "", "dim italic"))
