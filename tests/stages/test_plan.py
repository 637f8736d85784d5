import json
import math
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from tests.references.facts import CAMVID, CPU, audit_of, camvid, overlaps, part_facts, roads

from rareseg.errors import SettingError
from rareseg.records.audit import Audit
from rareseg.records.codec import decode, digest, encode
from rareseg.records.overrides import settable
from rareseg.records.plan import Choice, Plan
from rareseg.remedies import loss_sums
from rareseg.remedies.catalogue import Setting, find, names
from rareseg.stages.plan import amended, checked, decide

AUDITS: dict[str, Callable[[], Audit]] = {"roads": roads, "camvid": camvid, "overlaps": overlaps}


def _decide(audit: Audit, **settings: str) -> Plan:
    """Decide with settings written as section__field="value"."""
    return decide(audit, CPU, settings={name.replace("__", "."): text for name, text in settings.items()})


def _with(plan: Plan, section: str, **values: object) -> Plan:
    return msgspec.structs.replace(
        plan, **{section: msgspec.structs.replace(getattr(plan, section), **values)}
    )


@pytest.mark.parametrize("name", AUDITS)
def test_a_plan_survives_being_written_and_read(name: str):
    audit = AUDITS[name]()
    plan = decide(audit, CPU)
    assert decode(encode(plan), Plan, "plan") == plan
    assert plan.audit_digest == digest(audit)
    assert (plan.classes, plan.overlapping) == (audit.dataset.classes, audit.dataset.overlapping)
    assert checked(plan, classes=len(plan.classes)) is plan
    assert decide(audit, CPU) == plan


@pytest.mark.parametrize("name", AUDITS)
def test_every_decision_that_follows_from_the_audit_names_its_numbers(name: str):
    plan = decide(AUDITS[name](), CPU)
    assert {choice.set_by for choice in plan.choices().values()} == {"rule"}
    assert all(choice.because for choice in plan.choices().values())
    from_the_audit = (
        "model",
        "loss",
        "weights",
        "sampling",
        "initialisation",
        "crop",
        "augmentation",
        "inference",
    )
    for section in from_the_audit:
        assert re.search(r"\d", getattr(plan, section).because), section


def test_roads_are_learnt_with_plain_cross_entropy_from_the_prior():
    plan = decide(roads(), CPU)
    assert plan.loss.name == "cross_entropy"
    assert (plan.weights.rule, plan.weights.values) == ("none", (1.0, 1.0))
    assert plan.sampling.rule == "uniform"
    assert plan.initialisation.prior_bias
    assert plan.initialisation.prior == pytest.approx((0.96, 0.04))
    assert (plan.augmentation.mirror, plan.augmentation.quarter_turns) == ("both", True)
    assert (plan.inference.decision, plan.inference.views) == ("threshold", 8)


def test_many_classes_are_weighted_and_start_at_the_weighted_prior():
    plan = decide(camvid(), CPU)
    assert plan.weights.rule == "sqrt_inverse"
    assert sum(plan.initialisation.prior) == pytest.approx(1)
    shares = [entry.share for entry in camvid().total.classes]
    seen = [share * weight for share, weight in zip(shares, plan.weights.values, strict=True)]
    assert plan.initialisation.prior == pytest.approx([part / sum(seen) for part in seen])
    assert (plan.augmentation.mirror, plan.augmentation.quarter_turns) == ("horizontal", False)
    assert (plan.inference.decision, plan.inference.views) == ("argmax", 2)


def test_overlapping_classes_are_decided_one_by_one():
    plan = decide(overlaps(), CPU)
    assert plan.weights.rule == "none"
    assert plan.initialisation.prior == pytest.approx((0.3, 0.25, 0.02))
    assert plan.inference.decision == "threshold"


def test_a_training_part_without_a_class_still_gets_a_plan():
    for shares in ((1.0, 0.0), (0.97, 0.03, 0.0)):
        plan = decide(audit_of(part_facts(shares)), CPU)
        assert all(math.isfinite(value) for value in (*plan.weights.values, *plan.initialisation.prior))
        assert plan.initialisation.prior[-1] == 0


def test_a_training_part_with_nothing_in_it_is_refused():
    with pytest.raises(SettingError, match="Not one labelled pixel of the train part belongs to a class"):
        decide(audit_of(part_facts((0.0, 0.0))), CPU)
    with pytest.raises(SettingError, match="The audit has no training part"):
        decide(audit_of(part_facts((0.9, 0.1), part="val")), CPU)
    empty = roads()
    rest = tuple(pair for pair in empty.dataset.pairs if pair.part != "train")
    dataset = msgspec.structs.replace(empty.dataset, pairs=rest)
    with pytest.raises(SettingError, match="The audit has no training part"):
        decide(msgspec.structs.replace(empty, dataset=dataset), CPU)


def test_settings_are_recorded_as_set_by_the_user_beside_the_reason_of_the_rule():
    usual = decide(roads(), CPU)
    plan = _decide(roads(), optimizer__learning_rate="0.01", optimizer__clip_norm="2", seed="7")
    assert (plan.optimizer.learning_rate, plan.optimizer.clip_norm, plan.seed) == (0.01, 2.0, 7)
    assert plan.optimizer.set_by == "user"
    assert plan.optimizer.because == f"set by user; the rule's reason was: {usual.optimizer.because}"
    others = {name for name, choice in plan.choices().items() if choice.set_by == "user"}
    assert others == {"optimizer"}


