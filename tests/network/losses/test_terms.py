"""Sums of losses in one pass: what they add up to, in which order the pixels are taken, and what they keep."""

import importlib
import inspect

import pytest
import torch
from torch.autograd import gradcheck

from rareseg.errors import DataError, SettingError
from rareseg.network.losses import block
from rareseg.network.losses.catalogue import _TERMS
from rareseg.network.losses.compound import combo_terms, unified_focal_terms
from rareseg.network.losses.hard import ohem_terms, top_k_terms
from rareseg.network.losses.one_pass import surprises
from rareseg.network.losses.overlap import (
    dice_terms,
    focal_tversky_terms,
    generalised_dice_terms,
    jaccard_terms,
    tversky_terms,
)
from rareseg.network.losses.pixelwise import cross_entropy, cross_entropy_terms, focal_terms
from rareseg.network.losses.shifted import balanced_softmax_terms, ldam_terms, logit_adjusted_terms
from rareseg.network.losses.targets import read
from rareseg.network.losses.terms import total
from rareseg.remedies.catalogue import find

KINDS = {"one": (1, False), "two": (2, False), "four": (4, False), "overlapping": (3, True)}
every_kind = pytest.mark.parametrize("kind", KINDS)


def example(kind, *, shape=(5, 7), images=3, void=True, dtype=torch.float64):
    classes, overlapping = KINDS[kind]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((images, classes, *shape), generator=generator, dtype=torch.float64)
    values = 2**classes if overlapping or classes == 1 else classes
    labels = torch.randint(0, values, (images, *shape), generator=generator)
    if void:
        labels[torch.rand(labels.shape, generator=generator) < 0.2] = 255
    return logits.to(dtype), labels


def mixed(kind):
    """Terms of every sort."""
    classes, _ = KINDS[kind]
    return [
        (1.0, cross_entropy_terms(weights=[0.5 + number for number in range(classes)])),
        (0.3, focal_terms(gamma=0.5, alpha=[0.3] * classes)),
        (0.2, cross_entropy_terms(smoothing=0.1)),
        (0.5, dice_terms(squared=True)),
        (0.7, focal_tversky_terms(per_image=True)),
        (0.4, unified_focal_terms()),
        (0.6, top_k_terms(share=0.3)),
    ]


def answer(parts, kind, logits, labels, **settings):
    leaf = logits.detach().requires_grad_()
    value = total(parts, leaf, labels, overlapping=KINDS[kind][1], **settings)
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@every_kind
def test_a_sum_is_the_sum_of_its_losses(kind):
    logits, labels = example(kind)
    value, slope = answer(mixed(kind), kind, logits, labels)
    apart = [answer([(1.0, terms)], kind, logits, labels) for _, terms in mixed(kind)]
    weights = [weight for weight, _ in mixed(kind)]
    torch.testing.assert_close(value, sum(w * part[0] for w, part in zip(weights, apart, strict=True)))
    torch.testing.assert_close(slope, sum(w * part[1] for w, part in zip(weights, apart, strict=True)))


@every_kind
@pytest.mark.parametrize("most", [1, 9, 40, 150])
def test_blocks_of_any_size_give_the_same(kind, most, monkeypatch):
    logits, labels = example(kind)
    expected = answer(mixed(kind), kind, logits, labels)
    monkeypatch.setattr(block, "BLOCK", most)
    monkeypatch.setattr(block, "QUESTIONS", most)
    torch.testing.assert_close(answer(mixed(kind), kind, logits, labels), expected)


@every_kind
def test_classes_that_lie_side_by_side_give_the_same(kind):
    logits, labels = example(kind)
    beside = logits.contiguous(memory_format=torch.channels_last)
    value, slope = answer(mixed(kind), kind, beside, labels)
    torch.testing.assert_close((value, slope), answer(mixed(kind), kind, logits, labels))
    fused = answer([(1.0, dice_terms())], kind, beside, labels)[1]
    assert fused.is_contiguous(memory_format=torch.channels_last)


@every_kind
def test_a_part_of_a_larger_tensor_gives_the_same(kind):
    logits, labels = example(kind)
    cut = answer(mixed(kind), kind, logits[:, :, :4].transpose(2, 3), labels[:, :4].transpose(1, 2))
    whole = answer(mixed(kind), kind, logits[:, :, :4].clone(), labels[:, :4].clone())
    torch.testing.assert_close((cut[0], cut[1].transpose(2, 3)), whole)


