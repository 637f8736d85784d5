"""The loss of a plan as text: terms, weights, settings, and which of them fit together."""

import math

import pytest

from rareseg.errors import SettingError
from rareseg.records.plan import LossChoice
from rareseg.remedies import loss_sums
from rareseg.remedies.catalogue import find, names
from rareseg.remedies.loss_sums import check, owners, settings, terms


def _loss(name: str, **changed: object) -> LossChoice:
    """Return the choice of a loss with its usual settings, some of them changed: focal__gamma=3."""
    every = settings(name) | {key.replace("__", "."): value for key, value in changed.items()}
    return LossChoice(name=name, settings=every, because="a test", reference="none")


def _named(name: str) -> list[tuple[float, str]]:
    return [(term.weight, term.remedy.name) for term in terms(name)]


def test_a_sum_is_split_into_terms_and_weights():
    assert _named("dice") == [(1.0, "dice")]
    assert _named("cross_entropy + dice") == [(1.0, "cross_entropy"), (1.0, "dice")]
    assert _named("0.5*cross_entropy+2e-1 * rmi") == [(0.5, "cross_entropy"), (0.2, "rmi")]
    assert _named("1e+3*dice+.5E+1 * focal + 2.e+0*rmi") == [(1e3, "dice"), (5.0, "focal"), (2.0, "rmi")]
    for name in names("loss"):
        assert _named(f" 3*{name} ") == [(3.0, name)]


def test_every_spelling_of_a_sum_is_the_same():
    assert len({loss_sums.canonical(name) for name in ("dice", "1*dice", " 1.0 * dice", "1e+0*dice")}) == 1
    assert loss_sums.canonical("cross_entropy+dice") == loss_sums.canonical("dice + cross_entropy")
    different = ("dice", "2*dice", "dice+cross_entropy", "dice+2*cross_entropy", "2*dice+cross_entropy")
    assert len({loss_sums.canonical(name) for name in different}) == len(different)


@pytest.mark.parametrize("name", ["dise", "", "none", "enet", "cross_entropy dice", "0.5*"])
def test_unknown_terms_are_refused_with_those_there_are(name: str):
    with pytest.raises(SettingError, match=r"^Unknown loss '.*Known: cross_entropy, focal, top_k,.*, rmi\."):
        terms(name)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("dice+dice", r"loss.name=dice\+dice names dice twice"),
        ("dice + 0.5*focal + 2*dice", "names dice twice: name each term of the sum once"),
        ("0*dice", r"loss.name=0\*dice: expected a number above 0 before the \* of '0\*dice'; received '0'"),
        ("-1*dice", "expected a number above 0"),
        ("nan*dice", "expected a number above 0"),
        ("inf*dice", "expected a number above 0"),
        ("x*dice", "expected a number above 0.*received 'x'"),
        ("*dice", "expected a number above 0.*received ''"),
        ("dice+", r"^dice\+: expected a term on either side of each \+"),
        ("+dice", "expected a term on either side"),
        ("dice ++ focal", "expected a term on either side"),
        ("dice*0.5", r"such as dice or 0.5\*dice.*received 'dice\*0.5'. A factor stands before its term"),
        ("dice*1e+3", "expected"),
        ("1_0*dice", "expected a number above 0.*received '1_0'"),
        ("2*3*dice", r"expected terms such as dice or 0.5\*dice, joined by \+; received '2\*3\*dice'"),
    ],
)
def test_sums_that_cannot_be_read_are_refused(name: str, complaint: str):
    with pytest.raises(SettingError, match=complaint):
        terms(name)


@pytest.mark.parametrize("name", names("loss"))
def test_every_setting_of_every_term_stands_in_the_plan(name: str):
    expected = {f"{name}.{entry.name}": entry.default for entry in find(name).settings}
    assert settings(name) == expected
    if name != "cross_entropy":
        assert settings(f"cross_entropy + 0.5*{name}") == {"cross_entropy.smoothing": 0.0} | expected


