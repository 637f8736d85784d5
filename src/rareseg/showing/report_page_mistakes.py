"""What goes wrong: which class is taken for which, the worst images, and thresholds that do not carry over."""

from collections.abc import Iterator, Sequence
from html import escape

from rareseg.records.report import Report
from rareseg.records.scores import ImageScores, Transfer
from rareseg.showing.layout import ABSENT, spell_score, spell_share
from rareseg.showing.report_page_elements import Html, listed, name, percent, section, table
from rareseg.showing.report_page_subjects import Shown, rarest, short

_MOST_CONFUSED, _MOST_IMAGES, _MOST_COLUMNS = 5, 8, 24
_SHADES = 8


def confusion(subjects: Sequence[Shown]) -> Html:
    """Return the section on which class is taken for which: sentences, and a table of shares per run."""
    parts: list[Html] = []
    for one in subjects:
        report = one.report
        if not report.confusion:
            continue
        title = "" if len(subjects) == 1 else f'<h3 class="who">{name(one.name)}</h3>'
        parts += [title, listed(_taken(report)), _matrix(one, alone=len(subjects) == 1)]
    return section("confusion", "Which class is taken for which", parts)


def _taken(report: Report) -> list[Html]:
    """Return the largest shares of a class that are given to another, in words."""
    names = list(report.classes)
    found = [
        (given / total, names[row], names[column])
        for row, counts in enumerate(report.confusion)
        for column, given in enumerate(counts)
        if row != column and given and (total := sum(counts))
    ]
    found.sort(key=lambda one: -one[0])
    return [
        f"<strong>{percent(held)}</strong> of {name(true)} is taken for {name(given)}"
        for held, true, given in found[:_MOST_CONFUSED]
    ]


def _matrix(one: Shown, *, alone: bool) -> Html:
    names = list(one.report.classes)
    if len(names) > _MOST_COLUMNS:
        return ""
    head = "".join(f'<th scope="col">{name(held)}</th>' for held in names)
    body = "".join(
        f'<tr><th scope="row">{name(names[row])}</th>{"".join(_shaded(counts, row))}</tr>'
        for row, counts in enumerate(one.report.confusion)
    )
    label = "Of the pixels labelled as the row's class, the share given to the column's"
    label += "" if alone else f": {one.name}"
    return (
        f'<div class="scroll" role="group" aria-label="{escape(label)}"><table class="confusion">'
        f"<caption><span>{name(label)}</span></caption>"
        f'<thead><tr><th scope="col">labelled / given</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _shaded(counts: Sequence[int], row: int) -> Iterator[Html]:
    total = sum(counts)
    for column, given in enumerate(counts):
        if not total:
            yield f'<td class="number">{ABSENT}</td>'
            continue
        held = given / total
        kind = "right" if column == row else "wrong"
        shade = round(_SHADES * held)
        yield f'<td class="number {kind} h{shade}">{percent(held)}</td>'


def worst(subjects: Sequence[Shown]) -> Html:
    """Return the table of the images on which the rarest class is found worst, a column per run."""
    asked = next((held for one in subjects if (held := rarest(one.report)) is not None), None)
    if asked is None:
        return ""
    found = [_by_image(one.report, asked) for one in subjects]
    order: dict[str, tuple[float, float]] = {}
    for images in found:
        for image, (value, covers) in images.items():
            least = order.get(image, (2.0, covers))[0]
            order[image] = (least if value is None else min(least, value), covers)
    measured = sorted((one for one in order if order[one][0] <= 1), key=lambda one: order[one][0])
    headings = ["image", "share of it&nbsp;%"]
    headings += ["IoU" if len(subjects) == 1 else f"IoU, {name(one.name)}" for one in subjects]
    viewed = {view.image for one in subjects for view in one.report.views}
    rows = [
        [
            f"{name(short(image, subjects[0]))}{_shown(image) if image in viewed else ''}",
            spell_share(order[image][1]),
            *(spell_score(images[image][0] if image in images else None) for images in found),
        ]
        for image in measured[:_MOST_IMAGES]
    ]
    told = f"Of {len(measured)} images that hold {asked}, those where it is found worst."
    return section(
        "worst",
        "The worst images",
        [table(f"Worst images for {asked}", headings, rows, told=False)] if rows else [],
        told=told,
    )


def _shown(image: str) -> Html:
    """A button that shows the image in the viewer; the page's script reveals it where the viewer has the image."""
    label = escape(f"Show {image} in the viewer")
    return f' <button type="button" class="show" data-image="{escape(image)}" aria-label="{label}" hidden>show</button>'


def _by_image(report: Report, asked: str) -> dict[str, tuple[float | None, float]]:
    """Return (IoU, share of the class) of the images that hold the class."""
    place = list(report.classes).index(asked) if asked in report.classes else -1
    if place < 0:
        return {}
    return {
        one.image: (one.iou[place], one.pixels[place] / one.counted)
        for one in report.by_image
        if _complete(one, place) and one.pixels[place]
    }


def _complete(one: ImageScores, place: int) -> bool:
    return bool(one.counted) and len(one.pixels) > place and len(one.iou) > place


def transfer(subjects: Sequence[Shown]) -> Html:
    """Return the section on thresholds that do not carry over, "" where all do."""
    told = [
        f"{'' if len(subjects) == 1 else f'<strong>{name(one.name)}</strong>: '}{_moved(held)}"
        for one in subjects
        for held in one.report.transfer
    ]
    return section("transfer", "Thresholds that do not carry over", [listed(told)])


def _moved(held: Transfer) -> Html:
    return (
        f"<strong>{name(held.name)}</strong> covers {spell_share(held.chosen_share)}&nbsp;% where its threshold "
        f"{held.threshold:.3g} was chosen and {spell_share(held.share)}&nbsp;% here; it scores IoU "
        f"{spell_score(held.iou)}. The best threshold here, {held.best_threshold:.3g}, would score "
        f"{spell_score(held.best_iou)}: read off these labels, so it is what would be gained, not what may be claimed."
    )
