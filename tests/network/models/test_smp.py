import pytest
import segmentation_models_pytorch as library
import timm
import torch
from safetensors.torch import save_file

from rareseg.errors import SettingError, WeightsError
from rareseg.network.models import smp
from rareseg.network.models.names import SMP_ARCHITECTURES
from rareseg.network.models.priors import set_prior
from rareseg.network.models.smp import build_smp

TINY = "tu-mobilenetv3_small_050"
OWN = "mobilenet_v2"


def build(architecture="linknet", encoder=TINY, *, bands=3, pretrained=False, weights=None):
    return build_smp(architecture, encoder, bands=bands, classes=2, pretrained=pretrained, weights=weights)


def test_names_are_those_of_the_library():
    assert set(SMP_ARCHITECTURES) == set(library.MODEL_ARCHITECTURES_MAPPING)


@pytest.mark.parametrize("architecture", SMP_ARCHITECTURES)
def test_every_architecture_takes_any_size_and_starts_at_the_prior(architecture):
    torch.manual_seed(0)
    encoder = "tu-vit_tiny_patch16_224" if architecture == "dpt" else TINY
    model = build(architecture, encoder, bands=4)
    assert model.train()(torch.randn(2, 4, 64, 64)).shape == (2, 2, 64, 64)
    prior = torch.tensor([0.93, 0.07])
    with torch.inference_mode():
        model.eval()
        assert model(torch.randn(1, 4, 65, 47)).std(dim=(0, 2, 3)).min() > 0
        set_prior(model, prior, overlapping=False)
        for size in [(64, 64), (65, 47), (3, 2)]:
            found = model(torch.randn(1, 4, *size)).softmax(dim=1)
            assert found.shape == (1, 2, *size)
            torch.testing.assert_close(found, prior.view(1, 2, 1, 1).expand_as(found))


def test_own_encoders_take_any_size():
    model = build("unet", OWN).eval()
    assert model(torch.randn(1, 3, 33, 70)).shape == (1, 2, 33, 70)


def test_checkpoint_holds_each_tensor_once():
    model = build()
    storages = [tensor.data_ptr() for tensor in model.state_dict().values() if tensor.numel() > 1]
    assert len(storages) == len(set(storages))


def own_weights(folder, **changed):
    """An encoder file as SMP publishes it, every float tensor at 0.25."""
    encoder = library.encoders.get_encoder(OWN, weights=None).state_dict()
    tensors = {
        name: torch.full_like(tensor, 0.25) if tensor.is_floating_point() else tensor
        for name, tensor in encoder.items()
    }
    file = folder / "encoder.safetensors"
    save_file({**tensors, **changed}, file)
    return file


def timm_weights(folder, name=TINY, **changed):
    """A whole classifier as timm publishes it, every float tensor at 0.25."""
    tensors = {
        name: torch.full_like(tensor, 0.25) if tensor.is_floating_point() else tensor
        for name, tensor in timm.create_model(name.removeprefix("tu-")).state_dict().items()
    }
    file = folder / "model.safetensors"
    save_file({**tensors, **changed}, file)
    return file


@pytest.mark.parametrize(("encoder", "write"), [(OWN, own_weights), (TINY, timm_weights)])
@pytest.mark.parametrize("bands", [3, 4])
def test_weights_from_a_file_fill_the_whole_encoder(tmp_path, encoder, write, bands):
    model = build("linknet", encoder, bands=bands, weights=str(write(tmp_path)))
    for name, weight in model.network.encoder.named_parameters():
        first = weight.ndim == 4 and weight.shape[1] == bands
        expected = 0.25 * 3 / bands if first else 0.25
        torch.testing.assert_close(weight, torch.full_like(weight, expected), msg=name)
    assert model.eval()(torch.zeros(1, bands, 32, 32)).shape == (1, 2, 32, 32)


def test_weights_go_into_encoders_for_which_timm_has_a_loader_of_its_own(tmp_path):
    # That loader would read the file as NumPy's npz.
    name = "tu-vit_tiny_patch16_224"
    model = build("dpt", name, weights=str(timm_weights(tmp_path, name)))
    assert all((weight == 0.25).all() for weight in model.network.encoder.parameters())


