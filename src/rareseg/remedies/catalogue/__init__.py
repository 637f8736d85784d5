"""Every remedy for class imbalance that rareseg knows: what it does, after whom, when, and what goes wrong."""

from collections.abc import Callable
from typing import Any

from rareseg.errors import SettingError
from rareseg.records.overrides import unknown
from rareseg.remedies.catalogue import other_remedies, overlap_losses, own, pixel_losses, shape_losses
from rareseg.remedies.catalogue.entry import Family as Family
from rareseg.remedies.catalogue.entry import Remedy as Remedy
from rareseg.remedies.catalogue.entry import Setting as Setting

PUBLISHED: dict[str, Remedy] = {
    entry.name: entry
    for entry in (
        *pixel_losses.ENTRIES,
        *overlap_losses.ENTRIES,
        *shape_losses.ENTRIES,
        *other_remedies.ENTRIES,
    )
}
"""The package's own remedies by name, in the order in which they are listed."""

RESERVED = ("none", "default")
"""Candidates of a comparison that are no remedies: no loss can have their names."""

FAMILIES: tuple[Family, ...] = ("loss", "weights", "sampling", "prior")


def names(family: Family | None = None) -> tuple[str, ...]:
    """Return the names of all remedies, the user's own losses included, or those of one family."""
    every = {**PUBLISHED, **own.remedies}
    return tuple(name for name, entry in every.items() if family in (None, entry.family))


def find(name: str) -> Remedy:
    """Return the remedy of that name; raises SettingError with the nearest and all names if there is none."""
    found = PUBLISHED.get(name) or own.remedies.get(name)
    if found is None:
        raise SettingError(unknown("remedy", name, names()))
    return found


def find_loss(name: str) -> Remedy:
    """Return the loss of that name.

    Raises:
        SettingError: if there is none; a loss of the user's own must be made known first.
    """
    if name not in names("loss"):
        message = (
            f"{unknown('loss', name, names('loss'))} A function of your own is made known by "
            f"rareseg.losses.add({name or 'name'!r}, function)."
        )
        raise SettingError(message)
    return find(name)


def family_of(name: str) -> Family:
    """Return the family of a remedy; raises SettingError as `find`."""
    return find(name).family


def add_loss(name: str, function: Callable[..., Any], *, summary: str = "") -> None:
    """Make a loss function of your own known, so that plans can name it: "cross_entropy + 0.5*mine".

    `function(logits, labels, *, ...)` takes logits (batch, classes, rows, cols) and labels (batch, rows, cols)
    int64 (class indices, or bit sets of overlapping classes; 255 is not counted), and returns a scalar tensor.
    Its keyword-only arguments are its settings: each needs a default that is a number, a truth value or a tuple
    of numbers, and is set as `loss.NAME.SETTING=VALUE`. Arguments called `overlapping` (bool), `weights` (one per
    class, or None) and `shares` (class shares of the training part) are filled in by training. A name of your
    own may be given anew.

    Records hold the name only, never code: a program that resumes or reads such a plan calls this first.

    Raises:
        SettingError: if the name is no identifier or taken by the package, or an argument has no usable default.
    """
    if name in RESERVED:
        message = f"{name!r} stands for a plan of its own in comparisons: give your loss another name."
        raise SettingError(message)
    if name in PUBLISHED:
        message = f"{name!r} is a remedy of the package already: give your loss another name."
        raise SettingError(message)
    own.register(name, function, summary=summary)
