"""All remedies: each is told in full, can be found, and can be asked for as its page says."""

import re
from typing import get_args

import msgspec
import pytest
from tests.references.facts import CPU, camvid, part_facts, roads

from rareseg.cli.remedies import _use
from rareseg.errors import SettingError
from rareseg.records.overrides import parse
from rareseg.records.plan import SamplingChoice, SamplingRule, WeightRule, WeightsChoice
from rareseg.remedies import catalogue
from rareseg.remedies.catalogue import FAMILIES, PUBLISHED, find, find_loss, names
from rareseg.remedies.imbalance import sampling_choice
from rareseg.stages.plan import decide


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_remedy_is_told_in_full(name: str):
    remedy = PUBLISHED[name]
    assert remedy.name == name
    for text in (remedy.summary, remedy.formula, remedy.reference, remedy.when):
        assert len(text) > 5, text
        assert text == text.strip() and "  " not in text and not text.endswith(".")
    assert remedy.traps
    assert all(len(trap) > 10 and not trap.endswith(".") for trap in remedy.traps)
    assert len(set(remedy.traps)) == len(remedy.traps)
    assert re.search(r"(19|20)\d\d|folklore|practice", remedy.reference)
    fields = [setting.name for setting in remedy.settings]
    assert len(set(fields)) == len(fields)
    if remedy.family != "loss":
        assert not (remedy.takes_weights or remedy.takes_shares or remedy.exclusive_only)


@pytest.mark.parametrize(
    ("name", "field"), [(name, s.name) for name, remedy in PUBLISHED.items() for s in remedy.settings]
)
def test_every_setting_has_a_meaning_and_a_usual_value_within_its_range(name: str, field: str):
    setting = find(name).setting(field)
    assert setting is not None
    assert setting.meaning and not setting.meaning.endswith(".")
    assert setting.checked(setting.default, field) == setting.default
    assert type(setting.checked(setting.default, field)) is type(setting.default)
    assert bool(setting.choices) == (setting.kind == "name")
    assert setting.low < setting.high


def test_settings_that_share_a_name_do_not_differ_without_need():
    """One word, one meaning of its range: `per_image` here is `per_image` there."""
    seen: dict[str, set[str]] = {}
    for remedy in PUBLISHED.values():
        for setting in remedy.settings:
            seen.setdefault(setting.name, set()).add(setting.kind)
    assert {name: kinds for name, kinds in seen.items() if len(kinds) > 1} == {
        # The Lovasz loss is a mean over classes that are present, or all of them; other losses take a list.
        "classes": {"name", "class indices"}
    }


def test_names_are_listed_by_family():
    assert names() == tuple(name for family in FAMILIES for name in names(family))
    assert len(names("loss")) == 20
    assert set(names("weights")) == set(get_args(WeightRule)) - {"none", "given"}
    assert set(names("sampling")) == set(get_args(SamplingRule)) - {"uniform"}
    assert names("prior") == ("prior_bias", "logit_adjustment", "undo_shift")
    for family in FAMILIES:
        assert {catalogue.family_of(name) for name in names(family)} == {family}


@pytest.mark.parametrize(
    ("family", "choice", "rest"),
    [
        ("weights", WeightsChoice, {"rule", "values"}),
        ("sampling", SamplingChoice, {"rule"}),
    ],
)
def test_the_settings_of_rules_are_the_fields_of_the_plan(family, choice, rest):
    fields = set(choice.__struct_fields__) - {"because", "reference", "set_by"} - rest
    used = {setting.name for name in names(family) for setting in find(name).settings}
    assert used == fields