def test_settings_given_as_text_replace_the_usual_ones():
    found = settings("focal + 0.5*dice", {"focal.gamma": "3", "dice.classes": "1,2", "dice.squared": "true"})
    assert found["focal.gamma"] == 3.0
    assert found["focal.alpha"] is None
    assert found["dice.classes"] == (1, 2)
    assert found["dice.squared"] is True
    assert found["dice.smoothing"] == 0.5


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        (
            "focal.gama",
            r"Unknown setting 'loss\.focal\.gama'\. Did you mean 'loss\.focal\.gamma'\? "
            r"Known: loss\.name, loss\.focal\.gamma, loss\.focal\.alpha\.",
        ),
        ("fokal.gamma", r"Unknown setting 'loss\.fokal\.gamma'\. Did you mean 'loss\.focal\.gamma'"),
        ("name.x", r"Unknown setting 'loss\.name\.x'"),
        ("settings.x", r"Unknown setting 'loss\.settings\.x'"),
        ("focal.", r"Unknown setting 'loss\.focal\.'"),
        (
            "dice.smoothing",
            r"loss\.dice\.smoothing has no effect on loss\.name=focal: name dice in the sum, or leave",
        ),
        ("dice.gamma", r"Unknown setting 'loss\.dice\.gamma'"),
    ],
)
def test_settings_that_no_term_has_are_refused(key: str, complaint: str):
    with pytest.raises(SettingError, match=complaint):
        settings("focal", {key: "1"})
    with pytest.raises(SettingError, match=complaint):
        check(_loss("focal", **{key.replace(".", "__"): 1.0}), classes=2, overlapping=False)


def test_settings_are_offered_by_their_terms():
    assert owners("gamma") == ("focal.gamma", "unified_focal.gamma")
    assert owners("false_positive_weight") == (
        "tversky.false_positive_weight",
        "focal_tversky.false_positive_weight",
    )
    assert owners("colour") == ()


def _ends(entry):
    """Return values just out of a setting's range, and values of another type."""
    if entry.kind == "flag":
        return [1, "yes", None]
    if entry.kind == "name":
        return ["something", 1, None]
    values: list[object] = ["x", math.nan]
    if entry.default is not None:
        values.append(None)
    step = 1 if entry.kind in ("whole number", "class indices") else 1e-3
    low = None if entry.low == -math.inf else entry.low if entry.open_low else entry.low - step
    high = None if entry.high == math.inf else entry.high if entry.open_high else entry.high + step
    many = entry.kind in ("numbers", "class indices")
    values += [(end, 1.0) if many else end for end in (low, high) if end is not None]
    if entry.kind == "whole number":
        values.append((entry.default or 1) + 0.5)
    return values


EVERY = [(name, entry.name) for name in names("loss") for entry in find(name).settings]


@pytest.mark.parametrize(("name", "field"), EVERY)
def test_a_value_out_of_range_is_refused_by_its_name(name: str, field: str):
    entry = find(name).setting(field)
    assert entry is not None
    values = _ends(entry)
    assert len(values) >= 3 or entry.kind in ("flag", "name")
    text = name if name == "cross_entropy" else f"cross_entropy + {name}"
    for value in values:
        loss = _loss(text, **{f"{name}__{field}": value})
        with pytest.raises(SettingError, match=rf"^loss\.{name}\.{field}=.*: expected "):
            check(loss, classes=2, overlapping=False)


@pytest.mark.parametrize(("name", "field"), EVERY)
def test_a_setting_that_is_missing_is_refused_by_its_name(name: str, field: str):
    loss = _loss(name)
    left = {key: value for key, value in loss.settings.items() if key != f"{name}.{field}"}
    without = LossChoice(name=name, settings=left, because="", reference="")
    with pytest.raises(SettingError, match=f"loss.name={name} needs loss.{name}.{field}, which is not set"):
        check(without, classes=2, overlapping=False)


@pytest.mark.parametrize(
    ("name", "changed", "complaint"),
    [
        ("focal", {"focal__alpha": (0.5,)}, r"loss\.focal\.alpha=0\.5: expected 2 numbers, one per class"),
        ("focal", {"focal__alpha": (0.1, 0.2, 0.3)}, "expected 2 numbers, one per class"),
        (
            "dice",
            {"dice__classes": (2,)},
            r"loss\.dice\.classes: expected different class indices from 0 to 1",
        ),
        ("dice", {"dice__classes": (1, 1)}, r"different class indices from 0 to 1; received \(1, 1\)"),
        ("cldice", {"cldice__classes": (5,)}, r"loss\.cldice\.classes: expected different class indices"),
        ("unified_focal", {"unified_focal__background": 2}, r"loss\.unified_focal\.background: expected"),
    ],
)
def test_settings_that_do_not_fit_the_classes_are_refused(name, changed, complaint):
    with pytest.raises(SettingError, match=complaint):
        check(_loss(name, **changed), classes=2, overlapping=False)