def test_numbers_may_come_as_numbers_from_python():
    settings: Any = {"optimizer.learning_rate": 0.01, "model.width": 16}
    plan = decide(roads(), CPU, settings=settings)
    assert (plan.optimizer.learning_rate, plan.model.width) == (0.01, 16)


FIRST = {
    "model.name": ("compact_unet", "fcn32_vgg16", "smp:unet"),
    "loss.name": (
        *(name for name in names("loss") if name not in ("boundary", "hausdorff", "balanced_softmax")),
        "cross_entropy + boundary",
        "0.5*dice + hausdorff",
        "focal+tversky",
        "cross_entropy+dice",
    ),
    "weights.rule": ("none", *names("weights")),
    "optimizer.name": ("adamw", "muon"),
    "sampling.rule": ("uniform", *names("sampling")),
}


@pytest.mark.parametrize("audit", AUDITS)
@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in FIRST.items() for value in values]
)
def test_what_is_decided_first_brings_all_that_follows_from_it(audit: str, key: str, value: str):
    plan = decide(AUDITS[audit](), CPU, settings={key: value})
    section, _, field = key.partition(".")
    assert getattr(getattr(plan, section), field) == value
    assert getattr(plan, section).set_by == "user"
    assert getattr(plan, section).because.startswith("set by user; the rule's reason was: ")
    assert decode(encode(plan), Plan, "plan") == plan
    if section == "loss":
        usual = loss_sums.settings(value)
        assert plan.loss.settings == usual
        assert {key.partition(".")[0] for key in usual} == {
            term.remedy.name for term in loss_sums.terms(value) if term.remedy.settings
        }
    if section in ("weights", "sampling"):
        mine = [] if value in ("none", "uniform") else [entry.name for entry in find(value).settings]
        chosen = getattr(plan, section)
        for name in settable(type(chosen), fixed=(*Choice.__struct_fields__, "rule", "values")):
            usual = find(value).setting(name).default if name in mine else None
            decided = name in mine and name in ("labels", "temperature")
            assert (getattr(chosen, name) is not None) if decided else getattr(chosen, name) == usual
    if key == "weights.rule" and value != "none" and audit != "overlaps":
        shares = [entry.share for entry in AUDITS[audit]().total.classes]
        seen = [share * weight for share, weight in zip(shares, plan.weights.values, strict=True)]
        assert plan.initialisation.prior == pytest.approx([part / sum(seen) for part in seen])


def test_a_model_brings_its_optimizer_and_a_loss_without_weights_drops_them():
    assert _decide(roads(), model__name="smp:unet").optimizer.name == "adamw"
    usual = {"focal.gamma": 2.0, "focal.alpha": None}
    assert _decide(roads(), loss__name="focal").loss.settings == usual
    harder = _decide(roads(), loss__name="focal", loss__focal__gamma="3")
    assert harder.loss.settings == usual | {"focal.gamma": 3.0}
    both = _decide(roads(), loss__name="cross_entropy + 0.5*focal", loss__focal__alpha="1,0.5")
    assert both.loss.settings == usual | {"cross_entropy.smoothing": 0.0, "focal.alpha": (1.0, 0.5)}
    smoothed = _decide(roads(), loss__cross_entropy__smoothing="0.1")
    assert (smoothed.loss.name, smoothed.loss.set_by) == ("cross_entropy", "user")
    assert smoothed.initialisation.prior == pytest.approx((0.96 * 0.9 + 0.05, 0.04 * 0.9 + 0.05))
    assert _decide(camvid(), loss__name="dice").weights.rule == "none"
    assert _decide(roads(), sampling__rule="class_centred").sampling.labels == (1,)
    drawn = _decide(camvid(), sampling__rule="rare_class", sampling__temperature="0.3").sampling
    assert (drawn.share, drawn.labels, drawn.temperature, drawn.minimum_pixels) == (1.0, None, 0.3, 100)
    capped = _decide(camvid(), weights__rule="enet", weights__constant="1.1", weights__cap="2").weights
    assert (capped.rule, capped.constant, capped.cap) == ("enet", 1.1, 2.0)
    assert max(capped.values) == pytest.approx(2 * min(capped.values))
    later = _decide(camvid(), weights__deferred="0.8")
    assert (later.weights.rule, later.weights.deferred) == ("sqrt_inverse", 0.8)
    assert later.initialisation.prior == pytest.approx(later.shares)
    given = _decide(roads(), weights__values="1,5")
    assert (given.weights.rule, given.weights.values) == ("given", (1.0, 5.0))
    assert given.initialisation.prior == pytest.approx((0.96 / 1.16, 0.2 / 1.16))
    assert given.weights.set_by == "user"


def test_what_follows_from_a_wished_crop_or_augmentation_is_decided_by_it():
    facts = part_facts((0.97, 0.03), crop_chance=(0.1, 0.6, 0.9))
    assert decide(audit_of(facts), CPU).sampling.rule == "uniform"
    assert _decide(audit_of(facts), crop__size="128").sampling.rule == "class_centred"
    assert _decide(roads(), augmentation__quarter_turns="false").inference.views == 2
    upright = _decide(roads(), augmentation__quarter_turns="false", augmentation__mirror="none")
    assert upright.inference.views == 1
    assert _decide(roads(), augmentation__mirror="none", inference__views="8").inference.views == 8


