"""The default network: shapes, memory layout, and that space-to-depth loses no pixel."""

import pytest
import torch

from rareseg.network.models.compact_unet import CompactUNet


@pytest.mark.parametrize("size", [(32, 32), (1, 1), (33, 50), (7, 64)])
@pytest.mark.parametrize(("bands", "classes", "levels", "stem"), [(3, 2, 1, 2), (1, 4, 2, 1), (5, 3, 1, 4)])
def test_any_size_in_is_that_size_out(size, bands, classes, levels, stem):
    model = CompactUNet(bands, classes, width=4, levels=levels, stem=stem).eval()
    assert model(torch.zeros(2, bands, *size)).shape == (2, classes, *size)


def test_padding_changes_no_logit_far_from_it():
    torch.manual_seed(0)
    model = CompactUNet(3, 2, width=4, levels=1, stem=2).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model(images)[..., :30, :30], model(images[..., :61, :63])[..., :30, :30])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_convolutions_work_in_the_layout_of_the_weights(layout):
    model = CompactUNet(3, 2, width=8, levels=1, stem=2).to(memory_format=layout)
    seen = []
    hook = model.down[0][0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.zeros(2, 3, 32, 32).contiguous(memory_format=layout))
    hook.remove()
    assert seen[0].is_contiguous(memory_format=layout)


def test_both_layouts_answer_the_same():
    torch.manual_seed(0)
    model = CompactUNet(3, 2, width=8, levels=1, stem=2).eval()
    images = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        plain = model(images)
        other = model.to(memory_format=torch.channels_last)(
            images.contiguous(memory_format=torch.channels_last)
        )
    torch.testing.assert_close(plain, other)


def test_the_stem_drops_no_pixel():
    """Every pixel moves some logit; a stem with a stride larger than its kernel would leave out some."""
    torch.manual_seed(0)
    model = CompactUNet(1, 2, width=8, levels=1, stem=2).eval()
    images = torch.randn(1, 1, 12, 12, requires_grad=True)
    gradient = torch.autograd.grad(model(images).square().sum(), images)[0]
    assert (gradient != 0).all()


def test_it_has_as_many_parameters_as_its_layers_say():
    width, bands, classes, stem = 4, 3, 2, 2
    model = CompactUNet(bands, classes, width=width, levels=1, stem=stem)

    def double(inputs, outputs):
        return 9 * inputs * outputs + 9 * outputs * outputs + 4 * outputs

    expected = (
        double(bands * stem**2, width)
        + double(width, 2 * width)
        + double(3 * width, width)
        + (width + 1) * classes * stem**2
    )
    assert sum(weight.numel() for weight in model.parameters()) == expected
