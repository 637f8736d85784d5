"""The page in a real browser: the slider moves the picture, the point and the numbers, and nothing leaves the page."""

import base64
import json
import re
import struct
import zlib

import numpy as np
import pytest
from msgspec.structs import replace
from tests.references import reports, trainings
from tests.references.diagnoses import three_findings

from rareseg.showing.report_page import page

SIZE = 192
HOSTILE = (
    "</script><script>document.title='taken'</script>.png",
    "<img src=x onerror=document.title='taken'>.png",
)


@pytest.fixture(scope="session")
def run():
    shown = reports.roads(size=SIZE)
    return shown._replace(
        audit=trainings.audit(), plan=trainings.plan(), run=trainings.run(), diagnosis=three_findings()
    )


@pytest.fixture(scope="session")
def other():
    return reports.roads("plain", skill=0.6, size=SIZE, seed=1)


@pytest.fixture(scope="session")
def land():
    return reports.land(images=3, size=96)


@pytest.fixture(scope="session")
def overlapping():
    """Two classes that overlap: bit 0 and bit 1; at some pixels of the first view both are labelled."""
    shown = reports.roads("bits", images=2, size=96)
    labels = {view.truth for view in shown.report.views}
    given = {view.given for view in shown.report.views}
    pictures = dict(shown.pictures)
    for name in labels | given:
        grey = _grey(pictures[name])
        bits = np.where(grey == 255, 255, np.where(grey == 1, 3, 1)).astype(np.uint8)
        pictures[name] = reports.png(bits)
    return shown._replace(report=replace(shown.report, confusion=()), pictures=pictures)


@pytest.fixture(scope="session")
def files(tmp_path_factory, run, other, land, overlapping):
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "one": page([run]),
        "two": page([run, other]),
        "land": page([land]),
        "maps": page([reports.labelled(size=96)]),
        "against": page([reports.beside(run, other)]),
        "bits": page([overlapping]),
        "hostile": page([reports.roads(HOSTILE[0], images=2, size=96, names=HOSTILE)]),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="session")
def points(files):
    stored = re.search(
        r'id="viewer-data">(.*?)</script>', files["one"].read_text(encoding="utf-8"), re.DOTALL
    )[1]
    return json.loads(stored)["runs"][0]["classes"][1]["points"]


def _expected(shown, threshold, view=0):
    """Count found, missed and invented pixels of a view from the files that were given to the page."""
    held = shown.report.views[view]
    truth, answer = (_grey(shown.pictures[name]) for name in (held.truth, held.answers[1]))
    given = answer >= np.rint(1 + 254 * (np.clip(np.log(threshold / (1 - threshold)), -8, 8) + 8) / 16)
    counted = truth != reports.VOID
    road = truth == 1
    return {
        "found": int((counted & road & given).sum()),
        "missed": int((counted & road & ~given).sum()),
        "invented": int((counted & ~road & given).sum()),
    }


def _grey(picture):
    import cv2

    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)


def _shares(counts):
    return [
        counts[name] / sum(counts[name] for name in ("found", "missed", "invented"))
        for name in ("found", "missed")
    ]


@pytest.mark.parametrize("name", ["one", "two", "against", "land", "bits", "maps", "hostile"])
def test_nothing_is_complained_of_and_nothing_leaves_the_page(tab, files, name):
    tab.open(files[name])
    assert tab.complaints() == []
    assert tab.requests() == [files[name].as_uri()]


def test_names_run_nothing(tab, files):
    tab.open(files["hostile"])
    assert tab.run("return document.title") == f"{HOSTILE[0]}: does it find the rare class?"
    options = tab.run(
        "return [...document.querySelectorAll('#viewer-image option')].map((one) => one.textContent)"
    )
    assert {one.split(" · ")[1] for one in options} == set(HOSTILE)
    assert tab.run("return document.querySelectorAll('script').length") == 2
    assert tab.run("return [...document.images].every((one) => one.src.startsWith('data:image/'))")