def test_prior_bias_can_be_switched_off():
    plan = _decide(roads(), initialisation__prior_bias="false")
    assert not plan.initialisation.prior_bias
    assert plan.initialisation.set_by == "user"


@pytest.mark.parametrize("settings", [{}, {"optimizer.clip_norm": "2"}])
def test_budget_is_given_by_one_argument_or_one_setting(settings: dict[str, str]):
    plan = decide(roads(), CPU, steps=50, settings=settings)
    assert (plan.budget.steps, plan.budget.minutes, plan.budget.set_by) == (50, None, "user")
    assert plan.watch.every_steps == 10
    plan = decide(roads(), CPU, minutes=2, settings=settings)
    assert (plan.budget.steps, plan.budget.minutes) == (None, 2)
    plan = decide(roads(), CPU, settings={"budget.steps": "50", **settings})
    assert (plan.budget.steps, plan.budget.minutes, plan.budget.set_by) == (50, None, "user")
    assert plan.watch.every_steps == 10


def test_two_budgets_or_none_are_refused():
    with pytest.raises(SettingError, match="Give minutes or steps, not both"):
        decide(roads(), CPU, minutes=1, steps=1)
    with pytest.raises(SettingError, match="Give minutes or steps, not both"):
        _decide(roads(), budget__minutes="1", budget__steps="1")
    with pytest.raises(SettingError, match="given twice: as budget.steps=5, and as minutes or steps"):
        decide(roads(), CPU, minutes=1, settings={"budget.steps": "5"})
    with pytest.raises(SettingError, match="Exactly one of budget.steps and budget.minutes must be set"):
        _decide(roads(), budget__minutes="none")


@pytest.mark.parametrize("value", [0, -3])
def test_a_budget_not_above_0_is_refused(value: int):
    with pytest.raises(SettingError, match="minutes must be a number above 0"):
        decide(roads(), CPU, minutes=value)
    with pytest.raises(SettingError, match="steps must be a number above 0"):
        decide(roads(), CPU, steps=value)
    with pytest.raises(SettingError, match=f"budget.steps={value}: Expected `int` >= 1"):
        decide(roads(), CPU, settings={"budget.steps": str(value)})


