"""Whether a remedy applies to some data, as far as an audit can tell: each a sentence with its numbers, or None."""

from rareseg.records.audit import PartFacts
from rareseg.remedies.sampling import MISSED, SELDOM, blob_like, blob_reason, crop_chances, measured_crop
from rareseg.remedies.weights import LEVEL, by_rule, ratio

USUAL_CROP = 256
"""px; crops of most plans."""


def always(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> str | None:
    """Return that it applies whatever the data."""
    del facts, crop, overlapping
    return "always"


def several_and_rare(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> str | None:
    """Return which of several exclusive classes are rare."""
    del crop
    rare = [f"{entry.name} {entry.share:.2%}" for entry in facts.classes if 0 < entry.share < SELDOM]
    if len(facts.classes) < 3 or not rare or overlapping:
        return None
    return f"{len(facts.classes)} classes, of which rare: {', '.join(rare)}"


def missed_by_crops(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> str | None:
    """Return which rare classes a random crop of `crop` px mostly misses: those on which a plan centres crops."""
    del overlapping
    looked_at = measured_crop(facts, crop)
    place = "an image" if looked_at is None else f"a random crop of {looked_at} px"
    found = [
        f"{facts.classes[label].name} with a chance of {chance:.0%}"
        for label, chance in crop_chances(facts, crop).items()
        if chance < MISSED
    ]
    return f"{place} holds {', '.join(found)}" if found else None


def blobs(facts: PartFacts, *, crop: int = USUAL_CROP, overlapping: bool = False) -> str | None:
    """Return which rare classes are made of compact objects."""
    del crop, overlapping
    found = [blob_reason(entry) for entry in facts.classes if entry.share < SELDOM and blob_like(entry)]
    return "; ".join(found) or None


def level_effective_numbers(facts: PartFacts) -> str | None:
    """Return that the effective numbers of images weigh all classes alike, if they do."""
    if facts.counts.labelled < 1:
        return None
    worth = ratio(by_rule("effective_number", facts.counts))
    if worth >= LEVEL:
        return None
    return (
        f"every class lies in nearly every image, so weights differ by {worth - 1:.1%} at most: count objects "
        "(weights.counted=objects)"
    )
