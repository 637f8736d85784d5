import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from rareseg.errors import WeightsError
from rareseg.network.models import fcn32_vgg16
from rareseg.network.models.build import build_model
from rareseg.network.models.fcn32_vgg16 import Fcn32Vgg16, WindowedTranspose, load_encoder, load_imagenet
from rareseg.records.plan import ModelChoice


def vgg16_weights(bands=3):
    """VGG16's tensors under torchvision's names, with a part of the classifier, as published."""
    encoder = Fcn32Vgg16(bands, 2).encoder.state_dict()
    tensors = {f"features.{name}": torch.full_like(tensor, 0.01) for name, tensor in encoder.items()}
    return {**tensors, "classifier.6.bias": torch.zeros(1000)}


@pytest.mark.parametrize("upsampling", ["matched", "original"])
@pytest.mark.parametrize("frozen", [False, True])
def test_has_the_parameters_of_the_published_network(upsampling, frozen):
    model = Fcn32Vgg16(3, 3, upsampling=upsampling, frozen_encoder=frozen)
    assert sum(weight.numel() for weight in model.parameters()) == 18_647_363
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert trained == (3_932_675 if frozen else 18_647_363)


def test_frozen_encoder_gets_no_gradient():
    model = Fcn32Vgg16(3, 2, frozen_encoder=True)
    model(torch.randn(1, 3, 16, 16)).square().mean().backward()
    assert all(weight.grad is None for weight in model.encoder.parameters())
    assert model.middle.weight.grad.abs().sum() > 0


def test_matched_upsampling_starts_as_bilinear_interpolation_of_a_point_convolution():
    torch.manual_seed(0)
    head = WindowedTranspose(5, 3)
    features = torch.randn(2, 5, 4, 6)
    with torch.no_grad():
        head.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
        points = F.conv2d(features, head.weight[:, :, 0, 0].T[:, :, None, None], head.bias)
        expected = F.interpolate(points, scale_factor=16, mode="bilinear", align_corners=False)
        torch.testing.assert_close(head(features), expected)


def test_original_upsampling_draws_a_grid_and_matched_does_not():
    # A photo of one colour: away from the border nothing but the network itself can draw a pattern.
    torch.manual_seed(0)
    features = torch.ones(1, 512, 6, 6)
    grid = {}
    for upsampling in ("original", "matched"):
        head = Fcn32Vgg16(3, 2, upsampling=upsampling).head
        with torch.inference_mode():
            inner = head(features)[..., 32:-32, 32:-32]
        grid[upsampling] = inner.std(dim=(2, 3)).max().item()
    assert grid["original"] > 0.01
    assert grid["matched"] < 1e-5


def test_matched_upsampling_trains_every_part_of_its_kernel():
    head = WindowedTranspose(2, 1)
    head(torch.ones(1, 2, 3, 3)).sum().backward()
    assert (head.weight.grad > 0).all()


def test_signal_neither_dies_nor_explodes():
    torch.manual_seed(0)
    model = Fcn32Vgg16(3, 2)
    with torch.inference_mode():
        assert 0.01 < model.encoder(torch.randn(2, 3, 64, 64)).std().item() < 10


def test_weights_go_into_the_encoder(tmp_path):
    file = tmp_path / "vgg16.safetensors"
    save_file(vgg16_weights(), file)
    choice = ModelChoice(
        name="fcn32_vgg16",
        pretrained=False,
        encoder_weights=str(file),
        frozen_encoder=True,
        upsampling="matched",
        because="a test",
        reference="none",
    )
    model = build_model(choice, bands=3, classes=2)
    assert all((weight == 0.01).all() for weight in model.encoder.parameters())
    assert model.middle.weight.std() > 0


def test_hub_is_asked_for_one_fixed_file(tmp_path, monkeypatch):
    file = tmp_path / "model.safetensors"
    save_file(vgg16_weights(), file)
    asked = []
    monkeypatch.setattr(fcn32_vgg16, "fetch", lambda *address: asked.append(address) or file)
    model = Fcn32Vgg16(3, 2)
    load_imagenet(model, None)
    assert asked == [("smp-hub/vgg16.imagenet", "49d74b799006ee252b86e25acd6f1fd8ac9a99c1")]
    assert (model.encoder[0].weight == 0.01).all()


def test_other_bands_take_the_colours_in_turn():
    tensors = vgg16_weights()
    tensors["features.0.weight"] = torch.arange(3.0).view(1, 3, 1, 1).expand(64, 3, 3, 3).contiguous()
    model = Fcn32Vgg16(5, 2)
    load_encoder(model, tensors, "a file")
    expected = torch.tensor([0.0, 1.0, 2.0, 0.0, 1.0]) * 3 / 5
    torch.testing.assert_close(model.encoder[0].weight[0, :, 0, 0].detach(), expected)


def test_weights_that_do_not_fit_are_refused_with_their_names():
    tensors = vgg16_weights()
    tensors["features.99.weight"] = tensors.pop("features.0.weight")
    message = r"a file does not fit.*missing: features\.0\.weight; unexpected: features\.99\.weight"
    with pytest.raises(WeightsError, match=message):
        load_encoder(Fcn32Vgg16(3, 2), tensors, "a file")