def test_every_setting_that_no_plan_has_is_refused_with_those_it_has():
    with pytest.raises(
        SettingError, match=r"Unknown section 'los'. Did you mean 'loss'\? Known: model, loss,.*seed"
    ):
        _decide(roads(), los__name="dice")
    with pytest.raises(
        SettingError, match=r"Unknown setting 'loss.nam'. Did you mean 'loss.name'\?"
    ) as caught:
        _decide(roads(), loss__nam="dice")
    for written in ("because", "reference", "set_by", "settings"):
        assert written not in str(caught.value)
        with pytest.raises(
            SettingError, match=f"loss.{written} is written by the plan itself and cannot be set"
        ):
            decide(roads(), CPU, settings={f"loss.{written}": "x"})
    for key in (
        "loss",
        "",
        "loss.",
        ".name",
        "loss.name.x",
        "loss.cross_entropy.",
        "loss.settings.x",
        "loss.fokal.gamma",
        "model.name.x",
        "sampling.rare_class.share",
        "audit_digest",
        "seed.x",
        "classes",
        "shares",
        "overlapping",
    ):
        with pytest.raises(SettingError, match="Unknown (section|setting)"):
            decide(roads(), CPU, settings={key: "1"})


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"model.name": "unet"}, "Unknown model 'unet'"),
        ({"model.name": ""}, "Unknown model ''"),
        ({"loss.name": ""}, "Unknown loss ''"),
        ({"loss.name": "dice+dice"}, "names dice twice"),
        ({"weights.rule": ""}, "Unknown weights.rule ''"),
        ({"weights.rule": "median"}, "Unknown weights.rule 'median'"),
        ({"optimizer.name": ""}, "Unknown optimizer ''"),
        ({"sampling.rule": ""}, "Unknown sampling.rule ''"),
        ({"sampling.rule": "centred"}, "Unknown sampling.rule 'centred'"),
        ({"seed": "-1"}, "seed=-1: Expected `int` >= 0"),
        ({"seed": "none"}, "seed=none: Expected `int`"),
        ({"seed": "9" * 30}, "seed=9+: "),
        ({"crop.size": "8"}, "crop.size=8: Expected `int` >= 16"),
        ({"augmentation.mirror": "all"}, "augmentation.mirror=all: Expected one of none, horizontal, both"),
        ({"initialisation.prior_bias": "x"}, "initialisation.prior_bias=x: Expected one of true, false"),
        (
            {"initialisation.prior": "0.5,0.1"},
            r"adds up to 0\.6; the shares of exclusive classes add up to 1",
        ),
        ({"initialisation.prior": "0,0"}, "initialisation.prior=.* gives every class the share 0"),
        (
            {"initialisation.prior": "1"},
            "initialisation.prior must hold 2 entries, one per class of the data; it holds 1",
        ),
        ({"weights.values": "1,x"}, "weights.values=1,x: Expected `float` as number 2 of the list"),
        ({"weights.values": "1,-1"}, "weights.values=1,-1: Expected `float` >= 0"),
        ({"weights.values": "nan,1"}, "weights.values=nan,1: Expected"),
        ({"weights.values": "inf,1"}, "weights.values=inf,1: Expected `float` <= 1000000000000.0"),
        ({"weights.values": "1"}, "needs weights.values with 2 numbers"),
        ({"weights.values": "0,0"}, "gives every class that occurs the weight 0"),
        ({"weights.rule": "given"}, "needs weights.values with 2 numbers"),
        (
            {"weights.rule": "inverse", "weights.values": "1,1"},
            "weights.values is set, but weights.rule=inverse",
        ),
        (
            {"weights.rule": "inverse", "loss.name": "dice"},
            "weights.rule=inverse has no effect on loss.name=dice",
        ),
        (
            {"loss.gamma": "2"},
            r"Unknown setting 'loss.gamma': a setting of a loss names its term too. Did you mean "
            r"loss.focal.gamma or loss.unified_focal.gamma\?",
        ),
        ({"loss.name": "2*focal", "loss.gamma": "2"}, r"Did you mean loss.focal.gamma\?"),
        (
            {"loss.focal.gamma": "2"},
            "loss.focal.gamma has no effect on loss.name=cross_entropy: name focal in the sum",
        ),
        ({"loss.name": "focal", "loss.focal.gama": "2"}, "Did you mean 'loss.focal.gamma'"),
        ({"loss.name": "focal", "loss.focal.gamma": "none"}, "loss.focal.gamma=none: expected 0 <= number"),
        ({"loss.name": "focal", "loss.focal.gamma": "21"}, "loss.focal.gamma=21: expected 0 <= number <= 20"),
        ({"loss.name": "focal", "loss.focal.alpha": "0.5"}, "expected 2 numbers, one per class"),
        ({"loss.name": "dice", "loss.dice.classes": "2"}, "different class indices from 0 to 1"),
        ({"loss.name": "boundary"}, "every term has a ramp, so the loss would begin at 0"),
        (
            {"loss.name": "cross_entropy+rmi", "loss.rmi.radius": "10", "loss.rmi.pool": "64"},
            r"need crops of at least 577 px, but crop.size=\d+: lower one of them, or raise crop.size",
        ),
        ({"loss.name": "0*dice"}, "expected a number above 0 before the"),
        (
            {"loss.name": "logit_adjusted", "weights.rule": "inverse"},
            r"weights.rule=inverse has no effect on loss.name=logit_adjusted: add a term that takes class "
            r"weights \(cross_entropy, focal, top_k, ohem, ldam\)",
        ),
        (
            {"loss.name": "balanced_softmax + dice", "weights.values": "1,2"},
            "weights.rule=given has no effect on loss.name=balanced_softmax",
        ),
        (
            {"weights.deferred": "0.5"},
            "weights.deferred=0.5 has no effect on weights.rule=none: set weights.deferred=none",
        ),
        ({"weights.cap": "5"}, "weights.cap=5.0 has no effect on weights.rule=none"),
        (
            {"weights.rule": "inverse", "weights.constant": "1.1"},
            "weights.constant=1.1 has no effect on weights.rule=inverse",
        ),
        (
            {"weights.values": "1,2", "weights.cap": "5"},
            "weights.cap=5.0 has no effect on weights.rule=given: set weights.cap=none",
        ),
        (
            {"weights.rule": "inverse", "weights.deferred": "1"},
            "weights.deferred=1: expected 0 <= number < 1",
        ),
        ({"weights.values": "1,2", "weights.deferred": "1"}, "weights.deferred=1: expected 0 <= number < 1"),
        (
            {"weights.rule": "effective_number", "weights.counted": "pixels"},
            "weights.counted=pixels: Expected one of images, objects, none",
        ),
        (
            {"weights.rule": "effective_number", "weights.counted": "none"},
            "weights.rule=effective_number needs weights.counted, .*: set it, for example to images",
        ),
        (
            {"inference.logit_adjustment": "1"},
            "inference.logit_adjustment=1.0 has no effect on inference.decision=threshold",
        ),
        ({"model.encoder": "resnet18"}, "model.encoder=resnet18 has no effect on model.name=compact_unet"),
        ({"model.encoder_weights": "x"}, "model.encoder_weights=x has no effect on model.name=compact_unet"),
        ({"model.pretrained": "true"}, "model.pretrained=True has no effect on model.name=compact_unet"),
        ({"model.width": "none"}, "model.name=compact_unet needs model.width, which is not set.*32"),
        ({"model.name": "smp:unet", "model.stem": "2"}, "model.stem=2 has no effect on model.name=smp:unet"),
        (
            {"optimizer.name": "adamw", "optimizer.muon_learning_rate": "1"},
            "has no effect on optimizer.name=adamw",
        ),
        ({"optimizer.muon_learning_rate": "none"}, "optimizer.name=muon needs optimizer.muon_learning_rate"),
        ({"sampling.share": "0.5"}, "sampling.share=0.5 has no effect on sampling.rule=uniform: set"),
        ({"sampling.labels": "1"}, r"sampling.labels=\(1,\) has no effect on sampling.rule=uniform: set"),
        ({"sampling.temperature": "1"}, "sampling.temperature=1.0 has no effect on sampling.rule=uniform"),
        (
            {"sampling.rule": "class_centred", "sampling.share": "none"},
            "sampling.rule=class_centred needs sampling.share, which is not set: set it, for example to 0.33",
        ),
        (
            {"sampling.rule": "rare_class", "sampling.labels": "1"},
            r"sampling.labels=\(1,\) has no effect on sampling.rule=rare_class",
        ),
        (
            {"sampling.rule": "class_centred", "sampling.share": "0"},
            "sampling.share=0: expected 0 < number <= 1",
        ),
        (
            {"weights.deferred": "0.8", "loss.name": "ldam"},
            r"set weights.deferred=none, or choose a rule that takes it \(weights.rule=inverse, ",
        ),
        (
            {"sampling.share": "0.5"},
            r"or choose a rule that takes it \(sampling.rule=class_centred, sampling.rule=rare_class, ",
        ),
        (
            {"initialisation.prior_bias": "false", "initialisation.prior": "0.5,0.5"},
            "initialisation.prior=0.5,0.5 has no effect on initialisation.prior_bias=false",
        ),
        (
            {"loss.name": "focal", "loss.focal.alpha": "0,0"},
            "loss.focal.alpha=0,0 makes the loss 0 whatever the map says",
        ),
        (
            {"sampling.rule": "rare_class", "sampling.temperature": "200"},
            "sampling.temperature=200: expected 0 < number <= 100",
        ),
        (
            {"sampling.rule": "class_centred", "sampling.minimum_pixels": "5"},
            "sampling.minimum_pixels=5 has no effect on sampling.rule=class_centred",
        ),
        (
            {"sampling.rule": "class_centred", "sampling.labels": "2"},
            "must be different class indices from 0 to 1",
        ),
        (
            {"sampling.rule": "class_centred", "sampling.labels": "-1"},
            "sampling.labels=-1: expected 0 <= class indices",
        ),
        (
            {"sampling.rule": "class_centred", "sampling.labels": "1,1"},
            "must be different class indices from 0 to 1",
        ),
        (
            {"inference.overlap": "512"},
            r"inference.overlap \(512 px\) must be below inference.window \(512 px\)",
        ),
        (
            {"inference.window": "64"},
            r"inference.overlap \(128 px\) must be below inference.window \(64 px\)",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, str], complaint: str):
    with pytest.raises(SettingError, match=complaint):
        decide(roads(), CPU, settings=settings)


