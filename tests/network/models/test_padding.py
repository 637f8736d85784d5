import pytest
import torch

from rareseg.network.models.padding import pad


@pytest.mark.parametrize(
    ("size", "multiple", "smallest", "expected"),
    [
        ((32, 64), 16, 1, (32, 64)),
        ((33, 50), 16, 1, (48, 64)),
        ((1, 1), 16, 1, (16, 16)),
        ((33, 150), 32, 128, (128, 160)),
        ((20, 40), 28, 1, (28, 56)),
    ],
)
def test_grows_to_the_multiple_and_keeps_the_image(size, multiple, smallest, expected):
    images = torch.rand((2, 3, *size))
    padded = pad(images, multiple, smallest=smallest)
    assert padded.shape == (2, 3, *expected)
    assert torch.equal(padded[..., : size[0], : size[1]], images)


def test_mirrors_where_the_image_is_large_enough_and_else_repeats_the_edge():
    row = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 1, 5, 5)
    assert pad(row, 8)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert pad(row, 16)[0, 0, 0, 5:].tolist() == [4] * 11


def test_keeps_channels_last_memory():
    images = torch.rand((2, 3, 33, 33)).to(memory_format=torch.channels_last)
    assert pad(images, 16).is_contiguous(memory_format=torch.channels_last)
