"""Every loss at the edges: nothing to count, one pixel, certainty, half precision, odd memory."""

import pytest
import torch
from tests.references.losses.cases import (
    EACH,
    KINDS,
    VOID,
    WEIGHTED,
    example,
    gradient,
    loss,
    reference,
    size,
)
from tests.references.losses.variants import variants

from rareseg.errors import DataError, SettingError

every_loss = pytest.mark.parametrize(("name", "kind"), EACH)
halves = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])


def check_finite(name, kind, logits, labels, **more):
    logits = logits.detach().requires_grad_()
    value = loss(name, kind, **more)(logits, labels)
    slope = gradient(value, logits)
    assert value.isfinite(), value
    assert slope.isfinite().all()
    assert slope.dtype == logits.dtype
    assert slope.shape == logits.shape
    return value, slope


def claiming(labels, kind, strength, dtype=torch.float32):
    """Logits of +strength where the label says so, else -strength: the right answer, that surely."""
    classes, overlapping = KINDS[kind]
    numbers = torch.arange(classes).view(1, -1, 1, 1)
    spread = labels.unsqueeze(1)
    if classes == 1:
        numbers = 1
    holds = (spread >> numbers) & 1 == 1 if overlapping else spread == numbers
    return torch.where(holds, strength, -strength).to(dtype)


@every_loss
def test_classes_that_the_batch_lacks(name, kind):
    _, labels = example(kind, shape=size(name))
    nothing = torch.where(labels == VOID, VOID, 0)
    for strength in (0.0, 3.0, -3.0, 30.0):
        check_finite(name, kind, torch.full((2, KINDS[kind].classes, *size(name)), strength), nothing)
        check_finite(name, kind, claiming(nothing, kind, strength), nothing)


@pytest.mark.parametrize(
    ("name", "kind", "variant"),
    [(name, kind, variant) for name, kind in EACH for variant in variants(name, kind)],
)
def test_a_batch_without_a_counted_pixel_is_zero_with_zero_gradient(name, kind, variant):
    own = variants(name, kind)[variant]
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        logits, labels = example(kind, shape=size(name), dtype=dtype)
        for given in ({}, {"valid": torch.zeros_like(labels, dtype=torch.bool)}):
            nothing = labels if given else torch.full_like(labels, VOID)
            value, slope = check_finite(name, kind, logits, nothing, **given, **own)
            assert value.item() == 0
            assert not slope.any()


@every_loss
@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32], ids=["fp16", "bf16", "fp32"]
)
def test_nothing_counts_however_sure_the_map_is(name, kind, dtype):
    # The sum of a few such logits is beyond fp16, and infinity times 0 is not a number.
    _, labels = example(kind, shape=size(name))
    for strength in (6e4, -6e4):
        logits = torch.full((2, KINDS[kind].classes, *size(name)), strength, dtype=dtype)
        value, slope = check_finite(name, kind, logits, torch.full_like(labels, VOID))
        assert value.item() == 0
        assert not slope.any()


@every_loss
def test_an_image_without_a_counted_pixel_beside_a_full_one(name, kind):
    logits, labels = example(kind, shape=size(name))
    labels[0] = VOID
    value, slope = check_finite(name, kind, logits, labels)
    assert not slope[0].any()
    assert slope[1].any()
    assert value.item() == pytest.approx(reference(name, kind)(logits, labels), rel=1e-9)


@every_loss
def test_one_pixel(name, kind):
    for score in (-40.0, -0.7, 0.0, 2.0, 40.0):
        logits = score * torch.linspace(1, 2, KINDS[kind].classes).view(1, -1, 1, 1).double()
        for label in (0, 1):
            labels = torch.tensor([[[label]]])
            if name == "rmi":
                with pytest.raises(SettingError, match="pool"):
                    loss(name, kind)(logits, labels)
                continue
            value, _ = check_finite(name, kind, logits, labels)
            # 1 - index of nearly nothing has few digits left, and a root of it half of them.
            assert value.item() == pytest.approx(reference(name, kind)(logits, labels), rel=1e-6, abs=1e-12)


@every_loss
@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 2)], ids=["a row", "a column", "four pixels"])
def test_narrow_images(name, kind, shape):
    logits, labels = example(kind, shape=shape)
    if name == "rmi":
        with pytest.raises(SettingError, match="pool"):
            loss(name, kind)(logits, labels)
        return
    value, _ = check_finite(name, kind, logits, labels)
    assert value.item() == pytest.approx(reference(name, kind)(logits, labels), rel=1e-9)


@every_loss
@pytest.mark.parametrize("strength", [13.8, 100.0, 1e4], ids=["p 1e-12", "100", "1e4"])
def test_certainty(name, kind, strength):
    # +-13.8 apart by 27.6 is a softmax probability of 1e-12 for two classes.
    _, labels = example(kind, shape=size(name))
    shown = torch.where(labels == VOID, 0, labels)
    for sign in (1, -1):
        for dtype in (torch.float32, torch.float64):
            check_finite(name, kind, claiming(shown, kind, sign * strength, dtype), labels)
    partly, _ = example(kind, shape=size(name), dtype=torch.float32)
    check_finite(name, kind, partly * strength, labels)