def test_decisions_that_the_classes_do_not_allow_are_refused():
    with pytest.raises(
        SettingError, match="inference.decision=argmax gives one class per pixel, but the classes overlap"
    ):
        _decide(overlaps(), inference__decision="argmax")
    with pytest.raises(
        SettingError, match="needs two classes or overlapping ones; there are 11 exclusive ones"
    ):
        _decide(camvid(), inference__decision="threshold")
    assert _decide(roads(), inference__decision="argmax").inference.decision == "argmax"


def test_crops_cannot_be_centred_on_a_class_that_does_not_occur():
    audit = audit_of(part_facts((0.97, 0.03, 0.0), names=("ground", "road", "bridge")))
    with pytest.raises(
        SettingError, match=r"sampling.labels=\(1, 2\) names bridge, of which the training part"
    ):
        _decide(audit, sampling__rule="class_centred", sampling__labels="1,2")


def _others(kind: Any, now: object) -> list[str]:
    """Return texts of other legal values of a field, none among them where it is allowed."""
    if get_origin(kind) in (types.UnionType, Union):
        inner = [part for part in get_args(kind) if part is not type(None)]
        texts = [text for part in inner for text in _others(part, now)]
        return texts if now is None else [*texts, "none"]
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind) if value != now]
    if get_origin(kind) is tuple:
        lists = ["1,0", "0,1", "1", "1,0,0", "0.5,0.5"]
        return [text for text in lists if tuple(map(float, text.split(","))) != now]
    if kind is bool:
        return ["true", "false"] if now is None else [str(not now).lower()]
    if kind is str:
        return ["smp:fpn", "lovasz", "resnet18"]
    base = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    tried = ["1", "2", "7", "64", "96", "1000"] if base is int else ["0", "0.25", "0.5", "3"]
    return [text for text in tried if base(text) != now]


FIELDS = [
    (section, field)
    for section, kind in settable(Plan).items()
    if isinstance(kind, type) and issubclass(kind, Choice)
    for field in settable(kind, fixed=(*Choice.__struct_fields__, "settings"))
]
RULES = {
    "model": ("name", FIRST["model.name"]),
    "weights": ("rule", FIRST["weights.rule"]),
    "optimizer": ("name", FIRST["optimizer.name"]),
    "sampling": ("rule", FIRST["sampling.rule"]),
}
"""What the fields of a section depend on: each is walked under each of these."""


def _settings_before(section: str, field: str) -> list[dict[str, str]]:
    key, values = RULES.get(section, ("", ()))
    return [{}, *({f"{section}.{key}": value} for value in values if key != field)]


