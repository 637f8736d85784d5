"""Every loss, with every setting, against a float64 reference that was written apart from it."""

import pytest
import torch
from tests.references.losses.cases import EACH, PIXELWISE, WEIGHTS, example, gradient, loss, reference, size
from tests.references.losses.variants import variants

from rareseg.errors import DataError

ALL = [(name, kind, variant) for name, kind in EACH for variant in variants(name, kind)]
NAMED = ["-".join(case) for case in ALL]
every_variant = pytest.mark.parametrize(("name", "kind", "variant"), ALL, ids=NAMED)
every_loss = pytest.mark.parametrize(("name", "kind"), EACH)


def prepared(name, kind, variant, **how):
    own = variants(name, kind)[variant]
    return loss(name, kind, **own), reference(name, kind, **own), *example(kind, shape=size(name), **how)


@every_variant
def test_equals_the_reference(name, kind, variant):
    found, expected, logits, labels = prepared(name, kind, variant)
    value = found(logits, labels)
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected(logits, labels), rel=1e-9, abs=1e-12)


@every_loss
def test_equals_the_reference_where_every_pixel_counts(name, kind):
    found, expected, logits, labels = prepared(name, kind, "default", void=False)
    assert found(logits, labels).item() == pytest.approx(expected(logits, labels), rel=1e-9, abs=1e-12)


@every_variant
def test_float32_has_the_value_and_gradient_of_float64(name, kind, variant):
    found, _, logits, labels = prepared(name, kind, variant, seed=1)
    single = logits.detach().float().requires_grad_()
    value, exact = found(single, labels), found(logits, labels)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-4, abs=1e-6)
    slope, truth = gradient(value, single), gradient(exact, logits)
    assert slope.dtype == torch.float32
    torch.testing.assert_close(slope.double(), truth, rtol=1e-3, atol=1e-4 * truth.abs().max().item())


@every_variant
def test_gradient_equals_finite_differences(name, kind, variant):
    found, _, logits, labels = prepared(name, kind, variant, seed=2)
    assert torch.autograd.gradcheck(lambda scores: found(scores, labels), (logits,), fast_mode=True)


@every_loss
def test_each_entry_of_the_gradient_equals_its_finite_difference(name, kind):
    logits, labels = example(kind, shape=(3, 4), images=1, seed=3)
    found = loss(name, kind, **({"pool": 1, "radius": 2} if name == "rmi" else {}))
    assert torch.autograd.gradcheck(lambda scores: found(scores, labels), (logits,))


@every_loss
def test_a_pixel_that_is_not_valid_counts_like_a_void_one(name, kind):
    found, expected, logits, labels = prepared(name, kind, "default", void=False)
    valid = torch.rand(labels.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    value = found(logits, labels, valid=valid)
    assert value.item() == pytest.approx(expected(logits, labels, valid=valid.numpy()), rel=1e-9, abs=1e-12)
    void = torch.where(valid, labels, 255)
    torch.testing.assert_close(value, found(logits, void))
    torch.testing.assert_close(gradient(value, logits), gradient(found(logits, void), logits))


@every_loss
def test_another_number_may_mean_void(name, kind):
    found, expected, logits, labels = prepared(name, kind, "default")
    renamed = torch.where(labels == 255, 77, labels)
    value = found(logits, renamed, ignore_index=77)
    torch.testing.assert_close(value, found(logits, labels))
    assert value.item() == pytest.approx(expected(logits, renamed, ignore_index=77), rel=1e-9, abs=1e-12)
    with pytest.raises(DataError, match="found 77 on"):
        found(logits, renamed)


@pytest.mark.parametrize(("name", "kind"), [case for case in EACH if case[0] in PIXELWISE])
def test_void_may_be_a_class_of_its_own_that_is_left_out(name, kind):
    # ignore_index 0: the background is not asked about.
    logits, labels = example(kind, void=False)
    value = loss(name, kind)(logits, labels, ignore_index=0)
    expected = reference(name, kind)(logits, labels, ignore_index=0)
    assert value.item() == pytest.approx(expected, rel=1e-9)


def test_class_weights_change_every_loss_that_takes_them():
    for name, kind in EACH:
        if kind != "one" and "weighted" in variants(name, kind):
            logits, labels = example(kind)
            weighted = loss(name, kind, weights=WEIGHTS[kind])(logits, labels).item()
            assert weighted != pytest.approx(loss(name, kind)(logits, labels).item(), rel=1e-3), (name, kind)
