"""What can be compared: plans that differ by named remedies, and by nothing else.

A candidate is a sum of remedies, such as "prior_bias + cross_entropy + 0.5*dice": losses, at most one rule for class
weights, at most one for sampling, and prior_bias. What it does not name is as in "none": plain cross-entropy,
no weights, uniform crops, an ordinary start. "default" is the plan by the rules, and "default + dice" that plan
with another loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, final

from rareseg.errors import SettingError
from rareseg.records.overrides import unknown
from rareseg.remedies import catalogue, loss_sums

NONE, DEFAULT = catalogue.RESERVED
YARDSTICKS = (NONE, DEFAULT)
"""Trained to the end whatever they score: what the others are measured against."""

USUAL = (
    *YARDSTICKS,
    "prior_bias",
    "sqrt_inverse",
    "class_centred",
    "focal",
    "dice",
    "cross_entropy+dice",
    "prior_bias+cross_entropy+dice",
    "tversky",
    "prior_bias+logit_adjusted",
    "prior_bias+cross_entropy+lovasz",
)
"""Compared where nobody names others: one or two of each family, alone and as they are usually joined."""

_PLAIN = {
    "loss": ("loss.name", "cross_entropy"),
    "weights": ("weights.rule", "none"),
    "sampling": ("sampling.rule", "uniform"),
    "prior": ("initialisation.prior_bias", "false"),
}
"""The plan's setting that each family decides, and its value without any remedy."""
_BIAS = "prior_bias"
_BUDGET = ("budget.steps", "budget.minutes", "seed")


@final
@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to train: its name, and what it sets in the plan ("section.field" to text)."""

    name: str
    settings: dict[str, str]


def parse(names: Sequence[str], settings: Mapping[str, str] | None = None) -> tuple[Candidate, ...]:
    """Return the candidates of these names, in their order; the yardsticks come first where they are not named.

    `settings` hold for every candidate. Those of one remedy (loss.TERM.SETTING, weights.SETTING,
    sampling.SETTING) go to the candidates that name it.

    Raises:
        SettingError: on an unknown remedy, one that is no way to train, two of a kind, a candidate named twice,
            or a setting that is itself compared or that no candidate takes.
    """
    shared = _checked(settings or {})
    spelled = [_spelled(name) for name in names]
    for place, name in enumerate(spelled):
        if name in spelled[:place]:
            message = f"The candidate {name} is named twice: name each once."
            raise SettingError(message)
    ordered = [*(name for name in YARDSTICKS if name not in spelled), *spelled]
    found = tuple(Candidate(name, {**_own(name), **_fitting(name, shared)}) for name in ordered)
    for key in shared:
        if all(key not in candidate.settings for candidate in found):
            message = f"No candidate takes {key}: name the remedy that it belongs to, or leave it out."
            raise SettingError(message)
    return found


def _spelled(name: str) -> str:
    """Return a name as it is shown: no spaces, and "none" where nothing is named."""
    tidy = name.replace(" ", "")
    if not tidy.strip("+"):
        message = f"Expected a candidate such as none, dice or prior_bias+cross_entropy+0.5*dice; received {name!r}."
        raise SettingError(message)
    return tidy


def _own(name: str) -> dict[str, str]:
    """Return what a candidate sets by its name."""
    parts = loss_sums.parts(name)
    if NONE in parts and len(parts) > 1:
        message = f"{name}: none stands alone, as every candidate but default starts from it. Leave it out."
        raise SettingError(message)
    named = {
        key: value for key, value in (_family_setting(family, parts, name) for family in _PLAIN) if value
    }
    return named if DEFAULT in parts else dict(_PLAIN.values()) | named


def _family_setting(family: str, parts: Sequence[str], name: str) -> tuple[str, str]:
    """Return the plan's setting for the parts of one family; an empty value if there are none."""
    key, _ = _PLAIN[family]
    own = [part for part in parts if part not in YARDSTICKS and _family(part, name) == family]
    if family == "loss":
        if own:
            loss_sums.terms("+".join(own))
        return key, "+".join(own)
    if len(own) > 1:
        message = f"{name} names {' and '.join(own)}, and a plan takes one rule for {family}: keep one."
        raise SettingError(message)
    if family == "prior":
        return key, "true" if own else ""
    return key, own[0] if own else ""


def _family(part: str, name: str) -> str:
    remedy = part.rpartition("*")[2]
    known = (
        *YARDSTICKS,
        *(entry for family in ("loss", "weights", "sampling") for entry in catalogue.names(family)),
    )
    known = (*known, _BIAS)
    if remedy in catalogue.names("prior") and remedy != _BIAS:
        message = (
            f"{name}: {remedy} is done after training and trains nothing, so it cannot be compared as a way to train: "
            f"leave it out. `rareseg remedies {remedy}` says how to ask for it."
        )
        raise SettingError(message)
    if remedy not in known:
        _refuse_unknown(remedy, part, name, known)
    family = catalogue.family_of(remedy)
    if remedy != part and family != "loss":
        message = (
            f"{name}: only losses take a factor, and {remedy} belongs to {family}: leave the factor out."
        )
        raise SettingError(message)
    return family


def _refuse_unknown(remedy: str, part: str, name: str, known: Sequence[str]) -> NoReturn:
    if "*" in part and part.partition("*")[0] in known:
        message = f"{name}: a factor stands before its loss, as in 0.5*dice; received {part!r}."
        raise SettingError(message)
    hint = f" A loss of your own is made known by rareseg.losses.add({remedy!r}, function)."
    message = f"{name}: {unknown('remedy', remedy, known)}{hint if remedy.isidentifier() else ''}"
    raise SettingError(message)


def _checked(settings: Mapping[str, str]) -> dict[str, str]:
    compared = [key for key, _ in _PLAIN.values()]
    for key in settings:
        if "." not in key and key not in _BUDGET:
            message = f"Expected settings as section.field, such as crop.size; received {key!r}."
            raise SettingError(message)
        if key in compared:
            message = f"{key} is what is compared: name remedies instead of setting it."
            raise SettingError(message)
        if key in _BUDGET:
            message = (
                f"{key} is decided by the comparison, from its minutes or steps and its seeds: leave it out."
            )
            raise SettingError(message)
    return {key: str(value) for key, value in settings.items()}


def _fitting(name: str, shared: Mapping[str, str]) -> dict[str, str]:
    """Return the shared settings that belong to a candidate."""
    remedies = [part.rpartition("*")[2] for part in loss_sums.parts(name)]
    families = {catalogue.family_of(remedy) for remedy in remedies if remedy not in YARDSTICKS}
    # The default's loss is for the rules to choose, with its usual settings.
    losses = remedies if "loss" in families or DEFAULT in remedies else ["cross_entropy"]

    def fits(key: str) -> bool:
        section, *rest = key.split(".")
        if section == "loss":
            return rest[0] in losses
        return section not in ("weights", "sampling") or section in families

    return {key: value for key, value in shared.items() if fits(key)}