@pytest.mark.parametrize("how", ["decide", "amend"])
@pytest.mark.parametrize("audit", AUDITS)
@pytest.mark.parametrize(("section", "field"), FIELDS, ids=lambda part: part)
def test_no_setting_is_accepted_and_then_ignored(audit: str, section: str, field: str, how: str):
    facts = AUDITS[audit]()
    for context in _settings_before(section, field):
        before = decide(facts, CPU, settings=context)
        kind = settable(type(getattr(before, section)))[field]
        now = getattr(getattr(before, section), field)
        texts = _others(kind, now)
        assert texts
        for text in texts:
            after = _set(how, facts, before, context, f"{section}.{field}", text)
            if after is None:
                continue
            value = getattr(getattr(after, section), field)
            if how == "decide" and text == "none" and field in ("labels", "temperature"):
                # Their usual value, by which the rules choose: as if it had not been named.
                assert value == now
                continue
            assert value != now, text
            assert getattr(after, section).set_by == "user"
            assert decode(encode(after), Plan, "plan") == after
            _check_that_a_network_would_take_it(after)


def _set(how: str, facts: Audit, before: Plan, context: dict[str, str], key: str, text: str) -> Plan | None:
    """Return the plan with one more setting, or None where it is refused by a sentence that names it."""
    try:
        if how == "decide":
            return decide(facts, CPU, settings=context | {key: text})
        return amended(before, classes=len(before.classes), settings={key: text})
    except SettingError as error:
        section, _, field = key.partition(".")
        assert field in str(error) or section in str(error)
        return None


@pytest.mark.parametrize(("section", "field"), FIELDS, ids=lambda part: part)
def test_every_setting_can_be_set_somewhere(section: str, field: str):
    """So the walk above does not hold merely because everything is refused."""
    for audit in AUDITS.values():
        facts = audit()
        for context in _settings_before(section, field):
            before = getattr(decide(facts, CPU, settings=context), section)
            texts = _others(settable(type(before))[field], getattr(before, field))
            lists = {"values": ",".join(["2"] * len(facts.dataset.classes))}
            for text in [lists[field]] if field in lists else texts:
                if _set("decide", facts, decide(facts, CPU), context, f"{section}.{field}", text) is not None:
                    return
    pytest.fail(f"No text was taken for {section}.{field}.")


TERMS = [(name, entry.name) for name in names("loss") for entry in find(name).settings]


def _other_texts(setting: Setting, classes: int) -> list[str]:
    """Return texts of legal values of a loss's setting that are not its usual one."""
    if setting.kind == "flag":
        return [str(not setting.default).lower()]
    if setting.kind == "name":
        return [word for word in setting.choices if word != setting.default]
    if setting.kind == "numbers":
        return [",".join(["0.25"] * classes), ",".join(["1", "0.5"] + ["0"] * (classes - 2))]
    if setting.kind == "class indices":
        return [str(classes - 1), "1,0"]
    if setting.kind == "whole number":
        return [str(max(int(setting.low), 1)), "2"] if setting.default not in (1, 2) else ["4", "3"]
    values = [0.3 if setting.high <= 1 else 3.0, min(setting.high, 1.5), setting.low]
    return [
        f"{value:g}" for value in values if value != setting.default and setting._fits(value, whole=False)
    ]


@pytest.mark.parametrize("how", ["decide", "amend"])
@pytest.mark.parametrize("audit", AUDITS)
@pytest.mark.parametrize(("name", "field"), TERMS, ids=lambda part: part)
def test_no_setting_of_a_loss_is_accepted_and_then_ignored(audit: str, name: str, field: str, how: str):
    facts = AUDITS[audit]()
    setting = find(name).setting(field)
    assert setting is not None
    key = f"{name}.{field}"
    taken = 0
    for text in (f"cross_entropy + 0.5*{name}", f"2*{name}"):
        context = {"loss.name": text}
        try:
            before = decide(facts, CPU, settings=context)
        except SettingError as error:
            assert (
                "begin at 0" in str(error) or "cross_entropy twice" in str(error) or "overlap" in str(error)
            )
            continue
        for value in _other_texts(setting, len(before.classes)):
            after = _set(how, facts, before, context, f"loss.{key}", value)
            if after is None:
                continue
            taken += 1
            assert after.loss.settings[key] == setting.parsed(value, key) != before.loss.settings[key]
            assert {**after.loss.settings, key: None} == {**before.loss.settings, key: None}
            assert after.loss.set_by == "user"
            again = decode(encode(after), Plan, "plan")
            assert (again, digest(again)) == (after, digest(after))
            _check_that_a_network_would_take_it(after)
    idle = setting.exclusive_only or find(name).exclusive_only
    assert (taken == 0) == (idle and audit == "overlaps")


def _check_that_a_network_would_take_it(plan: Plan) -> None:
    """What is let through must not be refused only once the training starts."""
    build = pytest.importorskip("rareseg.network.models.build")
    catalogue = pytest.importorskip("rareseg.network.losses.catalogue")
    build._check_settings(plan.model)
    loss = catalogue.build(plan.loss, plan.weights, shares=plan.shares, overlapping=plan.overlapping)
    assert len(loss.addends) == len(loss_sums.terms(plan.loss.name))
    assert loss.deferred == (plan.weights.deferred or 0)
    assert (plan.optimizer.muon_learning_rate is not None) == (plan.optimizer.name == "muon")
    assert (plan.sampling.rule == "uniform") == (plan.sampling.share is None)
    assert (plan.sampling.rule == "rare_class") == (plan.sampling.temperature is not None)
    assert (plan.sampling.rule in ("uniform", "rare_class")) == (plan.sampling.labels is None)
    assert len(plan.weights.values) == len(plan.shares) == len(plan.classes)


