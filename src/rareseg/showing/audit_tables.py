"""The Audit as tables: what the masks mean, what is in the data, what a constant answer scores."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from rareseg.records.audit import CROP_SIZES, Audit, PartFacts
from rareseg.records.dataset import PARTS, VOID, Dataset, ValueRange
from rareseg.showing.layout import (
    bullets,
    class_name,
    is_narrow,
    remark,
    section,
    spell_chance,
    spell_count,
    spell_score,
    spell_share,
    spell_size,
    table,
)


def audit_tables(audit: Audit, width: int) -> list[RenderableType]:
    """Return the audit's sections, drawn for `width` columns."""
    sections = [_title(audit), _reading(audit.dataset), _classes(audit.total, width)]
    sections += [_parts(audit), _bands(audit.total), _constant(audit.total)]
    if audit.notes:
        sections.append(bullets("Worth knowing", audit.notes))
    return sections


def _title(audit: Audit) -> RenderableType:
    data = audit.dataset
    facts = f"{len(data.pairs)} photos, {data.bands} bands of {data.dtype}, layout {data.layout}"
    return Text.assemble(("Audit", "bold"), f"  {facts}")


def _reading(data: Dataset) -> RenderableType:
    headings = [("mask value", "left"), ("class", "left"), ("pixels", "right"), ("because", "left")]
    rows, told = [], ""
    for held in data.reading.ranges:
        # A reason that holds for several rows stands in the first of them.
        because = "" if held.because == told else held.because
        told = held.because
        rows.append((_raw(data, held), _label(data, held.label), spell_count(held.pixels), because))
    said = "as the TOML says" if data.reading.said_by == "user" else "decided over the whole set"
    return section(f"How the masks are read: {_KINDS[data.reading.kind]}, {said}", table(headings, rows))


_KINDS = {
    "indices": "class indices",
    "two_level": "two levels",
    "palette": "palette indices",
    "rgb": "colours",
    "bands": "one band per class",
}


def _raw(data: Dataset, held: ValueRange) -> Text:
    if data.reading.kind == "rgb" and held.low == held.high:
        colour = f"#{held.low:06x}"
        return Text.assemble(("■ ", colour), colour)
    spell = (lambda value: f"#{value:06x}") if data.reading.kind == "rgb" else str
    text = spell(held.low) if held.low == held.high else f"{spell(held.low)} to {spell(held.high)}"
    return Text(f"band {text}" if data.reading.kind == "bands" else text)


def _label(data: Dataset, label: int) -> Text:
    return Text("not counted", style="dim") if label == VOID else Text(data.classes[label], style="bold")


def _classes(facts: PartFacts, width: int) -> RenderableType:
    headings = [("\nclass", "left"), ("\npixels", "right"), ("share\n%", "right"), ("\nimages", "right")]
    headings += [("\nobjects", "right"), ("width\npx", "right"), ("size\npx", "right")]
    headings += [(f"crop\n{size}", "right") for size in CROP_SIZES]
    rows: list[tuple[str | Text, ...]] = [
        (
            class_name(held.name, held.share),
            spell_count(held.pixels),
            spell_share(held.share),
            spell_count(held.images),
            spell_count(held.objects),
            spell_size(held.median_width),
            spell_size(held.median_size),
            *map(spell_chance, held.crop_chance),
        )
        for held in facts.classes
    ]
    sizes = ", ".join(map(str, CROP_SIZES))
    chance = f"chance in % that a random crop of {sizes} px holds the class"
    legend = f"width, size: medians over objects; crop: {chance}"
    drawn = table(headings, rows, tight=is_narrow(width))
    return section("Classes, all parts", drawn, remark(legend), *_beside(facts))


def _beside(facts: PartFacts) -> Iterator[Text]:
    counts = facts.counts
    rows = f"{spell_chance(facts.row_dependence)} %"
    yield Text(f"The height in the image explains {rows} of the class entropy (0 %: no direction is up).")
    if counts.void:
        yield Text(f"Not labelled: {spell_count(counts.void)} px, not counted.")
    if counts.nodata:
        drawn = (
            f"; masks draw a class on {spell_count(counts.nodata_labelled)} of them"
            if counts.nodata_labelled
            else ""
        )
        yield Text(
            f"Without photo: {spell_count(counts.nodata)} px, not counted{drawn}.",
            style="yellow" if drawn else "",
        )


def _parts(audit: Audit) -> RenderableType:
    parts = [facts for name in PARTS if (facts := audit.part(name)) is not None]
    pairs = {facts.part: [pair for pair in audit.dataset.pairs if pair.part == facts.part] for facts in parts}
    headings = [("", "left"), *((facts.part, "right") for facts in parts)]
    rows: list[tuple[str | Text, ...]] = [
        ("photos", *(spell_count(len(pairs[facts.part])) for facts in parts)),
        ("scenes", *(spell_count(len({pair.group for pair in pairs[facts.part]})) for facts in parts)),
        ("counted px", *(spell_count(facts.counts.labelled) for facts in parts)),
    ]
    for index, held in enumerate(audit.total.classes):
        shares = (facts.classes[index].share if facts.counts.labelled else None for facts in parts)
        rows.append((Text.assemble(class_name(held.name, held.share), " %"), *map(spell_share, shares)))
    because = remark(audit.dataset.split_because)
    return section("Parts: no scene is in two of them", table(headings, rows), because)


def _bands(facts: PartFacts) -> RenderableType:
    headings = [("band", "right"), ("mean", "right"), ("standard deviation", "right")]
    rows = [
        (str(band), f"{mean:,.2f}", f"{deviation:,.2f}")
        for band, (mean, deviation) in enumerate(zip(facts.band_mean, facts.band_std, strict=True), 1)
    ]
    return section("Photo bands, in the file's units", table(headings, rows))


def _constant(facts: PartFacts) -> RenderableType:
    constant = facts.constant_predictor
    answer = Text.assemble(
        "A map of ",
        (constant.answer, "bold"),
        " everywhere scores accuracy ",
        (spell_score(constant.accuracy), "bold"),
        " and macro IoU ",
        (spell_score(constant.macro_iou), "bold"),
        ".",
    )
    floor = Text(
        f"A network that learned nothing but the shares has a loss of {constant.entropy:.4f} nats per pixel."
    )
    return section("What to beat", Group(answer, floor))