@pytest.mark.parametrize("name", [*names("weights"), *names("sampling")])
def test_the_plan_takes_every_end_of_a_range_that_the_catalogue_allows_and_none_beyond(name: str):
    """Two places hold ranges of rules, the record and the catalogue: neither may allow what the other refuses."""
    section = find(name).family
    for setting in find(name).settings:
        for end, open_end in ((setting.low, setting.open_low), (setting.high, setting.open_high)):
            if setting.kind not in ("number", "whole number") or abs(end) == float("inf"):
                continue
            text = f"{end:g}"
            settings = {f"{section}.rule": name, f"{section}.{setting.name}": text}
            if open_end:
                with pytest.raises(SettingError, match=rf"{section}\.{setting.name}={text}"):
                    decide(camvid(), CPU, settings=settings)
                continue
            plan = decide(camvid(), CPU, settings=settings)
            assert getattr(getattr(plan, section), setting.name) == end
        beyond = {f"{section}.rule": name, f"{section}.{setting.name}": "-1"}
        with pytest.raises(SettingError, match=rf"{section}\.{setting.name}"):
            decide(camvid(), CPU, settings=beyond)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_remedy_can_be_asked_for_as_its_page_says(name: str):
    if name == "undo_shift":
        assert _use(find(name)) == ["Nothing to ask for: every run does it, and says in run.json how."]
        return
    lines = [line.removeprefix("--set ").strip("'") for line in _use(find(name))]
    ways = [line for line in lines if re.match(r"(loss\.name|weights\.rule|sampling\.rule)=", line)]
    settings = [line for line in lines if line not in ways]
    assert ways or find(name).family == "prior"
    for way in ways or [""]:
        plan = decide(camvid(), CPU, settings=parse([*([way] if way else []), *settings]))
        assert plan.audit_digest
        if way:
            section, _, field = way.partition("=")[0].partition(".")
            assert getattr(getattr(plan, section), field) == way.partition("=")[2]
            assert getattr(plan, section).set_by == "user"


@pytest.mark.parametrize("name", ["fokal", "", "Dice", "none"])
def test_an_unknown_remedy_is_refused_with_the_nearest_and_all(name: str):
    with pytest.raises(SettingError, match=rf"^Unknown remedy '{name}'\..*Known: cross_entropy, focal,"):
        find(name)
    with pytest.raises(SettingError, match="Unknown remedy"):
        catalogue.family_of(name)
    with pytest.raises(SettingError, match=rf"^Unknown loss '{name}'\..*rareseg\.losses\.add\("):
        find_loss(name)


def test_the_nearest_name_is_offered():
    with pytest.raises(SettingError, match="Did you mean 'focal'"):
        find("fokal")


def test_a_remedy_of_another_family_is_no_loss():
    with pytest.raises(SettingError, match="^Unknown loss 'enet'") as caught:
        find_loss("enet")
    assert "class_centred" not in str(caught.value)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("facts", [roads().parts[0], camvid().parts[0], part_facts((0.5, 0.5))])
@pytest.mark.parametrize("overlapping", [False, True])
def test_every_remedy_says_whether_it_applies_and_why(name: str, facts, overlapping: bool):
    verdict = find(name).judge(facts, crop=128, overlapping=overlapping)
    assert verdict.applies in (True, False, None)
    assert verdict.because == "always" or re.search(r"\d|training|texture|threshold|occur", verdict.because)
    assert verdict.because in verdict.sentence()
    assert verdict.sentence().startswith("does not apply here: ") == (verdict.applies is False)
    assert verdict.sentence().startswith("masks cannot tell: ") == (verdict.applies is None)


def test_class_weights_say_by_the_numbers_whether_they_apply():
    two, many = roads().parts[0], camvid().parts[0]
    for name in names("weights"):
        judge = find(name).judge
        assert judge(two).applies is False
        if name != "effective_number":
            assert judge(two).because == "2 classes: one threshold does the same, after training"
            assert judge(many).applies
            assert judge(many).because.startswith("11 classes, of which rare: class_2 0.98%, ")
            level = judge(part_facts((0.5, 0.3, 0.2)))
            assert level == (False, "no class covers less than 5%: the rarest is class_2 20.00%")


@pytest.mark.parametrize(("share", "applies"), [(0.1, True), (0.11, False), (0.001, True)])
def test_losses_that_fade_apply_where_one_class_crowds_out_the_others(share: float, applies: bool):
    facts = part_facts((1 - share, share))
    for name in ("focal", "top_k", "ohem"):
        assert find(name).judge(facts) == (
            applies,
            f"class_0 covers {1 - share:.4g} of the pixels (from 0.9)",
        )
    alone = find("focal").judge(part_facts((0.95, share)), overlapping=True)
    assert alone.applies == applies
    assert f"{1 - share:.4g}" in alone.because or not applies


@pytest.mark.parametrize(("share", "applies"), [(0.049, True), (0.05, False)])
def test_overlap_losses_apply_to_rare_classes(share: float, applies: bool):
    facts = part_facts((1 - share, share))
    for name in ("dice", "generalised_dice", "tversky", "lovasz", "combo"):
        verdict = find(name).judge(facts)
        assert verdict.applies == applies
        assert f"class_1 {share:.2%}" in verdict.because