def test_settings_that_fit_the_classes_are_taken():
    check(_loss("focal", focal__alpha=(0.5, 0.75)), classes=2, overlapping=False)
    check(_loss("dice", dice__classes=(1, 0)), classes=2, overlapping=True)
    check(_loss("unified_focal", unified_focal__background=1), classes=2, overlapping=False)


def test_a_sum_of_which_every_term_comes_in_slowly_is_refused():
    complaint = r"every term has a ramp, so the loss would begin at 0: add a term such as cross_entropy"
    for loss in (
        _loss("boundary"),
        _loss("boundary + hausdorff"),
        _loss("lovasz", lovasz__ramp=0.1),
        _loss("lovasz + rmi", lovasz__ramp=0.1, rmi__ramp=1.0),
    ):
        with pytest.raises(SettingError, match=complaint):
            check(loss, classes=2, overlapping=False)
    for loss in (
        _loss("boundary", boundary__ramp=0.0),
        _loss("boundary + lovasz"),
        _loss("cross_entropy + boundary"),
    ):
        check(loss, classes=2, overlapping=False)


@pytest.mark.parametrize("name", names("loss"))
def test_overlapping_classes_are_refused_where_a_term_cannot_take_them(name: str):
    text = name if name == "cross_entropy" else f"cross_entropy + {name}"
    if name == "balanced_softmax":
        with pytest.raises(SettingError, match="balanced_softmax needs exclusive classes, and these overlap"):
            check(_loss(text), classes=3, overlapping=True)
    else:
        check(_loss(text), classes=3, overlapping=True)
    check(_loss(text), classes=3, overlapping=False)


def test_a_loss_of_the_user_that_is_not_known_here_is_said_how_to_add():
    left = LossChoice(name="cross_entropy + 0.5*secret", settings={}, because="", reference="")
    with pytest.raises(
        SettingError, match=r"Unknown loss 'secret'.*rareseg\.losses\.add\('secret', function\)"
    ):
        loss_sums.check(left, classes=2, overlapping=False)


def test_settings_that_change_nothing_where_classes_overlap_are_refused_there():
    for name, changed in (
        ("lovasz", {"lovasz__classes": "all"}),
        ("unified_focal", {"unified_focal__background": 1}),
    ):
        check(_loss(name), classes=3, overlapping=True)
        check(_loss(name, **changed), classes=3, overlapping=False)
        key, value = next(iter(changed.items()))
        with pytest.raises(
            SettingError, match=f"loss.{key.replace('__', '.')}={value} has no effect where classes overlap"
        ):
            check(_loss(name, **changed), classes=3, overlapping=True)


@pytest.mark.parametrize("name", ["tversky", "focal_tversky"])
def test_errors_that_cost_nothing_at_all_are_refused(name: str):
    one = {f"{name}__false_positive_weight": 0.0}
    check(_loss(name, **one), classes=2, overlapping=False)
    both = one | {f"{name}__false_negative_weight": 0.0}
    with pytest.raises(SettingError, match="are both 0, so that no error costs anything"):
        check(_loss(name, **both), classes=2, overlapping=False)
    check(_loss("combo", combo__false_negative_weight=0.0), classes=2, overlapping=False)


def test_a_focal_loss_without_a_pixel_that_counts_is_refused():
    nothing = _loss("focal", focal__alpha=(0.0, 0.0))
    with pytest.raises(SettingError, match=r"loss\.focal\.alpha=0,0 makes the loss 0 whatever the map says"):
        check(nothing, classes=2, overlapping=False)
    check(_loss("focal", focal__alpha=(0.0, 0.5)), classes=2, overlapping=False)
    # Of overlapping classes alpha 0 leaves the factor 1 to the answer no.
    check(nothing, classes=2, overlapping=True)


@pytest.mark.parametrize(("balance", "idle"), [(0.0, "false_negative_weight"), (1.0, "smoothing")])
def test_settings_of_a_part_that_combo_leaves_out_are_refused(balance: float, idle: str):
    changed = {"combo__balance": balance, f"combo__{idle}": 0.25}
    with pytest.raises(
        SettingError, match=rf"loss\.combo\.{idle}=0\.25 has no effect at loss\.combo\.balance="
    ):
        check(_loss("combo", **changed), classes=2, overlapping=False)
    check(_loss("combo", combo__balance=balance), classes=2, overlapping=False)
    check(_loss("combo", **changed | {"combo__balance": 0.5}), classes=2, overlapping=False)
