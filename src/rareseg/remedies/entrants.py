"""Who takes part in a comparison: which candidates have a plan of their own, and why the others have none."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from msgspec.structs import asdict, replace

from rareseg.errors import SettingError
from rareseg.records.comparison import Request
from rareseg.records.plan import Plan
from rareseg.remedies import candidates, loss_sums
from rareseg.remedies.candidates import YARDSTICKS


class Decide(Protocol):
    """Makes a plan of a budget and settings, as stages.plan.decide does with an audit and a machine."""

    def __call__(
        self,
        *,
        minutes: float | None = ...,
        steps: int | None = ...,
        settings: Mapping[str, str] | None = ...,
    ) -> Plan:
        """Return the plan; raises SettingError where settings contradict each other."""


class Entrants(NamedTuple):
    """The candidates: what each sets, whose plan is another's, and of whom no plan can be made."""

    settings: dict[str, dict[str, str]]
    trained: tuple[str, ...]
    same: dict[str, str]
    unplanned: dict[str, str]


def enter(request: Request, decide: Decide) -> Entrants:
    """Make a plan of every candidate that is asked for.

    Raises:
        SettingError: if a candidate does not exist, if even the bare plan does not take the settings, or if of
            the candidates beside none and default no plan can be made at all.
    """
    settings = {one.name: one.settings for one in candidates.parse(request.remedies, request.settings)}
    plans: dict[str, dict[str, object]] = {}
    same: dict[str, str] = {}
    unplanned: dict[str, str] = {}
    for name, own in settings.items():
        try:
            content = _content(decide(steps=1, settings=own))
        except SettingError as error:
            # What even the bare plan does not take is no remedy's fault.
            if name in YARDSTICKS:
                raise
            unplanned[name] = str(error)
            continue
        twin = next((other for other, plan in plans.items() if plan == content), None)
        if twin is None:
            plans[name] = content
        else:
            same[name] = twin
    if unplanned and not settings.keys() - unplanned.keys() - set(YARDSTICKS):
        reasons = " ".join(f"{name}: {reason}" for name, reason in unplanned.items())
        message = f"No plan can be made of any candidate, so there is nothing to compare. {reasons}"
        raise SettingError(message)
    return Entrants(settings, tuple(plans), same, unplanned)


def _content(plan: Plan) -> dict[str, object]:
    """Return what a plan makes training do: without the reasons, and however its loss is spelled."""
    bare = {
        name: replace(choice, because="", reference="", set_by="rule")
        for name, choice in plan.choices().items()
    }
    bare["loss"] = replace(
        plan.loss, name=loss_sums.canonical(plan.loss.name), because="", reference="", set_by="rule"
    )
    return asdict(replace(plan, **bare))
