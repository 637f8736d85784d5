import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn

from rareseg.imagery.tiles import Window
from rareseg.measures.scaling import Scaling, scaled
from rareseg.network import forward
from rareseg.network.forward import Mapper
from rareseg.records.plan import PrecisionChoice

FP32 = PrecisionChoice(name="32-true", channels_last=False, because="", reference="")


class Pointwise(nn.Module):
    """Logits that depend on the pixel alone, so that windows, views and blending must not change them."""

    def __init__(self, overlapping: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.overlapping = overlapping

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([-self.scale * images[:, 0], self.scale * images[:, 1]], dim=1)


class Sideways(nn.Module):
    """A network that is not symmetric: it answers by the column within its window."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        column = torch.linspace(-3, 3, images.shape[-1]).expand(images.shape[0], *images.shape[2:])
        return torch.stack([-column, column], dim=1)


def mapper(model, plan, statistics, **changes):
    return Mapper(
        model,
        statistics,
        inference=replace(plan.inference, **changes),
        precision=FP32,
        overlapping=False,
        classes=2,
    )


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=0))
    return powers / powers.sum(axis=0)


@pytest.mark.parametrize("size", [(64, 64), (40, 50), (150, 201), (65, 64)])
@pytest.mark.parametrize("views", [1, 2, 8])
def test_windows_views_and_blending_leave_a_pointwise_network_as_it_is(plan, statistics, rng, size, views):
    photo = rng.normal(size=(3, *size)).astype(np.float32)
    expected = softmax(np.stack([-0.7 * photo[0], 0.7 * photo[1]]))
    found = mapper(Pointwise(), plan, statistics, views=views).map_image(photo, np.ones(size, bool))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("views", [1, 8])
def test_scaling_moves_the_blended_probabilities(plan, statistics, rng, views):
    """Not those of each view: the ranking of pixels is that of the network, windows and views included."""
    photo, has_photo = rng.normal(size=(3, 90, 120)).astype(np.float32), np.ones((90, 120), bool)
    scaling = Scaling(1.5, (0.0, 2.0))
    plain = mapper(Sideways(), plan, statistics, views=views)
    moved = Mapper(
        Sideways(),
        statistics,
        inference=replace(plan.inference, views=views),
        precision=FP32,
        overlapping=False,
        classes=2,
        scaling=scaling,
    )
    expected = scaled(plain.map_image(photo, has_photo), scaling, overlapping=False)
    np.testing.assert_array_equal(moved.map_image(photo, has_photo), expected)


def test_blocks_give_what_one_block_gives(plan, statistics, rng, monkeypatch):
    photo = rng.normal(size=(3, 200, 230)).astype(np.float32)
    has_photo = np.ones((200, 230), bool)
    whole = mapper(Sideways(), plan, statistics).map_image(photo, has_photo)
    monkeypatch.setattr(forward, "BLOCK", 96)
    np.testing.assert_allclose(
        mapper(Sideways(), plan, statistics).map_image(photo, has_photo), whole, atol=1e-6
    )


def test_eight_views_make_an_unsymmetric_answer_symmetric(plan, statistics):
    photo = np.zeros((3, 64, 64), np.float32)
    found = mapper(Sideways(), plan, statistics, views=8).map_image(photo, np.ones((64, 64), bool))
    for turned in (found[:, :, ::-1], found[:, ::-1], found.swapaxes(1, 2)):
        np.testing.assert_allclose(found, turned, atol=1e-6)
    one = mapper(Sideways(), plan, statistics, views=1).map_image(photo, np.ones((64, 64), bool))
    assert np.abs(one - one[:, :, ::-1]).max() > 0.5


def test_neighbouring_windows_meet_without_a_seam(plan, statistics):
    photo = np.zeros((3, 64, 300), np.float32)
    found = mapper(Sideways(), plan, statistics, overlap=32).map_image(photo, np.ones((64, 300), bool))[1]
    # Unblended, the answer would fall from 1 to 0 within one column where windows meet.
    assert np.abs(np.diff(found, axis=1)).max() < 0.25


def test_missing_photo_is_filled_with_the_mean_and_reported(plan, statistics):
    photo = np.full((3, 64, 64), -9999.0, np.float32)
    has_photo = np.zeros((64, 64), bool)
    has_photo[:, 32:] = True
    photo[:, :, 32:] = 1.0
    blocks = list(mapper(Pointwise(), plan, statistics).map_blocks(lambda w: (photo, has_photo), 64, 64))
    assert [block.window for block in blocks] == [Window(0, 0, 64, 64)]
    np.testing.assert_array_equal(blocks[0].has_photo, has_photo)
    np.testing.assert_allclose(blocks[0].probabilities[:, :, :32], 0.5)


def test_mapping_leaves_the_training_mode_as_it_was(plan, statistics):
    model = Pointwise().train()
    mapper(model, plan, statistics).map_image(np.zeros((3, 64, 64), np.float32), np.ones((64, 64), bool))
    assert model.training


@pytest.mark.parametrize(("classes", "side"), [(1, 4096), (2, 4096), (3, 3072), (11, 1536), (254, 512)])
def test_blocks_shrink_with_the_number_of_classes_so_that_memory_does_not_grow(classes, side):
    assert forward.block_side(classes) == side
    assert classes * side**2 <= max(2 * 4096**2, classes * 512**2)
