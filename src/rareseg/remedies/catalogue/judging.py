"""Whether a remedy applies to some data, as far as an audit can tell: a verdict with the audit's numbers."""

from rareseg.records.audit import ClassFacts, PartFacts
from rareseg.remedies.catalogue.entry import Judge, Verdict
from rareseg.remedies.sampling import (
    MISSED,
    SELDOM,
    blob_like,
    blob_reason,
    crop_chances,
    elongation,
    measured_crop,
)
from rareseg.remedies.weights import LEVEL, by_rule, ratio

USUAL_CROP = 256
"""px; crops of most plans."""
CROWD = 0.9
"""Share from which one class's easy pixels drown the others (Lin 2017 starts from 0.99 and more)."""
_WIDEST = 0.3
"""Share above which a class is no network of lines, whatever its width."""


def always(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return that it applies whatever the data."""
    del facts, crop, overlapping
    return Verdict(True, "always")


def untold(reason: str) -> Judge:
    """Return a judge that says why no count of pixels tells whether a remedy applies."""

    def judge(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
        del facts, crop, overlapping
        return Verdict(None, reason)

    return judge


def crowded(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return whether one class covers so much that its easy pixels drown the others."""
    del crop
    if overlapping:
        easy = [entry for entry in facts.classes if entry.share > 0 and 1 - entry.share >= CROWD]
        said = ", ".join(f"{entry.name} {1 - entry.share:.4g}" for entry in easy)
        return Verdict(bool(easy), f"share of pixels without the class: {said}" if easy else _rarest(facts))
    most = max(facts.classes, key=lambda entry: entry.share)
    return Verdict(most.share >= CROWD, f"{most.name} covers {most.share:.4g} of the pixels (from {CROWD:g})")


def rare(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return whether any class is rare, so that overlap instead of pixels is what the loss should count."""
    del crop, overlapping
    found = _rare(facts)
    return Verdict(bool(found), f"rare: {_shares(found)}" if found else _rarest(facts))


def several_and_rare(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return whether several exclusive classes compete for one answer and some of them are rare."""
    del crop
    found = _rare(facts)
    if overlapping:
        return Verdict(False, "classes overlap: each has a threshold of its own")
    if len(facts.classes) < 3:
        return Verdict(False, f"{len(facts.classes)} classes: one threshold does the same, after training")
    if not found:
        return Verdict(False, _rarest(facts))
    return Verdict(True, f"{len(facts.classes)} classes, of which rare: {_shares(found)}")


def missed_by_crops(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return whether a random crop of `crop` px mostly misses a rare class: a plan centres crops on those."""
    del overlapping
    looked_at = measured_crop(facts, crop)
    place = "an image" if looked_at is None else f"a random crop of {looked_at} px"
    chances = crop_chances(facts, crop)
    missed = {label: chance for label, chance in chances.items() if chance < MISSED}
    if not chances:
        return Verdict(False, _rarest(facts))
    said = ", ".join(
        f"{facts.classes[label].name} with a chance of {chance:.0%}"
        for label, chance in (missed or chances).items()
    )
    return Verdict(bool(missed), f"{place} holds {said}{'' if missed else f' (missed: below {MISSED:.0%})'}")


def blobs(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return whether a rare class is made of compact objects."""
    del crop, overlapping
    found = _rare(facts)
    compact = [entry for entry in found if blob_like(entry)]
    if not found:
        return Verdict(False, _rarest(facts))
    return Verdict(bool(compact), "; ".join(blob_reason(entry) for entry in compact or found))


def compact(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return whether the objects of a rare class are compact, so that they have edges and an inside."""
    del crop, overlapping
    measured = [entry for entry in _rare(facts) if elongation(entry) is not None]
    found = [entry for entry in measured if blob_like(entry)]
    if not measured:
        return Verdict(False, _rarest(facts))
    kind = "compact" if found else "long and thin"
    return Verdict(bool(found), f"{kind}: {', '.join(map(_shape, found or measured))}")


def lines(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return whether the regions of a class that is not the bulk of the photo are long and thin."""
    del crop, overlapping
    seldom = [entry for entry in facts.classes if 0 < entry.share < _WIDEST]
    found = [entry for entry in seldom if elongation(entry) is not None and not blob_like(entry)]
    if found:
        return Verdict(True, f"long and thin: {', '.join(map(_shape, found))}")
    measured = [entry for entry in seldom if elongation(entry) is not None]
    if not measured:
        return Verdict(False, f"no class below {_WIDEST:.0%} whose objects could be measured")
    return Verdict(False, f"compact: {', '.join(map(_shape, measured))}")


def effective_numbers(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> Verdict:
    """Return `several_and_rare`, unless the effective numbers of images weigh all classes alike."""
    verdict = several_and_rare(facts, crop=crop, overlapping=overlapping)
    if facts.counts.labelled < 1:
        return verdict
    worth = ratio(by_rule("effective_number", facts.counts))
    if worth >= LEVEL:
        return verdict
    return Verdict(
        False,
        f"every class lies in nearly every image, so weights differ by {worth - 1:.1%} at most: count objects "
        "(weights.counted=objects)",
    )


def _rare(facts: PartFacts) -> list[ClassFacts]:
    return [entry for entry in facts.classes if 0 < entry.share < SELDOM]


def _rarest(facts: PartFacts) -> str:
    present = [entry for entry in facts.classes if entry.share > 0]
    if not present:
        return "no pixel is labelled"
    return f"no class covers less than {SELDOM:.0%}: the rarest is {_shares([min(present, key=lambda e: e.share)])}"


def _shares(found: list[ClassFacts]) -> str:
    return ", ".join(f"{entry.name} {entry.share:.2%}" for entry in found)


def _shape(entry: ClassFacts) -> str:
    width, ratio = entry.median_width or 0.0, elongation(entry) or 0.0
    return f"{entry.name} ({width:.0f} px wide, its objects {ratio:.3g} times the width squared)"
