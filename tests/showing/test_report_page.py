"""The page says what the report says, takes no text for HTML, fetches nothing, and stands whatever is missing."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest
from msgspec.structs import replace
from tests.references import reports, trainings
from tests.references.diagnoses import three_findings

from rareseg.records.scores import Interval
from rareseg.showing.report_page import MOST_BYTES, page

HOSTILE = (
    "<script>alert(1)</script>.png",
    '"><img src=x onerror=alert(2)>.png',
    "</script><!--<script>-->\u2028]]>.png",
    "'-alert(3)-'&amp;\u202egnp.png",
)
VOID = {"meta", "wbr", "br", "img", "input", "path", "circle", "rect"}
MARKUP = "<i>x</i>"


class _Read(HTMLParser):
    """Collects what is shown, and sees that every element is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.seen, self.rows, self.code = [], [], [], [], {"script": [], "style": []}

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]].append(data)
            return
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def _read(text):
    reader = _Read()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def _shown(text):
    return " ".join("".join(_read(text).text).replace("\xa0", " ").split())


def _album(text):
    stored = re.search(r'<script type="application/json" id="viewer-data">(.*?)</script>', text, re.DOTALL)
    return json.loads(stored[1])


@pytest.fixture(scope="module")
def whole():
    """A run with all that belongs to it."""
    shown = reports.roads(size=192)
    return shown._replace(
        audit=trainings.audit(), plan=trainings.plan(), run=trainings.run(), diagnosis=three_findings()
    )


@pytest.fixture(scope="module")
def other():
    shown = reports.roads("plain", skill=0.6, size=192, seed=1)
    return shown._replace(
        audit=trainings.audit(), plan=trainings.plan("adamw"), run=trainings.run(learns=False)
    )


@pytest.fixture(scope="module")
def text(whole):
    return page([whole])


@pytest.fixture(scope="module")
def both(whole, other):
    return page([whole, other])


def test_the_page_stands_alone_and_closes_what_it_opens(text):
    read = _read(text)
    assert text.startswith("<!doctype html>")
    links = [
        one[key] for _, one in read.seen for key in ("src", "href", "xlink:href", "action") if key in one
    ]
    assert links
    # Pictures lie in the page itself.
    assert all(link.startswith(("#", "data:image/")) for link in links)
    assert "@import" not in text
    assert "url(" not in text
    assert not [held for _, held in read.seen if any(key.startswith("on") for key in held)]


def test_the_policy_forbids_the_network_and_all_scripts_but_ours(text):
    (policy,) = [held["content"] for tag, held in _read(text).seen if held.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"
    assert set(rules) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}


def test_every_anchor_of_the_navigation_is_there(both):
    read = _read(both)
    wanted = [held["href"][1:] for tag, held in read.seen if tag == "a"]
    known = [held["id"] for _, held in read.seen if "id" in held]
    assert len(wanted) > 9
    assert set(wanted) <= set(known)
    assert len(known) == len(set(known))


def test_the_question_comes_first_with_number_interval_and_constant_answer(text, whole):
    road = whole.report.classes["road"]
    told = _shown(text)
    reach = road.intervals["iou"]
    assert (
        f"(IoU): {road.iou:.3f} [{reach.low:.3f}, {reach.high:.3f}]; the constant answer, background everywhere, "
        "scores 0.000."
    ) in told
    assert f"Yes. It finds {100 * road.recall:.0f} %" in told
    order = [
        "Does it find", "Scores, class by class", "How rare it is", "The plan", "How training went", "Look at it",
        "Precision against recall", "Whether probabilities", "Where it is good", "As lines", "taken for which",
        "The worst images", "Thresholds to work at", "The diagnosis", "Worth knowing", "What the words mean",
    ]  # fmt: skip
    places = [told.index(one) for one in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"recall": 0.8, "precision": 0.5}, "Yes."),
        ({"recall": 0.8, "precision": 0.2}, "Partly."),
        ({"recall": 0.1, "precision": 0.9}, "Partly."),
        ({"recall": 0.0, "precision": None}, "No."),
        ({"recall": 0.8, "precision": 0.8, "average_precision": 0.05}, "No."),
    ],
)
def test_the_first_word_follows_its_rule(whole, changes, word):
    road = replace(whole.report.classes["road"], **changes)
    report = replace(whole.report, classes=whole.report.classes | {"road": road})
    assert f"Does it find the rare class?{word} " in _shown(page([whole._replace(report=report)]))


def test_a_score_stands_beside_the_constant_answer(text, whole):
    road, share = (
        whole.report.classes["road"],
        whole.report.classes["road"].pixels / whole.report.counted_pixels,
    )
    reach = road.intervals["average_precision"]
    (found, _) = [row for row in _read(text).rows if row and row[0] == "average precision (AP)"]
    assert found[1:] == [
        f"{share:.3f}",
        f"{road.average_precision:.3f} [{reach.low:.3f}, {reach.high:.3f}]",
    ]