def test_the_first_numbers_are_those_of_the_report(tab, files, run):
    tab.open(files["one"])
    road = run.report.classes["road"]
    shown = [tab.text(f"viewer-{key}") for key in ("precision", "recall", "iou")]
    assert shown == [f"{value:.3f}" for value in (road.precision, road.recall, road.iou)]
    assert float(tab.text("viewer-told")) == pytest.approx(road.threshold, rel=6e-3)
    assert tab.text("viewer-named") == "the map's threshold"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_slider_redraws_the_picture_and_its_numbers_agree_with_the_report(tab, files, run, points, share):
    tab.open(files["one"])
    place = int(share * (len(points) - 1))
    tab.set("viewer-threshold", place, "input")
    point = points[place]
    shown = [float(tab.text(f"viewer-{key}")) for key in ("precision", "recall", "iou")]
    assert shown == pytest.approx([point[key] for key in ("precision", "recall", "iou")], abs=6e-4)
    curve = run.report.classes["road"].curve
    if not point["named"]:
        at = int(np.argmin(np.abs(np.array(curve.thresholds) - point["threshold"])))
        assert shown[:2] == pytest.approx([curve.precision[at], curve.recall[at]], abs=6e-4)
    # The canvas is larger than the picture, so edges blend: shares agree, not counts.
    assert _shares(tab.counts()) == pytest.approx(_shares(_expected(run, point["threshold"])), abs=0.03)


