"""What the catalogue says of one remedy, and of one setting of it."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from rareseg.errors import SettingError
from rareseg.records.audit import PartFacts
from rareseg.records.plan import Setting as Value

Family = Literal["loss", "weights", "sampling", "prior"]
Kind = Literal["number", "whole number", "flag", "name", "numbers", "class indices", "list"]
"""numbers: one per class; list: any count of numbers."""
_LISTED = ("numbers", "class indices", "list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a remedy: what it takes, in which unit and range, and its usual value."""

    name: str
    kind: Kind
    default: Value
    meaning: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    """`low` itself is not allowed."""
    open_high: bool = False
    choices: tuple[str, ...] = ()
    """name: the words that it may be."""
    exclusive_only: bool = False
    """It changes nothing where classes overlap."""

    def span(self) -> str:
        """Return what it may be, in words, such as "0 <= number < 1"."""
        if self.kind == "flag":
            return "true or false"
        if self.kind == "name":
            return " or ".join(self.choices)
        below = "" if self.low == -math.inf else f"{self.low:g} {'<' if self.open_low else '<='} "
        above = "" if self.high == math.inf else f" {'<' if self.open_high else '<='} {self.high:g}"
        many = {"numbers": "one number per class", "list": "numbers"}
        return f"{below}{many.get(self.kind, self.kind)}{above}"

    def checked(self, value: Value, where: str) -> Value:
        """Return `value` in this setting's type.

        Raises:
            SettingError: naming `where`, what is allowed and what came.
        """
        if value is None and self.default is None:
            return None
        converted = self._converted(value)
        if converted is None:
            unit = f", in {self.unit}" if self.unit else ""
            optional = ", or none" if self.default is None else ""
            message = f"{where}={_shown(value)}: expected {self.span()}{unit}{optional}: {self.meaning}."
            raise SettingError(message)
        return converted

    def parsed(self, text: str, where: str) -> Value:
        """Return the value that a command line's text stands for; raises SettingError as `checked`."""
        said = text.strip()
        if said.lower() == "none":
            return self.checked(None, where) if self.default is None else self.checked(said, where)
        words = {"true": True, "false": False}
        if self.kind == "flag":
            return self.checked(words.get(said.lower(), said), where)
        if self.kind == "name":
            return self.checked(said, where)
        try:
            numbers = tuple(float(part) for part in said.split(","))
        except ValueError:
            return self.checked(said, where)
        listed = self.kind in _LISTED
        return self.checked(numbers if listed or len(numbers) > 1 else numbers[0], where)

    def _converted(self, value: Value) -> Value:
        if self.kind == "flag":
            return value if isinstance(value, bool) else None
        if self.kind == "name":
            return value if value in self.choices else None
        if self.kind in _LISTED:
            many = value if isinstance(value, tuple | list) else (value,)
            whole = self.kind == "class indices"
            if not many or not all(self._fits(number, whole=whole) for number in many):
                return None
            return tuple(int(n) if whole else float(n) for n in many)  # type: ignore[arg-type]
        whole = self.kind == "whole number"
        if isinstance(value, tuple) or not self._fits(value, whole=whole):
            return None
        return int(value) if whole else float(value)  # type: ignore[arg-type]

    def _fits(self, value: object, *, whole: bool) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        if whole and int(value) != value:
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below


class Verdict(NamedTuple):
    """Whether a remedy applies to some data."""

    applies: bool | None
    """None: no count of pixels can tell."""
    because: str
    """With the audit's numbers."""

    def sentence(self) -> str:
        """Return the verdict in words."""
        return {
            True: self.because,
            False: f"does not apply here: {self.because}",
            None: f"masks cannot tell: {self.because}",
        }[self.applies]


class Judge(Protocol):
    """Tells whether a remedy applies."""

    def __call__(self, facts: PartFacts, *, crop: int = ..., overlapping: bool = ...) -> Verdict:
        """Return whether a remedy applies to the data of an audit.

        `crop` is the side of the plan's crops, px; `overlapping` says whether a pixel may belong to several classes.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One remedy: what it does, when it applies, and what goes wrong with it."""

    name: str
    family: Family
    summary: str
    formula: str
    """In plain text, with p the probability, g the label (0 or 1), c a class."""
    reference: str
    when: str
    """When it applies, in terms of the audit's facts."""
    traps: tuple[str, ...]
    settings: tuple[Setting, ...] = ()
    takes_weights: bool = False
    """losses: class weights reach it."""
    takes_shares: bool = False
    """losses: it is given the class shares of the training part."""
    exclusive_only: bool = False
    judge: Judge
    """Tells whether it applies to the data of an audit."""

    def setting(self, name: str) -> Setting | None:
        """Return the setting of that name, or None."""
        return next((entry for entry in self.settings if entry.name == name), None)


def _shown(value: Value) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(_shown, value)) or "()"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
