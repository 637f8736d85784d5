"""What the labels of many images have to do with the images: pairs, shifts, mirrors, suspects."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rareseg.imagery.suspicion.left_out import left_out
from rareseg.imagery.suspicion.looks import Look, cut_windows
from rareseg.imagery.suspicion.mirrors import better_laid
from rareseg.imagery.suspicion.pairing import Pairing, pairing_of
from rareseg.imagery.suspicion.shifts import MOST_IMAGES, Shift, shift_of
from rareseg.imagery.suspicion.suspects import chosen_names, suspects_of

SIDE = 160
"""Rows and columns of the windows that are compared, at most, px."""
MOST = 48
SUSPECT_MOST = 96
FITS_AT_ALL = 8.0
"""Deviations above chance at the best shift, below which no shift can be told."""
_MANY_WRONG = 0.4
_FEWEST = 12
_SOME_WRONG = 0.04


class Relations(NamedTuple):
    """Fields of a DataEvidence, and notes."""

    fields: dict[str, Any]
    notes: tuple[str, ...]


def relations_of(
    looks: Sequence[Look], classes: int, rare: int, *, suspects: bool = True, void_is_left_out: bool = True
) -> Relations:
    """Measure how labels and images hang together.

    Args:
        looks: training images with their labels, of one number of bands.
        classes: how many there are.
        rare: the rarest class.
        suspects: whether to look for single images whose labels look wrong.
        void_is_left_out: whether pixels without a label are left out on purpose; where classes may overlap, they are
            those of no class, or of several.
    """
    out = left_out(looks, classes, side=SIDE) if void_is_left_out else None
    void = {} if out is None else {"ignored_fit": out.fit, "ignored_areas": out.areas}
    windows = cut_windows(looks, classes, side=SIDE, most=MOST)
    pairing = pairing_of(windows.pictures, windows.labels, classes) if windows.of else None
    if pairing is None:
        why = "Pairs and shifts were not looked at: that takes 4 images of one size with two classes or more."
        return Relations(void, (why,))
    # The first images are looked at for a shift: spread them over the set.
    order = [*range(0, len(windows.of), 2), *range(1, len(windows.of), 2)]
    shift = shift_of(
        windows.pictures[order[:MOST_IMAGES]],
        windows.labels[order[:MOST_IMAGES]],
        classes,
        chance=pairing.shuffled,
    )
    fields, notes = paired_fields(pairing, shift)
    fields |= void
    visible = pairing.deviations >= FITS_AT_ALL
    if not (shift and (shift.rows or shift.cols) and "shift" in fields):
        laid = better_laid(looks, classes)
        if laid:
            notes.append(f"The labels would fit the images much better if they were {laid}.")
    if suspects and visible:
        wide = cut_windows(looks, classes, side=SIDE, most=SUSPECT_MOST, empty=True)
        found = suspects_of(wide.pictures, wide.labels, rare)
        names = [looks[index].name for index in wide.of]
        listed, reasons = chosen_names(found, names)
        if len(listed) >= max(2, _SOME_WRONG * len(names)):
            fields |= {"suspects": listed, "suspect_reasons": reasons}
        else:
            # One odd image in a hundred is met in every set, and explains nothing.
            notes += [f"{name}: {reason}." for name, reason in zip(listed, reasons, strict=True)]
    return Relations(fields, tuple(notes))


def paired_fields(pairing: Pairing, shift: Shift | None) -> tuple[dict[str, Any], list[str]]:
    """Return the fields about pairs and shift, and notes; what cannot be told stays out of the fields."""
    fields: dict[str, Any] = {"pair_information": pairing.information}
    notes: list[str] = []
    deviations = pairing.deviations
    moved = shift is not None and bool(shift.rows or shift.cols) and _stands_out(shift, pairing)
    if not pairing.tells and not moved:
        notes.append(
            "Whether images and labels are paired rightly cannot be told: even a plainly brighter class would "
            f"stand out by {pairing.power:.1f} standard deviations only in so few or so small labels."
        )
        return fields, notes
    fields |= {"shuffled_information": pairing.shuffled, "shuffled_deviation": pairing.deviation}
    if shift is not None and (moved or deviations >= FITS_AT_ALL):
        fields |= {
            "shift": (shift.rows, shift.cols),
            "shift_gain": shift.gain,
            "shift_agreement": shift.sure if moved else shift.agreement,
        }
    if moved and shift is not None and deviations < FITS_AT_ALL:
        # Displaced labels tell little of the place where they lie: they are no wrong pairs.
        fields |= {"pair_information": shift.fit}
        notes.append("Information of pairs is that of the labels moved to where they fit.")
    wrong = pairing.wrong_share()
    if len(pairing.fits) >= _FEWEST and wrong >= _MANY_WRONG and deviations >= 3:
        notes.append(
            f"About {wrong:.0%} of the images fit their own labels no better than those of other images."
        )
    return fields, notes


def _stands_out(shift: Shift, pairing: Pairing) -> bool:
    return shift.fit - pairing.shuffled >= FITS_AT_ALL * pairing.deviation