@every_loss
def test_a_probability_of_1e_12_keeps_its_digits(name, kind):
    logits, labels = example(kind, shape=size(name))
    logits = (
        logits.detach() + claiming(torch.where(labels == VOID, 0, labels), kind, -14.0)
    ).requires_grad_()
    value, _ = check_finite(name, kind, logits.detach().float(), labels)
    assert value.item() == pytest.approx(reference(name, kind)(logits, labels), rel=1e-4)


@every_loss
@halves
def test_half_precision_is_computed_in_float32(name, kind, dtype):
    logits, labels = example(kind, shape=size(name), dtype=dtype)
    value, slope = check_finite(name, kind, logits, labels)
    full = logits.detach().float().requires_grad_()
    expected = loss(name, kind)(full, labels)
    assert value.dtype == torch.float32
    assert value.item() == expected.item()
    # The steepest entry of a gradient in half precision has 8 (bf16) or 11 bits.
    truth = gradient(expected, full)
    torch.testing.assert_close(slope.float(), truth, rtol=1e-2, atol=1e-2 * truth.abs().max().item())


@every_loss
@halves
def test_extreme_logits_in_half_precision(name, kind, dtype):
    _, labels = example(kind, shape=size(name))
    shown = torch.where(labels == VOID, 0, labels)
    for strength in (1e4, -1e4):
        check_finite(name, kind, claiming(shown, kind, strength, dtype), labels)


@every_loss
def test_memory_layout_does_not_matter(name, kind):
    logits, labels = example(kind, shape=size(name), dtype=torch.float32)
    expected = loss(name, kind)(logits, labels)
    slope = gradient(expected, logits)
    wide = torch.stack([logits.detach()] * 2, dim=-1)
    layouts = {
        "channels last": logits.detach().to(memory_format=torch.channels_last),
        "strided": wide[..., 1],
        "turned": logits.detach().transpose(2, 3).contiguous().transpose(2, 3),
        "channels within": logits.detach().repeat(1, 2, 1, 1)[:, : logits.shape[1]],
    }
    for layout in layouts.values():
        turned = layout.requires_grad_()
        value = loss(name, kind)(turned, labels)
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(gradient(value, turned), slope, rtol=1e-4, atol=1e-7)
    turned = labels.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(loss(name, kind)(logits, turned), expected)


@every_loss
def test_the_integer_type_of_labels_does_not_matter(name, kind):
    logits, labels = example(kind, shape=size(name))
    expected = loss(name, kind)(logits, labels)
    slope = gradient(expected, logits)
    for dtype in (torch.uint8, torch.int16, torch.int32):
        value = loss(name, kind)(logits, labels.to(dtype))
        assert value.item() == expected.item()
        torch.testing.assert_close(gradient(value, logits), slope, rtol=0, atol=0)


@every_loss
def test_no_image_is_an_error_or_nothing(name, kind):
    logits = torch.zeros((0, KINDS[kind].classes, *size(name)), requires_grad=True)
    labels = torch.zeros((0, *size(name)), dtype=torch.int64)
    try:
        value = loss(name, kind)(logits, labels)
    except (DataError, SettingError) as error:
        assert "image" in str(error) or "batch" in str(error)
    else:
        assert value.item() == 0
        assert gradient(value, logits).shape == logits.shape


