"""The viewer's place on the page: its controls, which the page's script brings to life."""

from collections.abc import Iterator

from rareseg.showing.report_page_album import Album
from rareseg.showing.report_page_elements import Html, note, section

_MODES = (
    ("photo", "Photo"),
    ("truth", "Truth"),
    ("given", "Prediction"),
    ("errors", "Errors"),
    ("classes", "Classes"),
)
_LEGEND = (
    ("found", "errors", "found"),
    ("missed", "errors", "missed: labelled, not given"),
    ("invented", "errors", "invented: given, not labelled"),
    ("truth", "truth", "labelled so"),
    ("given", "given", "given by the map"),
    ("out", "truth given errors classes", "not counted: no label, photo or answer"),
)
_KEYS = (
    "Keys: 1 to 5 choose what is shown, [ and ] move the threshold, n and p change the image, + and - zoom, 0 shows "
    "the whole, arrows move. Double click or two fingers zoom, too, and so does the wheel with Ctrl."
)


def viewer(held: Album) -> Html:
    """Return the section with the viewer, or with the reason why there is none; "" where no report has a view."""
    left_out = list(_left_out(held))
    if not held.shown:
        return section("viewer", "Look at it", left_out)
    told = "Where there is a curve, move the threshold: the picture, the point on the curve and the scores follow."
    return section("viewer", "Look at it", [_NEEDS_SCRIPT, _app(), *left_out], told=told)


_NEEDS_SCRIPT = (
    "<noscript><p>The viewer needs JavaScript, which is off here. Nothing else on this page does, but for the copy "
    "buttons.</p></noscript>"
)


def _left_out(held: Album) -> Iterator[Html]:
    if held.too_large:
        yield note(
            f"{_views(held.too_large)} left out, so that this page stays small enough to be sent around."
        )
    if held.missing:
        yield note(f"{_views(held.missing)} left out, because their pictures do not lie beside the report.")


def _views(count: int) -> str:
    return "1 view is" if count == 1 else f"{count} views are"


def _app() -> Html:
    panes = f'<div class="panes">{_pane("photo")}{_pane("map")}</div>'
    return (
        f'<div id="viewer-app" hidden>{_choices()}<div class="stage">{panes}'
        f'<div class="beside">{_CURVE}{_NUMBERS}</div></div>{_slider()}{_legend()}'
        f'<p class="note"><span id="viewer-part"></span> {_KEYS}</p>'
        '<p id="viewer-said" class="visually-hidden" aria-live="polite"></p></div>'
    )


def _choices() -> Html:
    modes = "".join(
        f'<label class="mode" id="viewer-mode-{mode}"><input type="radio" name="viewer-mode" value="{mode}"'
        f"{' checked' if mode == 'errors' else ''}><span>{title}</span></label>"
        for mode, title in _MODES
    )
    buttons = "".join(
        f'<button type="button" id="viewer-{key}" aria-label="{label}">{sign}</button>'
        for key, label, sign in (
            ("previous", "Previous image", "‹"),
            ("next", "Next image", "›"),
            ("closer", "Zoom in", "+"),
            ("farther", "Zoom out", "−"),
            ("whole", "Show the whole image", "⤢"),
        )
    )
    return (
        '<div class="choices"><label>Run <select id="viewer-run"></select></label>'
        '<label class="wide">Image <select id="viewer-image"></select></label>'
        '<label>Class <select id="viewer-class"></select></label>'
        f'<fieldset class="modes"><legend class="visually-hidden">What is shown</legend>{modes}</fieldset>'
        f'<div class="buttons">{buttons}</div></div>'
    )


def _pane(key: str) -> Html:
    canvas = f'<canvas id="viewer-{key}" role="img" tabindex="0" aria-label="{key}"></canvas>'
    return f'<figure class="pane pane-{key}">{canvas}<figcaption id="viewer-{key}-caption"></figcaption></figure>'


_CURVE = (
    '<svg id="viewer-curve" class="live" role="img" aria-label="Precision against recall; the point is the threshold '
    'of the slider"></svg>'
)
_NUMBERS = (
    '<dl class="now"><div><dt>precision</dt><dd id="viewer-precision">–</dd></div><div><dt>recall</dt>'
    '<dd id="viewer-recall">–</dd></div><div><dt>IoU</dt><dd id="viewer-iou">–</dd></div></dl>'
    '<p class="note">Of the whole report<span id="viewer-at"> at this threshold</span>, not of this image alone.</p>'
)


def _slider() -> Html:
    return (
        '<div id="viewer-working"><div class="slider"><label for="viewer-threshold">Threshold '
        '<output id="viewer-told" for="viewer-threshold">–</output> <span id="viewer-named" class="dim"></span></label>'
        '<input type="range" id="viewer-threshold" min="0" max="0" step="1" value="0">'
        '<div class="ends" aria-hidden="true"><span>finds more</span><span>is right more often</span></div></div>'
        '<div id="viewer-presets" class="presets"></div></div>'
        '<p id="viewer-ranks-nothing" class="note" hidden>There is no threshold to move here: the report has no curve '
        "of this class.</p>"
    )


def _legend() -> Html:
    held = "".join(
        f'<li data-modes="{modes}"><span class="swatch {key}"></span>{told}</li>'
        for key, modes, told in _LEGEND
    )
    return f'<ul id="viewer-legend" class="legend">{held}</ul>'