@pytest.fixture(scope="module")
def against(whole):
    """The same run as it was scored against another map."""
    return reports.beside(whole, reports.roads("plain U-Net", skill=0.6, size=192, seed=1))


@pytest.fixture(scope="module")
def compared(against):
    return page([against])


def test_another_map_stands_beside_every_score(compared, against):
    ours, theirs = (one.classes["road"] for one in (against.report, against.report.against))
    rows = _read(compared).rows
    headings = next(row for row in rows if row[:2] == ["score", "constant answer"])
    assert headings[2:] == ["muon", "plain U-Net", "muon − plain U-Net"]
    for title, key in (("IoU", "iou"), ("boundary IoU, 4 px", "boundary_iou")):
        row = next(row for row in rows if row and row[0] == title)
        gap = getattr(ours, key) - getattr(theirs, key)
        assert row[2].startswith(f"{getattr(ours, key):.3f}")
        assert row[3].startswith(f"{getattr(theirs, key):.3f}")
        assert row[4] == f"{gap:+.3f} [{gap - 0.03:+.3f}, {gap + 0.03:+.3f}]"
        assert f"<strong>{gap:+.3f}" in compared
    error = ours.calibration_error - theirs.calibration_error
    assert abs(error) < 0.03
    assert f"<strong>{error:+.3f}" not in compared
    # Lines, curves, mistakes and pictures of both.
    lines = next(row for row in rows if row and row[0].startswith("APLS"))
    assert len(lines) == 4
    chart = next(
        one for one in compared.split("<figcaption>") if one.startswith("<bdi>road</bdi>") and "s2" in one
    )
    assert 'class="line s2"' in chart
    assert [run["name"] for run in _album(compared)["runs"]] == ["muon", "plain U-Net"]


def test_another_map_of_the_same_name_has_a_name_of_its_own(whole):
    text = page([reports.beside(whole, reports.roads("muon", skill=0.6, size=96, seed=1))])
    assert [run["name"] for run in _album(text)["runs"]] == ["muon", "muon (beside muon)"]


def test_another_map_that_lacks_images_is_said_to(against):
    few = replace(against.report, against=replace(against.report.against, images=4))
    told = _shown(page([against._replace(report=few)]))
    assert "plain U-Net answers for 4 of the 6 images of muon: its own scores are of these alone." in told
    assert "must not be compared" not in told


def test_the_rarest_class_is_shown_as_it_looks_in_training(text, whole):
    read = _read(text)
    pictures = [held for tag, held in read.seen if tag == "img"]
    assert len(pictures) == 3 * len(whole.report.examples) == 9
    encoded = base64.b64encode(whole.pictures[whole.report.examples[1].truth]).decode()
    assert pictures[5]["src"] == f"data:image/png;base64,{encoded}"
    assert pictures[5]["alt"] == "The same with what is labelled as road"
    assert "What road looks like in the training part" in _shown(text)
    first = whole.report.examples[0]
    assert f"{100 * first.share:.0f} % of this picture" in _shown(text)
    gone = {name: one for name, one in whole.pictures.items() if name != first.photo}
    fewer = _read(page([whole._replace(pictures=gone)]))
    assert sum(tag == "img" for tag, _ in fewer.seen) == 6


def test_images_are_named_without_the_folders_that_all_lie_in(whole):
    assert "photos/" not in _shown(page([whole])).partition("The worst images")[2]
    assert "22150_15.png" in _shown(page([whole])).partition("The worst images")[2]


def test_the_majority_class_is_compared_with_its_share(text, whole):
    share = whole.report.classes["background"].pixels / whole.report.counted_pixels
    rows = [row for row in _read(text).rows if row and row[0] == "background" and len(row) == 7]
    assert [row[4] for row in rows] == [f"{share:.3f}"]
    f1 = [row for row in _read(text).rows if row and row[0] == "F1"]
    assert f"{2 * share / (1 + share):.3f}" in [row[1] for row in f1]


def test_a_score_no_better_than_the_constant_answer_is_marked(whole):
    road = replace(whole.report.classes["road"], iou=0.0, intervals={"iou": Interval(low=0, high=0)})
    report = replace(whole.report, classes=whole.report.classes | {"road": road})
    assert '<strong class="bad">0.000' in page([whole._replace(report=report)])
    assert '<strong class="bad">' not in page([whole])


def test_the_plan_gives_each_decision_with_its_reason(text, whole):
    told = _shown(text)
    first = [row[0] for row in _read(text).rows if row]
    for name, choice in whole.plan.choices().items():
        assert (name if choice.set_by == "rule" else f"{name} by hand") in first
        assert choice.because in told
        assert choice.reference in told