@every_loss
def test_inputs_stay_as_they_are_and_the_gradient_can_be_taken_twice(name, kind):
    logits, labels = example(kind, shape=size(name), dtype=torch.float32)
    before, answers = logits.detach().clone(), labels.clone()
    value = loss(name, kind)(logits, labels)
    (first,) = torch.autograd.grad(value, logits, retain_graph=True)
    kept = first.clone()
    (second,) = torch.autograd.grad(3 * value, logits)
    torch.testing.assert_close(first, kept, rtol=0, atol=0)
    torch.testing.assert_close(second, 3 * kept, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(logits.detach(), before, rtol=0, atol=0)
    torch.testing.assert_close(labels, answers, rtol=0, atol=0)


@every_loss
def test_without_a_gradient_the_value_is_the_same(name, kind):
    logits, labels = example(kind, shape=size(name), dtype=torch.float32)
    with torch.no_grad():
        value = loss(name, kind)(logits, labels)
    assert not value.requires_grad
    assert value.item() == loss(name, kind)(logits, labels).item()


@pytest.mark.parametrize(("name", "kind"), [case for case in EACH if case[1] in {"five", "one"}])
def test_large_images_lose_no_digits(name, kind):
    # 3 images of 250 x 270 px: more than one working set of a processor's cache, and not a multiple of anything.
    logits, labels = example(kind, shape=(250, 270), images=3, dtype=torch.float32)
    own = {"iterations": 1} if name == "cldice" else {}
    value, slope = check_finite(name, kind, logits, labels, **own)
    truth, slope_truth = check_finite(name, kind, logits.detach().double(), labels, **own)
    assert value.item() == pytest.approx(truth.item(), rel=1e-5)
    far = (slope - slope_truth).abs()
    # A sort in float32 may swap pixels whose errors differ by less than float32 tells.
    assert far.mean() < 1e-4 * slope_truth.abs().mean()


@pytest.mark.parametrize(("pool", "radius"), [(4, 3), (1, 2), (3, 1)])
def test_the_smallest_image_that_holds_one_neighbourhood(pool, radius):
    # Pooled sides are rounded up: pool * (radius - 1) + 1 px give `radius` averages.
    least = pool * (radius - 1) + 1
    logits, labels = example("one", shape=(least, least))
    own = {"pool": pool, "radius": radius}
    value, _ = check_finite("rmi", "one", logits, labels, **own)
    assert value.item() == pytest.approx(reference("rmi", "one", **own)(logits, labels), rel=1e-9)
    if least > 1:
        with pytest.raises(SettingError, match="pool"):
            loss("rmi", "one", **own)(logits[:, :, 1:], labels[:, 1:])


@pytest.mark.parametrize("name", WEIGHTED)
def test_pixels_that_all_weigh_nothing_are_zero_with_zero_gradient(name):
    logits, labels = example("two")
    nothing = torch.where(labels == VOID, VOID, 0)
    value, slope = check_finite(name, "two", logits, nothing, weights=(0.0, 1.0))
    assert value.item() == 0
    assert not slope.any()


def test_smoothing_where_no_label_weighs_is_finite():
    logits, labels = example("two")
    nothing = torch.where(labels == VOID, VOID, 0)
    check_finite("cross_entropy", "two", logits, nothing, weights=(0.0, 1.0), smoothing=0.2)


@every_loss
@pytest.mark.parametrize(
    "shape", [(2, 0, 16), (2, 16, 0), (0, 16, 16)], ids=["no rows", "no columns", "no images"]
)
def test_a_batch_without_a_pixel_is_zero(name, kind, shape):
    logits = torch.zeros((shape[0], KINDS[kind].classes, *shape[1:]), requires_grad=True)
    labels = torch.zeros(shape, dtype=torch.int64)
    if name == "rmi" and 0 in shape[1:]:
        with pytest.raises(SettingError, match="Expected images of at least"):
            loss(name, kind)(logits, labels)
        return
    assert loss(name, kind)(logits, labels).item() == 0


@every_loss
@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64], ids=str)
def test_labels_of_every_unsigned_dtype(name, kind, dtype):
    logits, labels = example(kind, shape=size(name))
    expected = loss(name, kind)(logits, labels)
    assert loss(name, kind)(logits, labels.to(dtype)).item() == expected.item()


SQUARED = {"squared": True}
OVERLAPS = ["dice", "jaccard", "tversky", "generalised_dice", "focal_tversky", "combo"]


@pytest.mark.parametrize(
    ("name", "own"),
    [*((name, {}) for name in OVERLAPS), ("dice", SQUARED), ("jaccard", SQUARED)],
    ids=[*OVERLAPS, "dice squared", "jaccard squared"],
)
@pytest.mark.parametrize("kind", ["one", "overlapping", "two"])
@pytest.mark.parametrize("score", [-30.0, -17.0, 17.0, 30.0])
def test_a_pixel_that_is_surely_wrong_keeps_the_digits_of_its_gradient(name, own, kind, score):
    """Float32 rounds 1 - 4e-8 to 1: what is left of a missed pixel must not be taken from there."""
    labels = torch.full((1, 8, 8), 1 if kind != "overlapping" else 3)
    labels[0, 0, 0] = 0 if score > 0 else labels[0, 0, 0]
    scores = torch.zeros((1, KINDS[kind].classes, 8, 8))
    scores[:, -1] = score
    slopes = []
    for given in (scores, scores.double()):
        logits = given.requires_grad_()
        slopes.append(gradient(loss(name, kind, **own)(logits, labels), logits).double())
    assert slopes[1][:, -1].all()
    # Squared, the slope by p is the difference of two others.
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-3 if own else 1e-5, atol=0)


@pytest.mark.parametrize("kind", ["two", "one"])
@pytest.mark.parametrize("name", ["cross_entropy", "focal", "dice", "tversky", "top_k", "combo"])
def test_an_infinite_logit_is_certainty(name, kind):
    """As torch's own cross_entropy has it: a class at -inf has chance 0, and the right answer costs nothing."""
    labels = torch.zeros((1, 4, 4), dtype=torch.int64)
    logits = torch.zeros((1, KINDS[kind].classes, 4, 4))
    logits[:, -1] = -torch.inf
    value, _ = check_finite(name, kind, logits, labels)
    assert value.item() == 0
    labels[0, 0, 0] = 1
    assert not loss(name, kind)(logits, labels).isnan()