@every_kind
def test_half_precision_is_rounded_once(kind):
    logits, labels = example(kind)
    half = logits.bfloat16()
    value, slope = answer(mixed(kind), kind, half, labels)
    expected = answer(mixed(kind), kind, half.float(), labels)
    assert (value.dtype, slope.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(value, expected[0])
    torch.testing.assert_close(slope.float(), expected[1], rtol=2**-8, atol=1e-6)


@every_kind
def test_a_graph_can_be_gone_back_through_again(kind):
    logits, labels = example(kind)
    leaf = logits.requires_grad_()
    value = total(mixed(kind), leaf, labels, overlapping=KINDS[kind][1])
    value.backward(retain_graph=True)
    once = leaf.grad.clone()
    value.backward(retain_graph=True)
    torch.testing.assert_close(leaf.grad, 2 * once)
    (third,) = torch.autograd.grad(3 * value, leaf)
    torch.testing.assert_close(third, 3 * once)


@every_kind
def test_without_a_gradient_the_value_is_the_same(kind):
    logits, labels = example(kind)
    expected, _ = answer(mixed(kind), kind, logits, labels)
    with torch.no_grad():
        torch.testing.assert_close(total(mixed(kind), logits, labels, overlapping=KINDS[kind][1]), expected)


@every_kind
def test_autocast_changes_nothing(kind):
    logits, labels = example(kind, dtype=torch.float32)
    expected = answer(mixed(kind), kind, logits, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(answer(mixed(kind), kind, logits, labels), expected)


@every_kind
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_labels_of_any_integer_type(kind, dtype):
    logits, labels = example(kind)
    expected = answer(mixed(kind), kind, logits, labels)
    torch.testing.assert_close(answer(mixed(kind), kind, logits, labels.to(dtype)), expected)


@every_kind
def test_pixels_that_are_not_valid_are_left_out_whatever_they_hold(kind):
    logits, labels = example(kind, void=False)
    valid = torch.rand(labels.shape, generator=torch.Generator().manual_seed(1)) < 0.7
    expected = answer(mixed(kind), kind, logits, labels.masked_fill(~valid, 255))
    for stray in (0, 9):
        found = answer(mixed(kind), kind, logits, labels.masked_fill(~valid, stray), valid=valid)
        torch.testing.assert_close(found, expected)


@every_kind
@pytest.mark.parametrize("ignored", [0, -100, 1000])
def test_any_label_can_mean_not_counted(kind, ignored):
    logits, labels = example(kind)
    expected = answer(mixed(kind), kind, logits, labels.masked_fill(labels == ignored, 255))
    named = labels.masked_fill(labels == 255, ignored)
    torch.testing.assert_close(answer(mixed(kind), kind, logits, named, ignore_index=ignored), expected)


@every_kind
def test_surprise_is_nought_with_no_slope_where_not_counted(kind):
    logits, labels = example(kind)
    classes, overlapping = KINDS[kind]
    leaf = logits.requires_grad_()
    found = surprises(leaf, read(labels, classes, overlapping=overlapping))
    (slope,) = torch.autograd.grad(found.sum(), leaf)
    void = (labels == 255).flatten(1)
    assert not (found * (void if found.ndim == 2 else void.unsqueeze(1))).any()
    assert not (slope.flatten(2) * void.unsqueeze(1)).any()
    assert (slope.flatten(2).abs().sum(dim=1)[~void] > 0).all()


def test_a_number_that_labels_cannot_hold_marks_no_pixel():
    logits, labels = example("two", void=False)
    with pytest.raises(DataError, match="found 156 on 35 pixels"):
        cross_entropy(logits[:1], torch.full((1, 5, 7), 156, dtype=torch.uint8), ignore_index=-100)
    value = cross_entropy(logits, labels.to(torch.uint8), ignore_index=-100)
    torch.testing.assert_close(value, cross_entropy(logits, labels))


def test_a_weight_of_nought_leaves_a_loss_out():
    logits, labels = example("four")
    unusable = cross_entropy_terms(weights=(1.0,))
    value, _ = answer([(1.0, dice_terms()), (0.0, unusable)], "four", logits, labels)
    torch.testing.assert_close(value, answer([(1.0, dice_terms())], "four", logits, labels)[0])
    with pytest.raises(SettingError, match="4 class weights"):
        answer([(1.0, dice_terms()), (0.1, unusable)], "four", logits, labels)


def test_no_loss_at_all_is_nought_with_a_gradient_of_nought():
    logits, labels = example("two")
    value, slope = answer([(0.0, dice_terms())], "two", logits, labels)
    assert value == 0
    assert not slope.any()


@pytest.mark.parametrize("stray", [-1, 256, -256, 300])
def test_labels_that_would_wrap_round_in_8_bits_are_refused(stray):
    logits, labels = example("one", void=False)
    labels[0, 0, 0] = stray
    with pytest.raises(
        DataError, match=f"answers 0..1 or 255 .*as there are 1 class; found {stray} on 1 pix"
    ):
        total([(1.0, cross_entropy_terms())], logits, labels)


EACH = {
    "cross_entropy": lambda k: cross_entropy_terms(weights=[1.0 + number for number in range(k)]),
    "smoothed": lambda k: cross_entropy_terms(smoothing=0.2, weights=[1.0 + number for number in range(k)]),
    "focal": lambda k: focal_terms(alpha=[0.7] * k),
    "focal 0.5": lambda k: focal_terms(gamma=0.5),
    "focal 1.5": lambda k: focal_terms(gamma=1.5, weights=[2.0] * k),
    "dice": lambda k: dice_terms(),
    "dice squared": lambda k: dice_terms(squared=True, per_image=True),
    "jaccard": lambda k: jaccard_terms(),
    "jaccard squared": lambda k: jaccard_terms(squared=True, classes=(k - 1,)),
    "generalised_dice": lambda k: generalised_dice_terms(),
    "tversky": lambda k: tversky_terms(),
    "focal_tversky": lambda k: focal_tversky_terms(per_image=True),
    "combo": lambda k: combo_terms(false_negative_weight=0.8),
    "unified_focal": lambda k: unified_focal_terms(),
    "unified_focal symmetric": lambda k: unified_focal_terms(asymmetric=False, gamma=0.3),
    "top_k": lambda k: top_k_terms(share=0.4, weights=[1.0 + number for number in range(k)]),
    "ohem": lambda k: ohem_terms(threshold=0.3),
    "logit_adjusted": lambda k: logit_adjusted_terms(shares=[0.8 / k] * k, temperature=0.5),
    "ldam": lambda k: ldam_terms(shares=[0.1 + 0.8 * number / k for number in range(k)], scale=2.0),
    "balanced_softmax": lambda k: balanced_softmax_terms(shares=[0.1 + 0.8 * n / k for n in range(k)]),
}


@every_kind
@pytest.mark.parametrize("name", EACH)
def test_gradients_are_those_of_differences(kind, name):
    if name == "balanced_softmax" and kind in {"one", "overlapping"}:
        return
    logits, labels = example(kind, shape=(3, 4), images=2)
    parts = [(1.0, EACH[name](KINDS[kind][0]))]
    overlapping = KINDS[kind][1]
    leaf = logits.requires_grad_()
    assert gradcheck(lambda given: total(parts, given, labels, overlapping=overlapping), leaf)


@pytest.mark.parametrize("kind", ["one", "two", "four"])
def test_large_batches_lose_no_digits(kind):
    # Sums of a million equal numbers one after the other would be off by a thousandth in float32.
    classes = KINDS[kind][0]
    logits = torch.full((2, classes, 512, 512), 0.0)
    logits[:, -1] = -2.0
    labels = torch.zeros((2, 512, 512), dtype=torch.int64)
    # Without smoothing, which would weigh less the more pixels there are.
    plain = [(1.0, cross_entropy_terms()), (1.0, dice_terms(smoothing=0.0)), (1.0, focal_terms())]
    exact = total(plain, logits[:, :, :1, :1].double(), labels[:, :1, :1]).item()
    assert total(plain, logits, labels).item() == pytest.approx(exact, rel=1e-6)


MODULES = ("overlap_terms", "compound", "hard", "overlap", "pixelwise", "shifted")


def _pairs():
    """Each loss of the package beside the function that returns its terms."""
    found = {}
    for module in MODULES:
        found |= vars(importlib.import_module(f"rareseg.network.losses.{module}"))
    names = [name.removesuffix("_terms") for name in found if name.endswith("_terms")]
    return [
        (found[name], found[f"{name}_terms"]) for name in sorted(names) if inspect.isfunction(found.get(name))
    ]


def test_every_loss_of_terms_is_looked_at():
    assert {function.__name__ for function, _ in _pairs()} >= {
        "dice",
        "focal",
        "combo",
        "ldam",
        "top_k",
        "focal_tversky",
    }


@pytest.mark.parametrize(("function", "terms"), _pairs(), ids=lambda one: one.__name__)
def test_terms_have_the_defaults_of_their_loss(function, terms):
    of_loss = inspect.signature(function).parameters
    for name, parameter in inspect.signature(terms).parameters.items():
        assert parameter.default == of_loss[name].default, name


OUT_OF_RANGE = [
    (name, setting.name, value)
    for name in _TERMS
    for setting in find(name).settings
    for value in (setting.low - 1, setting.high + 1, setting.low if setting.open_low else setting.low - 2)
    # Functions take more than plans where a setting has no natural end.
    if setting.kind in ("number", "whole number") and setting.name != "ramp" and value < 3
]


@pytest.mark.parametrize(("name", "setting", "value"), OUT_OF_RANGE)
def test_terms_refuse_settings_before_they_see_an_image(name, setting, value):
    own = {"shares": (0.9, 0.1)} if "shares" in inspect.signature(_TERMS[name]).parameters else {}
    with pytest.raises(SettingError, match=setting):
        _TERMS[name](**{setting: value}, **own)


def test_terms_refuse_classes_and_weights_before_they_see_an_image():
    for terms in (dice_terms, jaccard_terms, generalised_dice_terms, tversky_terms, focal_tversky_terms):
        with pytest.raises(SettingError, match="classes"):
            terms(classes=(1, 1))
    for terms in (tversky_terms, focal_tversky_terms):
        with pytest.raises(SettingError, match="not both 0"):
            terms(false_positive_weight=0.0, false_negative_weight=0.0)
    with pytest.raises(SettingError, match="background"):
        unified_focal_terms(background=-1)