def test_training_shows_the_entropy_line_and_the_events(text, both):
    told = _shown(text)
    assert "what predicting the prior costs" in told
    assert "The best weights: validation score" in told
    assert "Finished after 2 min 32 s: all steps are done." in told
    assert "Collapsed after 2 min 32 s" in _shown(both)
    assert "No pixel is given to road, up to step 700." in _shown(both)


def test_the_entropy_is_drawn_at_its_own_height(text, whole):
    chart = re.search(r"Loss on the validation part.*?</svg>", text, re.DOTALL)[0]
    level = float(re.search(r'class="level" d="M46 ([\d.]+)', chart)[1])
    line = re.search(r'class="line s1" d="M[\d.]+ ([\d.]+)', chart)[1]
    entropy = whole.audit.part("val").constant_predictor.entropy
    top = 1.08 * max(entropy, *(one.loss for one in whole.run.validations))
    assert level == pytest.approx(210 - 184 * entropy / top, abs=0.1)
    assert float(line) == pytest.approx(210 - 184 * whole.run.validations[0].loss / top, abs=0.1)


def test_thresholds_can_be_copied(text, whole):
    points = whole.report.classes["road"].operating
    copies = [held["data-copy"] for tag, held in _read(text).seen if held.get("class") == "copy"]
    assert copies == [f"{point.threshold:.6g}" for point in points]


def test_what_is_taken_for_what_is_a_share_of_the_labelled_class(text, whole):
    row = whole.report.confusion[1]
    percent = f"{100 * row[0] / sum(row):.0f} %"
    assert f"{percent} of road is taken for background" in _shown(text)


def test_a_threshold_that_does_not_carry_over_is_told():
    told = _shown(page([reports.land(images=2, size=96)]))
    assert (
        "weed covers 2.30 % where its threshold 0.41 was chosen and 0.200 % here; it scores IoU 0.120."
        in told
    )
    assert "what would be gained, not what may be claimed" in told


def test_texts_from_outside_are_shown_and_not_read_as_html():
    shown = reports.roads(MARKUP, images=4, size=96, names=HOSTILE)
    report = replace(
        shown.report,
        data=MARKUP,
        notes=(MARKUP,),
        thresholds_from=MARKUP,
        classes={f"{MARKUP}{name}": one for name, one in shown.report.classes.items()},
        views=tuple(replace(view, name=f"{MARKUP}road", why=MARKUP) for view in shown.report.views),
        examples=tuple(replace(one, image=MARKUP, name=MARKUP) for one in shown.report.examples),
        constant_predictor=replace(shown.report.constant_predictor, answer=f"{MARKUP}background"),
        transfer=(replace(reports.land(images=2, size=96).report.transfer[0], name=MARKUP),),
    )
    run = replace(
        trainings.run(),
        reason=MARKUP,
        checks=tuple(replace(check, rare_class=MARKUP) for check in trainings.run().checks),
    )
    plan = trainings.plan()
    plan = replace(plan, loss=replace(plan.loss, because=MARKUP, reference=MARKUP, name=MARKUP))
    audit = replace(trainings.audit(), notes=(MARKUP,))
    differences = tuple(
        replace(one, name=f"{MARKUP}{one.name}") for one in reports.beside(shown, shown).report.differences
    )
    rival = replace(report, name=MARKUP, views=())
    hostile = replace(report, against=rival, differences=differences)
    text = page([shown._replace(report=hostile, run=run, plan=plan, audit=audit), shown])
    assert "<i>x" not in text
    assert "onerror=alert(2)>" not in text.replace("&gt;", "")
    read = _read(text)
    assert {tag for tag, _ in read.seen} & {"i", "iframe"} == set()
    assert all(held["src"].startswith("data:image/") for tag, held in read.seen if tag == "img")
    assert len(read.code["script"]) == 2
    assert "".join(read.text).count("<i>x</i>") > 15
    assert {view["image"] for view in _album(text)["runs"][0]["views"]} <= set(HOSTILE)


def test_names_inside_the_embedded_data_end_no_element():
    for name in HOSTILE:
        text = page([reports.roads(name, images=1, size=64, names=(name,))])
        stored = re.search(r'id="viewer-data">(.*?)</script>', text, re.DOTALL)[1]
        assert not set(stored) & set("<>&\u2028")
        assert _album(text)["runs"][0]["views"][0]["image"] == name
        assert text.count("<script") == 2


def test_a_name_that_is_not_unicode_can_be_written():
    text = page([reports.bare("run\udcff")])
    assert "run?" in text
    assert text.encode()