def test_a_higher_threshold_finds_less_and_invents_less(tab, files, points):
    tab.open(files["one"])
    tab.set("viewer-threshold", len(points) // 4, "input")
    low = tab.counts()
    tab.set("viewer-threshold", len(points) * 3 // 4, "input")
    high = tab.counts()
    assert high["found"] < low["found"]
    assert high["missed"] > low["missed"]
    assert high["invented"] < low["invented"]


def test_pixels_that_are_not_counted_are_neither_right_nor_wrong(tab, files):
    tab.open(files["one"])
    tab.set("viewer-threshold", 0, "input")
    inside, outside = (tab.run(f"const at = 4 * ({place} * Math.sqrt(mapPixels().length / 4) + {place});"
                               "return [...mapPixels().slice(at, at + 3)]") for place in (6, 60))  # fmt: skip
    assert max(inside) - min(inside) <= 2
    assert max(outside) - min(outside) > 60


def test_the_point_moves_along_the_curve(tab, files, points):
    tab.open(files["one"])
    for place in (3, len(points) - 4):
        tab.set("viewer-threshold", place, "input")
        across, down = (
            float(tab.run(f"return document.querySelector('#viewer-curve .point').getAttribute('{axis}')"))
            for axis in ("cx", "cy")
        )
        assert (across - 40) / 268 == pytest.approx(points[place]["recall"], abs=1e-3)
        assert (224 - down) / 200 == pytest.approx(points[place]["precision"], abs=1e-3)


def test_a_click_on_the_curve_moves_the_slider(tab, files, points):
    tab.open(files["one"])
    box = tab.run(
        "const held = document.getElementById('viewer-curve');"
        "held.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const box = held.getBoundingClientRect(); return [box.left, box.top, box.width]"
    )
    wanted = points[len(points) // 3]
    scale = box[2] / 320
    x, y = box[0] + scale * (40 + 268 * wanted["recall"]), box[1] + scale * (224 - 200 * wanted["precision"])
    for kind in ("mousePressed", "mouseReleased"):
        tab.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    tab.settle()
    assert float(tab.text("viewer-recall")) == pytest.approx(wanted["recall"], abs=0.01)


def test_points_with_a_name_have_buttons(tab, files, run):
    tab.open(files["one"])
    (wanted,) = [one for one in run.report.classes["road"].operating if one.wanted == "recall 0.9"]
    tab.run(
        "[...document.querySelectorAll('#viewer-presets button')].find((b) => b.textContent === 'recall 0.9').click()"
    )
    tab.settle()
    assert tab.text("viewer-precision") == f"{wanted.precision:.3f}"
    assert tab.text("viewer-iou") == f"{wanted.iou:.3f}"
    pressed = tab.run(
        "return [...document.querySelectorAll('[aria-pressed=true]')].map((one) => one.textContent)"
    )
    assert pressed == ["recall 0.9"]


def test_the_whole_viewer_works_by_keys(tab, files):
    tab.open(files["one"])
    at = tab.text("viewer-told")
    tab.press("]")
    tab.press("]")
    assert float(tab.text("viewer-told")) > float(at)
    tab.press("[")
    tab.press("[")
    assert tab.text("viewer-told") == at
    whole = tab.counts()
    tab.press("+")
    tab.press("+")
    assert tab.counts() != whole
    tab.press("0")
    assert tab.counts() == whole
    tab.press("2")
    assert tab.counts()["truth"] > 0
    assert tab.counts()["found"] == 0
    tab.press("1")
    assert "Photo" in tab.run("return document.getElementById('viewer-map').getAttribute('aria-label')")
    image = tab.run("return document.getElementById('viewer-photo-caption').textContent")
    assert tab.run("return document.getElementById('viewer-map-caption').textContent") == image != ""
    tab.press("4")
    assert tab.counts() == whole
    caption = tab.run("return document.getElementById('viewer-map-caption').textContent")
    assert caption.startswith("road: found, missed and invented, threshold ")
    first = tab.run("return document.getElementById('viewer-image').value")
    tab.press("n")
    tab.wait("document.getElementById('viewer-image').value === '1'")
    tab.press("p")
    assert tab.run("return document.getElementById('viewer-image').value") == first


def test_arrows_move_a_slider_and_not_the_picture(tab, files):
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    tab.open(files["one"])
    before = int(tab.run("return document.getElementById('viewer-threshold').value"))
    tab.press(keys.ARROW_RIGHT, "viewer-threshold")
    assert int(tab.run("return document.getElementById('viewer-threshold').value")) == before + 1


def test_every_control_is_reached_by_the_tab_key(tab, files):
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    tab.open(files["two"])
    reached = set()
    for _ in range(120):
        tab.browser.switch_to.active_element.send_keys(keys.TAB)
        reached.add(tab.run("return document.activeElement.id || document.activeElement.className"))
        if "copy" in reached:
            break
    names = ("run", "image", "class", "next", "closer", "whole", "photo", "map", "threshold")
    assert {f"viewer-{name}" for name in names} <= reached
    assert "copy" in reached


def test_a_finger_scrolls_the_page_until_there_is_something_to_move(tab, files):
    tab.open(files["one"])
    assert tab.run("return document.getElementById('viewer-map').style.touchAction") == "pan-x pan-y"
    tab.press("+")
    assert tab.run("return document.getElementById('viewer-map').style.touchAction") == "none"


def test_dragging_moves_the_picture_once_it_is_zoomed(tab, files):
    tab.open(files["one"])
    tab.press("+")
    tab.press("+")
    tab.run("document.getElementById('viewer-map').scrollIntoView({block: 'center', behavior: 'instant'})")
    tab.settle()
    x, y = tab.run(
        "const box = document.getElementById('viewer-map').getBoundingClientRect();"
        "window.before = document.getElementById('viewer-map').toDataURL();"
        "return [box.left + box.width / 2, box.top + box.height / 2]"
    )
    for kind, by in (
        ("mouseMoved", 0),
        ("mousePressed", 0),
        ("mouseMoved", 30),
        ("mouseMoved", 60),
        ("mouseReleased", 60),
    ):
        held = kind != "mouseMoved" or by > 0
        tab.ask(
            "Input.dispatchMouseEvent", type=kind, x=x + by, y=y, button="left" if held else "none",
            buttons=int(held), clickCount=int(kind != "mouseMoved"),
        )  # fmt: skip
        tab.settle()
    tab.wait("document.getElementById('viewer-map').toDataURL() !== window.before")


def test_two_fingers_zoom(tab, files):
    tab.open(files["one"], width=390, height=800)
    tab.ask("Emulation.setTouchEmulationEnabled", enabled=True)
    x, y = tab.run(
        "const held = document.getElementById('viewer-map');"
        "held.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const box = held.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]"
    )
    before = tab.counts()
    for kind, away in (("touchStart", 20), ("touchMove", 40), ("touchMove", 80), ("touchEnd", None)):
        fingers = [] if away is None else [{"x": x + side * away, "y": y, "id": side + 1} for side in (-1, 1)]
        tab.ask("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)
    tab.settle()
    tab.ask("Emulation.setTouchEmulationEnabled", enabled=False)
    assert tab.run("return document.getElementById('viewer-map').style.touchAction") == "none"
    assert tab.counts() != before


def test_another_run_shows_its_own_answer_and_keeps_the_image_if_it_can(tab, files, run, other):
    tab.open(files["two"])
    before = tab.counts()
    tab.set("viewer-run", 1, "change")
    tab.settle()
    assert tab.counts() != before
    images = [view.image for view in other.report.views]
    kept = run.report.views[0].image
    view = images.index(kept) if kept in images else 0
    assert tab.run("return document.getElementById('viewer-image').value") == str(view)
    threshold = float(tab.text("viewer-told"))
    assert _shares(tab.counts()) == pytest.approx(_shares(_expected(other, threshold, view)), abs=0.03)


def test_an_image_of_the_worst_table_opens_in_the_viewer(tab, files):
    tab.open(files["one"])
    name = tab.run(
        "const held = [...document.querySelectorAll('button.show')].find((one) => !one.hidden); held.click();"
        "return held.dataset.image"
    )
    tab.settle()
    chosen = tab.run("return document.querySelector('#viewer-image option:checked').textContent")
    assert chosen.endswith(name.rpartition("/")[2])
    assert tab.run("return document.activeElement.id") == "viewer-map"


def test_class_maps_are_shown_without_a_threshold(tab, files):
    tab.open(files["maps"])
    assert tab.run("return document.getElementById('viewer-working').hidden")
    assert not tab.run("return document.getElementById('viewer-ranks-nothing').hidden")
    counts = tab.counts()
    assert counts["found"] > 100
    assert counts["missed"] > 10


def test_each_class_has_its_own_answer_and_curve(tab, files):
    tab.open(files["land"])
    weed = tab.counts(), tab.text("viewer-iou")
    tab.set("viewer-class", 1, "change")
    tab.wait("document.getElementById('viewer-map').getAttribute('aria-label').includes('crop')")
    tab.settle()
    assert (tab.counts(), tab.text("viewer-iou")) != weed


def _decided(shown, label, view=0):
    """Count found, missed and invented pixels of a class in a view's map as it was decided."""
    held = shown.report.views[view]
    truth, given = (_grey(shown.pictures[name]) for name in (held.truth, held.given))
    counted = truth != reports.VOID
    return {
        "found": int((counted & (truth == label) & (given == label)).sum()),
        "missed": int((counted & (truth == label) & (given != label)).sum()),
        "invented": int((counted & (truth != label) & (given == label)).sum()),
    }


def test_a_map_of_the_likeliest_class_is_first_seen_as_it_was_decided(tab, files, land):
    tab.open(files["land"])
    weed = land.report.classes["weed"]
    assert [tab.text(f"viewer-{key}") for key in ("precision", "recall", "iou")] == [
        f"{value:.3f}" for value in (weed.precision, weed.recall, weed.iou)
    ]
    assert tab.text("viewer-told") == "none"
    pressed = "return [...document.querySelectorAll('[aria-pressed=true]')].map((one) => one.textContent)"
    assert tab.run(pressed) == ["as the map decides: the likeliest class"]
    assert _shares(tab.counts()) == pytest.approx(_shares(_decided(land, 2)), abs=0.04)
    across = float(tab.run("return document.querySelector('#viewer-curve .point').getAttribute('cx')"))
    assert (across - 40) / 268 == pytest.approx(weed.recall, abs=1e-3)
    # A threshold of its own shows another map, and the button brings the first one back.
    decided = tab.counts()
    tab.press("]")
    assert tab.run(pressed) != ["as the map decides: the likeliest class"]
    assert float(tab.text("viewer-told")) > 0
    tab.set("viewer-threshold", 1, "input")
    assert tab.counts()["invented"] > decided["invented"]
    tab.run("document.querySelector('#viewer-presets button').click()")
    tab.settle()
    assert tab.counts() == decided


def test_all_classes_are_seen_at_once_in_the_colours_of_the_legend(tab, files, land):
    tab.open(files["land"])
    tab.press("5")
    view = land.report.views[0]
    for pane, file in (("photo", view.truth), ("map", view.given)):
        held = _grey(land.pictures[file])
        row, column = (int(one) for one in np.argwhere(held == 1)[len(np.argwhere(held == 1)) // 2])
        mean = tab.run(
            "const [pane, x, y] = arguments; const canvas = document.getElementById(`viewer-${pane}`);"
            "const { width, height } = canvas;"
            "const copy = Object.assign(document.createElement('canvas'), { width, height });"
            "const context = copy.getContext('2d'); context.drawImage(canvas, 0, 0);"
            "return [...context.getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1).data]",
            pane, (column + 0.5) / held.shape[1], (row + 0.5) / held.shape[0],
        )  # fmt: skip
        swatches = tab.run(
            "return [...document.querySelectorAll('[data-modes=classes] .swatch')]"
            ".map((one) => getComputedStyle(one).backgroundColor.match(/[0-9]+/g).map(Number))"
        )
        away = [sum((a - b) ** 2 for a, b in zip(mean, colour, strict=False)) for colour in swatches]
        assert int(np.argmin(away)) == 1
    legend = tab.run(
        "return [...document.querySelectorAll('#viewer-legend li')].filter((one) => !one.hidden)"
        ".map((one) => one.textContent)"
    )
    assert legend[1:] == ["ground", "crop", "weed"]
    assert tab.run("return document.getElementById('viewer-working').hidden")
    tab.press("4")
    assert not tab.run("return document.getElementById('viewer-working').hidden")


def test_two_classes_need_no_picture_of_all_unless_they_overlap(tab, files):
    tab.open(files["one"])
    assert tab.run("return document.getElementById('viewer-mode-classes').hidden")
    tab.press("5")
    assert tab.run("return document.querySelector('[name=viewer-mode]:checked').value") == "errors"
    tab.open(files["bits"])
    tab.press("5")
    assert tab.run("return document.querySelector('[name=viewer-mode]:checked').value") == "classes"


def test_the_other_map_is_seen_on_the_same_images(tab, files, run):
    tab.open(files["against"])
    names = "return [...document.querySelectorAll('#viewer-run option')].map((one) => one.textContent)"
    assert tab.run(names) == ["muon", "plain"]
    tab.set("viewer-run", 1, "change")
    tab.settle()
    assert tab.complaints() == []
    assert tab.counts()["found"] > 0


@pytest.mark.parametrize("name", ["one", "maps"])
def test_without_its_own_decoder_the_browser_reads_the_pictures(tab, files, name):
    tab.open(files[name])
    wanted = tab.counts()
    tab.open(files[name], first="delete window.DecompressionStream")
    assert tab.counts() == wanted
    assert tab.complaints() == []


def _filtered(picture, kind):
    """Return a grey PNG whose rows have all the filter `kind`, as in the PNG specification, section 9."""
    height, width = picture.shape
    held = np.zeros((height + 1, width + 1), np.int64)
    held[1:, 1:] = picture
    left, above, corner = held[1:, :-1], held[:-1, 1:], held[:-1, :-1]
    near = np.stack([left, above, corner])
    closest = near[np.abs(near - (left + above - corner)).argmin(0), *np.indices(picture.shape)]
    guess = (np.zeros_like(left), left, above, (left + above) // 2, closest)[kind]
    rows = np.concatenate([np.full((height, 1), kind), (picture - guess) % 256], axis=1).astype(np.uint8)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(rows.tobytes())
    parts = (
        chunk(b"IHDR", header),
        chunk(b"IDAT", data[:20]),
        chunk(b"IDAT", data[20:]),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("kind", range(5))
def test_grey_pictures_are_read_whatever_their_filter(tab, files, kind):
    picture = np.random.default_rng(kind).integers(0, 256, (13, 17))
    picture[4:9] = np.arange(17) * 11
    png = _filtered(picture, kind)
    assert (_grey(png) == picture).all()
    tab.open(files["one"])
    read = tab.browser.execute_async_script(
        "const [text, done] = arguments; Pictures.greyOf(text).then((one) => done([one.width, [...one.data]]))",
        base64.b64encode(png).decode(),
    )
    assert read == [17, picture.ravel().tolist()]


def test_a_threshold_is_copied(tab, files, run):
    tab.open(files["one"])
    tab.run(
        "window.copied = []; Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => "
        "window.copied.push(text) }, configurable: true }); document.querySelector('button.copy').click()"
    )
    tab.settle()
    assert tab.run("return window.copied") == [f"{run.report.classes['road'].operating[0].threshold:.6g}"]
    assert tab.run("return document.querySelector('button.copy').textContent") == "copied"


@pytest.mark.parametrize("name", ["one", "two", "against", "land", "bits", "maps", "hostile"])
@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(tab, files, name, width):
    tab.open(files[name], width=width, height=800)
    tab.run("for (const held of document.querySelectorAll('details')) held.open = true")
    tab.settle()
    assert tab.run("return document.documentElement.scrollWidth") <= width
    wide = tab.run(
        "return [...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll, svg, .visually-hidden, "
        ".skip, .mode, pre') && one.getBoundingClientRect().right > innerWidth + 1)"
        ".map((one) => one.outerHTML.slice(0, 99))"
    )
    assert wide == []


def test_buttons_are_large_enough_for_a_finger(tab, files):
    tab.open(files["two"], width=390, height=800)
    heights = tab.run(
        "return [...document.querySelectorAll('#viewer-app button, #viewer-app select, .mode')]"
        ".filter((one) => one.offsetHeight).map((one) => one.offsetHeight)"
    )
    assert len(heights) > 8
    assert min(heights) >= 24


def test_dark_screens_get_dark_paper(tab, files):
    def lightness(dark):
        tab.open(files["one"], dark=dark)
        return [
            sum(map(int, re.findall(r"\d+", colour)[:3]))
            for colour in tab.run(
                "const held = getComputedStyle(document.body); return [held.backgroundColor, held.color]"
            )
        ]

    paper, ink = lightness(False)
    dark_paper, dark_ink = lightness(True)
    assert paper > 700 > ink
    assert dark_paper < 100 < dark_ink