def test_pasting_and_edge_losses_tell_objects_from_lines_among_rare_classes():
    def facts(width: float, size: float):
        made = part_facts((0.96, 0.04), names=("ground", "weed"))
        weed = msgspec.structs.replace(made.classes[1], median_width=width, median_size=size, objects=10**6)
        return msgspec.structs.replace(made, classes=(made.classes[0], weed))

    for name in ("boundary", "copy_paste"):
        assert find(name).judge(facts(10, 90)).applies is True
        assert find(name).judge(facts(10, 900)).applies is False
        assert find(name).judge(part_facts((0.5, 0.5))).because.startswith("no class covers less than 5%")
    assert find("boundary").judge(facts(10, 90)).because == (
        "compact: weed (10 px wide, its objects 0.9 times the width squared)"
    )
    assert find("boundary").judge(facts(10, 900)).because.startswith("long and thin: weed")


@pytest.mark.parametrize(
    ("width", "size", "said"),
    [
        (7.0, 3120.0, "long and thin: road (7 px wide, its objects 63.7 times the width squared)"),
        (7.0, 100.0, None),
        (60.0, 90000.0, "long and thin: road (60 px wide, its objects 25 times the width squared)"),
        (60.0, 9000.0, None),
        (None, None, None),
    ],
)
def test_line_losses_apply_to_long_thin_classes_and_pasting_to_others(width, size, said):
    facts = part_facts((0.96, 0.04), names=("ground", "road"))
    objects = 0 if size is None else -(-facts.classes[1].pixels // int(size))
    road = msgspec.structs.replace(
        facts.classes[1], median_width=width, median_size=size, objects=max(objects, 1)
    )
    facts = msgspec.structs.replace(facts, classes=(facts.classes[0], road))
    for name in ("cldice", "skeleton_recall"):
        verdict = find(name).judge(facts)
        assert verdict.applies == (said is not None)
        assert said is None or verdict.because == said
        assert size is None or verdict.because.startswith(("long and thin: road", "compact: road"))
    compact = said is None and size is not None
    assert find("copy_paste").judge(facts).applies == compact


def test_the_effective_number_of_images_is_said_to_do_nothing_where_all_images_hold_all_classes():
    remedy = find("effective_number")
    level = camvid().parts[0]
    verdict = remedy.judge(level)
    assert verdict.applies is False
    assert verdict.because.startswith(
        "every class lies in nearly every image, so weights differ by 0.0% at most"
    )
    seldom = msgspec.structs.replace(level.counts, images_with=(10,) * 10 + (2,))
    assert remedy.judge(msgspec.structs.replace(level, counts=seldom)) == find("inverse").judge(level)
    assert any("count objects" in trap for trap in remedy.traps)
    unlabelled = msgspec.structs.replace(level.counts, labelled=0)
    assert remedy.judge(msgspec.structs.replace(level, counts=unlabelled)) == find("inverse").judge(level)


def test_losses_and_sampling_that_serve_several_rare_classes_are_judged_as_class_weights_are():
    many, two = camvid().parts[0], roads().parts[0]
    for name in ("logit_adjusted", "balanced_softmax", "ldam", "rare_class", "logit_adjustment"):
        for facts in (many, two):
            assert find(name).judge(facts) == find("inverse").judge(facts)
        assert find(name).judge(many, overlapping=True).applies is False


@pytest.mark.parametrize(
    "chances", [(0.1, 0.2, None), (0.2, 0.9, None), (0.4, 0.9, None), (None, None, None)]
)
@pytest.mark.parametrize("crop", [64, 128, 256])
def test_crops_around_rare_classes_are_judged_as_the_plan_decides(chances, crop):
    facts = part_facts((0.96, 0.04), names=("ground", "road"), crop_chance=chances, images_with=2)
    rule = sampling_choice(facts, crop=crop, asked=None).rule
    said = find("class_centred").judge(facts, crop=crop)
    assert said.applies == (rule == "class_centred")
    assert "road with a chance of" in said.because
    assert said.because.endswith("(missed: below 30%)") == (not said.applies)
    assert find("above_mean").judge(facts, crop=crop) == said