@pytest.mark.parametrize(("encoder", "write"), [(OWN, own_weights), (TINY, timm_weights)])
def test_weights_that_do_not_fit_are_refused_with_their_names(tmp_path, encoder, write):
    file = write(tmp_path, **{"foreign.weight": torch.zeros(2)})
    with pytest.raises(WeightsError, match=r"(?s)safetensors does not fit the encoder .*foreign\.weight"):
        build("linknet", encoder, weights=str(file))


@pytest.mark.parametrize("encoder", [OWN, TINY])
def test_other_formats_are_refused_before_anything_is_built(tmp_path, encoder):
    (tmp_path / "encoder.pth").write_bytes(b"")
    with pytest.raises(WeightsError, match="expected encoder weights as a .safetensors file"):
        build("linknet", encoder, weights=str(tmp_path / "encoder.pth"))


@pytest.mark.parametrize(
    ("encoder", "write", "address"),
    [
        (OWN, own_weights, ("smp-hub/mobilenet_v2.imagenet", "e67aa804e17f7b404b629127eabbd224c4e0690b")),
        (TINY, timm_weights, ("timm/mobilenetv3_small_050.lamb_in1k", None)),
    ],
)
def test_pretrained_weights_come_from_the_hub(tmp_path, monkeypatch, encoder, write, address):
    asked = []
    file = write(tmp_path)
    monkeypatch.setattr(smp, "fetch", lambda *where: asked.append(where) or file)
    model = build("linknet", encoder, pretrained=True)
    assert asked == [address]
    assert all((weight == 0.25).all() for weight in model.network.encoder.parameters())


def test_encoders_without_imagenet_weights_take_the_first_published(tmp_path, monkeypatch):
    asked = []

    def fetch(*where):
        asked.append(where)
        message = "stop here"
        raise WeightsError(message)

    monkeypatch.setattr(smp, "fetch", fetch)
    with pytest.raises(WeightsError, match="stop here"):
        build("unet", "dpn68b", pretrained=True)
    assert asked[0][0] == "smp-hub/dpn68b.imagenet-5k"


def test_weights_published_as_pickles_only_are_refused():
    with pytest.raises(WeightsError, match="No pretrained weights of tu-legacy_xception are published as"):
        build("unet", "tu-legacy_xception", pretrained=True)


def test_nothing_is_fetched_without_being_asked(monkeypatch):
    monkeypatch.setattr(smp, "fetch", None)
    assert build("unet", OWN).head.out_channels == 2


@pytest.mark.parametrize(
    ("architecture", "encoder", "message"),
    [
        ("unett", OWN, "Unknown SMP architecture 'unett'. Did you mean 'unet'"),
        (
            "unet",
            "resnet35",
            "Unknown encoder 'resnet35'. Did you mean .*'resnet34' or .* Known: resnet18",
        ),
        ("unet", "tu-resnet35", "Unknown encoder 'tu-resnet35'. Did you mean .*'tu-resnet34' or "),
        ("unet", "tu-resnet34.nonsense", "Unknown encoder 'tu-resnet34.nonsense'"),
        ("unet", "tu-hf-hub:timm/resnet18", "Unknown encoder 'tu-hf-hub:timm/resnet18'"),
        ("unet", "tu-local-dir:/tmp", "Unknown encoder 'tu-local-dir:/tmp'"),
        (
            "dpt",
            "resnet18",
            "smp:dpt cannot be built on 'resnet18': Only Timm .* Choose another encoder",
        ),
        ("unet", "tu-vit_tiny_patch16_224", "smp:unet cannot be built on .*Unsupported model downsampling"),
        ("pan", "vgg11", "smp:pan cannot be built on 'vgg11': .* dilated"),
        (
            "dpt",
            "tu-vit_small_patch14_dinov2",
            "its patches are 14 px, .* Choose an encoder whose",
        ),
        ("unet", "tu-maxvit_tiny_tf_224", "takes photos of 224 x 224 px only, and rareseg's crops"),
    ],
)
def test_what_cannot_be_built_is_refused(architecture, encoder, message):
    with pytest.raises(SettingError, match=message):
        build(architecture, encoder)