def test_a_given_plan_is_amended_and_nothing_else_is_decided_anew():
    plan = decide(roads(), CPU)
    assert amended(plan, classes=2) == plan
    longer = amended(plan, classes=2, minutes=30)
    assert (longer.budget.minutes, longer.budget.set_by) == (30, "user")
    assert msgspec.structs.replace(longer, budget=plan.budget) == plan
    counted = amended(longer, classes=2, settings={"budget.steps": "10"})
    assert (counted.budget.minutes, counted.budget.steps) == (None, 10)
    faster = amended(plan, classes=2, steps=5, settings={"optimizer.learning_rate": "0.5"})
    assert (faster.budget.steps, faster.optimizer.learning_rate) == (5, 0.5)
    again = amended(faster, classes=2, settings={"optimizer.learning_rate": "0.1"})
    assert again.optimizer.because == faster.optimizer.because
    assert amended(plan, classes=2, settings={"augmentation.mirror": "none"}).augmentation.mirror == "none"
    focal = amended(plan, classes=2, settings={"loss.name": "focal", "loss.focal.gamma": "3"})
    assert (focal.loss.name, focal.loss.settings) == ("focal", {"focal.gamma": 3.0, "focal.alpha": None})
    both = amended(focal, classes=2, settings={"loss.name": "focal + dice"})
    assert (both.loss.settings["focal.gamma"], both.loss.settings["dice.smoothing"]) == (3.0, 0.5)
    assert msgspec.structs.replace(both, loss=plan.loss) == plan


def test_an_amended_plan_is_checked():
    plan = decide(roads(), CPU)
    with pytest.raises(SettingError, match="Give minutes or steps, not both"):
        amended(plan, classes=2, minutes=1, steps=1)
    with pytest.raises(SettingError, match="Unknown setting 'loss.focal.gama'. Did you mean"):
        amended(plan, classes=2, settings={"loss.name": "focal", "loss.focal.gama": "1"})
    with pytest.raises(SettingError, match="weights.deferred=0.5 has no effect on weights.rule=none"):
        amended(plan, classes=2, settings={"weights.deferred": "0.5"})
    with pytest.raises(SettingError, match="sampling.rule=class_centred needs sampling.share"):
        amended(plan, classes=2, settings={"sampling.rule": "class_centred"})
    with pytest.raises(SettingError, match="model.width=32 has no effect on model.name=smp:unet"):
        amended(plan, classes=2, settings={"model.name": "smp:unet", "model.encoder": "resnet18"})
    with pytest.raises(SettingError, match="Unknown setting 'loss.nam'"):
        amended(plan, classes=2, settings={"loss.nam": "dice"})
    with pytest.raises(
        SettingError, match="classes must hold 3 entries, one per class of the data; it holds 2"
    ):
        amended(plan, classes=3)


def test_weights_that_would_have_to_be_computed_are_not_amended():
    plan = decide(roads(), CPU)
    expected = "computes weights.values from the audit, and here a plan is given: make a new plan"
    with pytest.raises(SettingError, match=f"weights.rule=inverse {expected}"):
        amended(plan, classes=2, settings={"weights.rule": "inverse"})
    weighted = _decide(roads(), weights__rule="inverse")
    with pytest.raises(SettingError, match=f"weights.rule=inverse {expected}"):
        amended(weighted, classes=2, settings={"weights.values": "1,2"})
    later = amended(weighted, classes=2, settings={"weights.deferred": "0.5"}).weights
    assert (later.rule, later.values, later.deferred) == ("inverse", weighted.weights.values, 0.5)
    given = amended(weighted, classes=2, settings={"weights.rule": "given", "weights.values": "1,2"})
    assert (given.weights.rule, given.weights.values) == ("given", (1.0, 2.0))
    with pytest.raises(
        SettingError, match="weights.rule=none weighs every class by 1, but weights.values is"
    ):
        amended(weighted, classes=2, settings={"weights.rule": "none"})


