import math

import numpy as np
import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.losses.regions import rmi
from rareseg.records.dataset import VOID

RIDGE = 5e-4


def example(shape=(24, 28), *, classes=1, images=2, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn((images, classes, *shape), generator=generator, dtype=dtype)
    return logits, torch.randint(0, max(classes, 2), (images, *shape), generator=generator)


def sure(labels, strength=30.0):
    return torch.where(labels == 1, strength, -strength).unsqueeze(1).double()


def plane_by_hand(chance, truth, radius, pool):
    """One class of one image, as the paper writes it: with an inverse and a determinant."""
    rows, columns = (side // pool for side in chance.shape)
    pooled = [
        plane[: rows * pool, : columns * pool].reshape(rows, pool, columns, pool).mean(axis=(1, 3))
        for plane in (chance, truth)
    ]
    p, y = (
        np.array(
            [
                plane[row : row + radius, column : column + radius].ravel()
                for row in range(rows - radius + 1)
                for column in range(columns - radius + 1)
            ]
        ).T
        for plane in pooled
    )
    p, y = p - p.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    ridge = RIDGE * np.eye(radius**2)
    left = y @ y.T - y @ p.T @ np.linalg.inv(p @ p.T + ridge) @ p @ y.T + ridge
    return np.linalg.slogdet(left)[1] / 2 / radius**2


@pytest.mark.parametrize(("radius", "pool"), [(1, 1), (2, 1), (3, 4), (2, 3), (3, 1)])
def test_as_the_paper_writes_it(radius, pool):
    logits, labels = example((24, 36))
    expected = [
        plane_by_hand(chance[0].sigmoid().numpy(), truth.double().numpy(), radius, pool)
        for chance, truth in zip(logits, labels, strict=True)
    ]
    assert rmi(logits, labels, radius=radius, pool=pool).item() == pytest.approx(np.mean(expected), rel=1e-9)


def test_one_average_by_hand():
    # radius 1, pool 1, two pixels: deviations +-1/2 of the mask and +-d of the map.
    labels = torch.tensor([[[1, 0]]])
    logits = torch.logit(torch.tensor([[[[0.9, 0.4]]]], dtype=torch.float64))
    own, shared, truth = 2 * 0.25**2, 2 * 0.25 * 0.5, 2 * 0.5**2
    left = truth - shared**2 / (own + RIDGE) + RIDGE
    assert rmi(logits, labels, radius=1, pool=1).item() == pytest.approx(math.log(left) / 2, rel=1e-12)


def test_classes_add_up_and_exclusive_ones_have_the_softmax():
    logits, labels = example(classes=3)
    chance = logits.softmax(dim=1)
    alone = [
        rmi(torch.logit(chance[:, label : label + 1]), (labels == label).long()).item() for label in range(3)
    ]
    assert rmi(logits, labels).item() == pytest.approx(sum(alone), rel=1e-9)
    bits = 1 << labels
    alone = [rmi(logits[:, label : label + 1], (labels == label).long()).item() for label in range(3)]
    assert rmi(logits, bits, overlapping=True).item() == pytest.approx(sum(alone), rel=1e-9)


def test_the_right_map_leaves_least_unknown():
    _, labels = example()
    labels = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)
    noise, _ = example(tuple(labels.shape[1:]))
    values = [
        rmi(share * sure(labels, 4.0) + (1 - share) * noise, labels).item() for share in (0, 0.3, 0.7, 1)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] >= math.log(RIDGE) / 2


def test_it_cannot_tell_a_map_from_its_negative():
    logits, labels = example()
    assert rmi(-logits, labels).item() == pytest.approx(rmi(logits, labels).item(), rel=1e-9)


def test_edges_that_pool_does_not_divide_are_looked_at():
    logits, labels = example((22, 25))
    logits.requires_grad_()
    rmi(logits, labels).backward()
    assert (logits.grad[..., -1] != 0).all()
    assert (logits.grad[..., -1, :] != 0).all()
    padded = torch.full((2, 24, 28), VOID)
    padded[:, :22, :25] = labels
    shown = torch.zeros((2, 1, 24, 28), dtype=torch.float64)
    shown[:, :, :22, :25] = logits.detach()
    assert rmi(shown, padded).item() == pytest.approx(rmi(logits, labels).item(), rel=1e-12)


def test_an_image_of_void_is_no_part_of_the_mean():
    logits, labels = example()
    alone = rmi(logits[:1], labels[:1]).item()
    labels[1] = VOID
    assert rmi(logits, labels).item() == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("classes", [1, 2])
def test_gradcheck(classes):
    logits, labels = example((7, 9), classes=classes)
    labels[0, :2, :3] = VOID
    assert torch.autograd.gradcheck(
        lambda scores: rmi(scores, labels, radius=2, pool=2), logits.requires_grad_()
    )


@pytest.mark.parametrize("strength", [0.0, 30.0, -30.0, 1e4])
def test_maps_without_variance_are_finite(strength):
    _, labels = example()
    logits = torch.full((2, 1, 24, 28), strength, requires_grad=True)
    value = rmi(logits, labels)
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


def test_the_smallest_image_that_fits():
    assert rmi(*example((9, 40))).isfinite()
    with pytest.raises(SettingError, match=r"at least 9 px.*received 8x40 px.*pool=3\."):
        rmi(*example((8, 40)))
    assert rmi(*example((8, 40)), pool=3).isfinite()
    with pytest.raises(SettingError, match=r"received 40x2 px.*radius=2 and pool=1\."):
        rmi(*example((40, 2)))
    assert rmi(*example((40, 2)), radius=2, pool=1).isfinite()


@pytest.mark.parametrize(
    ("setting", "value"), [("radius", 0), ("radius", 11), ("radius", 2.0), ("pool", 0), ("pool", 65)]
)
def test_settings_out_of_range_are_named(setting, value):
    with pytest.raises(SettingError, match=setting):
        rmi(*example(), **{setting: value})