def test_several_runs_stand_side_by_side(both, whole, other):
    read = _read(both)
    charts = both.split("<figcaption>")
    road = next(one for one in charts if one.startswith("<bdi>road</bdi>"))
    assert 'class="line s1"' in road
    assert 'class="line s2"' in road
    overview = next(
        row
        for row in read.rows
        if row[:2] == ["road", " / ".join(dict.fromkeys([_percent(whole), _percent(other)]))]
    )
    first, second = (one.report.classes["road"].intervals["iou"] for one in (whole, other))
    assert overview[2].endswith(f"[{first.low:.3f}, {first.high:.3f}]")
    assert overview[3].endswith(f"[{second.low:.3f}, {second.high:.3f}]")
    assert [run["name"] for run in _album(both)["runs"]] == ["muon", "plain"]
    assert "differs" in next(part for part in both.split("<tr>") if "optimizer" in part)
    assert "differs" not in next(part for part in both.split("<tr>") if ">crop<" in part)


def _percent(shown):
    return f"{100 * shown.report.classes['road'].pixels / shown.report.counted_pixels:.2f}"


def test_runs_with_other_classes_can_stand_together(whole):
    told = _shown(page([whole, reports.land(images=2, size=96), reports.bare()]))
    assert "weed" in told
    assert told.count("Does it find the rare class?") == 1
    assert "It cannot be told." in told


def test_a_page_of_nothing_but_absent_classes_can_be_made():
    text = page([reports.bare()])
    assert "It cannot be told." in _shown(text)
    assert "None" not in _shown(text)
    assert "nan" not in _shown(text)
    assert 'id="viewer-data"' not in text
    with pytest.raises(ValueError, match="at least one report"):
        page([])


def test_class_maps_have_no_curve_and_say_so():
    text = page([reports.labelled(size=96)])
    told = _shown(text)
    assert "they rank nothing" in told
    assert "Precision against recall" not in told
    (run,) = _album(text)["runs"]
    assert run["source"] == "classes"
    assert [one["points"] for one in run["classes"]] == [[], []]


def test_light_and_dark_define_every_colour_that_is_used(text):
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    light, dark = style.split("prefers-color-scheme: dark", 1)
    used = set(re.findall(r"var\((--[a-z0-9]+)\)", style)) - {"--shade"}
    assert len(used) > 10
    both_ways = {"--found", "--missed", "--invented", "--truth", "--given"}  # lie on photos, not on paper
    for name in used:
        assert f"{name}:" in light
        assert name in both_ways or f"{name}:" in dark


def _colours(style):
    return {name: [int(value[at : at + 2], 16) / 255 for at in (0, 2, 4)] for name, value in style}


def _luminance(colour):
    parts = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(one, other):
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_texts_have_contrast_aa_and_lines_have_three(mode):
    style = (resources.files("rareseg.showing") / "assets" / "page.css").read_text(encoding="utf-8")
    found = style.split("prefers-color-scheme: dark", 1)
    colours = _colours(re.findall(r"--([a-z0-9]+): #([0-9a-f]{6})", found[mode].split("* {")[0]))
    for text in ("ink", "dim", "accent", "good", "bad"):
        assert _contrast(colours[text], colours["paper"]) >= 4.5
        assert _contrast(colours[text], colours["panel"]) >= 4.5
    for line in ("s1", "s2", "s3", "s4", "s5", "s6", "bar"):
        assert _contrast(colours[line], colours["paper"]) >= 3
    for shade in ("s1", "s2"):
        mixed = [0.4 * one + 0.6 * other for one, other in zip(colours[shade], colours["panel"], strict=True)]
        assert _contrast(colours["ink"], mixed) >= 4.5


# Machado, Oliveira & Fernandes 2009, severity 1, on linear light.
BLIND = {
    "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritan": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


@pytest.mark.parametrize("kind", BLIND)
def test_found_missed_and_invented_are_told_apart_by_colour_blind_eyes(kind):
    style = (resources.files("rareseg.showing") / "assets" / "page.css").read_text(encoding="utf-8")
    colours = _colours(re.findall(r"--(found|missed|invented): #([0-9a-f]{6})", style))
    seen = {name: _lab(colour, BLIND[kind]) for name, colour in colours.items()}
    for one, other in (("found", "missed"), ("found", "invented"), ("missed", "invented")):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance > 20, (one, other)


def _lab(colour, matrix):
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour]
    red, green, blue = (
        min(max(sum(a * b for a, b in zip(row, linear, strict=True)), 0), 1) for row in matrix
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (one ** (1 / 3) if one > 0.008856 else 7.787 * one + 16 / 116 for one in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def test_a_page_is_small(text, both):
    assert len(text.encode()) < MOST_BYTES
    assert len(both.encode()) < MOST_BYTES


def test_every_picture_has_a_text_beside_it(both):
    for tag, held in _read(both).seen:
        if tag == "svg":
            assert held.get("aria-hidden") == "true" or len(held["aria-label"]) > 10
        if tag == "img":
            assert "alt" in held
        if tag == "canvas":
            assert held["aria-label"]
            assert held["tabindex"] == "0"