@pytest.mark.parametrize(
    ("section", "values", "complaint"),
    [
        (
            "budget",
            {"steps": 5},
            "Exactly one of budget.steps and budget.minutes must be set; received 5 and 10.0",
        ),
        ("weights", {"values": (1.0,)}, "weights.values must hold 2 entries"),
        ("weights", {"values": (1.0, 2.0)}, "weights.rule=none weighs every class by 1"),
        ("weights", {"rule": "given", "values": (0.0, 0.0)}, "gives every class the weight 0"),
        ("weights", {"rule": "given", "values": (1.0, 2.0), "deferred": 1.0}, "weights.deferred=1: expected"),
        ("weights", {"rule": "inverse", "values": (1.0, 2.0), "cap": 0.5}, "weights.cap=0.5: expected 1 <="),
        ("loss", {"name": "dise"}, "Unknown loss 'dise'"),
        ("loss", {"settings": {}}, "loss.name=cross_entropy needs loss.cross_entropy.smoothing"),
        ("loss", {"settings": {"cross_entropy.smoothing": 1.0}}, "loss.cross_entropy.smoothing=1: expected"),
        (
            "loss",
            {"settings": {"cross_entropy.smoothing": 0.0, "focal.gamma": 2.0}},
            "loss.focal.gamma has no effect on loss.name=cross_entropy",
        ),
        ("loss", {"name": "mine", "settings": {}}, r"Unknown loss 'mine'.*rareseg\.losses\.add\('mine'"),
        ("model", {"name": "unet"}, "Unknown model"),
        ("optimizer", {"name": "adamw"}, "optimizer.muon_learning_rate=0.02 has no effect"),
        ("sampling", {"share": 0.5}, "sampling.share=0.5 has no effect on sampling.rule=uniform"),
        ("sampling", {"labels": ()}, r"sampling.labels=\(\) has no effect on sampling.rule=uniform"),
        (
            "sampling",
            {"rule": "class_centred", "share": 0.3, "labels": ()},
            r"sampling.labels=\(\): expected",
        ),
        ("sampling", {"rule": "class_centred", "share": 0.3, "labels": (1, 7)}, "class indices from 0 to 1"),
        ("sampling", {"rule": "rare_class", "share": 1.0, "minimum_pixels": 5}, "needs sampling.temperature"),
        ("initialisation", {"prior": (0.5, 0.1)}, "adds up to 0.6"),
        (
            "weights",
            {"rule": "inverse", "values": (5.0, 0.0)},
            r"weights.values=\(5.0, 0.0\) are not those of weights.rule=inverse.*not 4.8: set weights.rule=given",
        ),
    ],
)
def test_a_plan_edited_by_hand_is_checked(section: str, values: dict[str, object], complaint: str | None):
    plan = _with(decide(roads(), CPU), section, **values)
    if complaint is None:
        assert checked(plan, classes=2) is plan
        return
    with pytest.raises(SettingError, match=complaint):
        checked(plan, classes=2)


@pytest.mark.parametrize(("shares", "total"), [((0.96, 0.52), "1.48"), ((0.0, 0.0), "0")])
def test_shares_edited_by_hand_are_checked(shares: tuple[float, ...], total: str):
    plan = msgspec.structs.replace(decide(roads(), CPU), shares=shares)
    with pytest.raises(
        SettingError, match=rf"shares=.* adds up to {total}; the shares of exclusive classes add"
    ):
        checked(plan, classes=2)


def test_what_the_catalogue_calls_usual_may_be_said():
    """None is the usual value of these, and means that the rules choose."""
    for name, field in (("rare_class", "temperature"), ("class_centred", "labels"), ("above_mean", "labels")):
        chosen = {"sampling.rule": name}
        assert find(name).setting(field).default is None
        said = decide(roads(), CPU, settings=chosen | {f"sampling.{field}": "none"})
        assert said == decide(roads(), CPU, settings=chosen)
        assert getattr(said.sampling, field) is not None


def test_a_prior_that_is_not_used_is_refused_in_a_given_plan_too():
    bare = amended(decide(roads(), CPU), classes=2, settings={"initialisation.prior_bias": "false"})
    with pytest.raises(SettingError, match="initialisation.prior=0.5,0.5 has no effect"):
        amended(bare, classes=2, settings={"initialisation.prior": "0.5,0.5"})


def test_weights_that_do_nothing_are_told_in_the_reason():
    """Of which there are many: in most data every image holds every class."""
    chosen = {"weights.rule": "effective_number"}
    level = decide(camvid(), CPU, settings=chosen).weights
    assert "effective_number does next to nothing here: its weights differ by 0.0% at most" in level.because
    assert "as every class lies in nearly every image (weights.counted=objects" in level.because
    facts = part_facts(CAMVID)
    seldom = msgspec.structs.replace(facts.counts, images_with=(10,) * 10 + (2,))
    uneven = decide(audit_of(msgspec.structs.replace(facts, counts=seldom)), CPU, settings=chosen).weights
    assert max(uneven.values) > 2 * min(uneven.values)
    assert "next to nothing" not in uneven.because
    assert (
        "next to nothing" not in decide(camvid(), CPU, settings={"weights.rule": "inverse"}).weights.because
    )


def test_weights_that_the_edited_loss_ignores_are_refused():
    plan = _with(decide(camvid(), CPU), "loss", name="lovasz", settings=loss_sums.settings("lovasz"))
    with pytest.raises(SettingError, match="weights.rule=sqrt_inverse has no effect on loss.name=lovasz"):
        checked(plan, classes=11)


def test_overlapping_shares_need_not_add_up_but_exclusive_ones_do():
    plan = decide(overlaps(), CPU)
    assert checked(plan, classes=3) is plan
    exclusive = msgspec.structs.replace(_with(plan, "inference", decision="argmax"), overlapping=False)
    with pytest.raises(SettingError, match="adds up to 0.57"):
        checked(exclusive, classes=3)
    typed = _decide(camvid(), initialisation__prior=",".join(["0.09"] * 11))
    assert typed.initialisation.prior == (0.09,) * 11


def test_the_plan_is_json_that_a_human_can_edit():
    content = json.loads(encode(decide(roads(), CPU)))
    assert content["optimizer"]["learning_rate"] > 0
    content["optimizer"]["learning_rate"] = 1
    edited = decode(json.dumps(content).encode(), Plan, "plan.json")
    assert checked(edited, classes=2).optimizer.learning_rate == 1.0
