import subprocess
import sys

import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.models.build import SETTINGS, build_model
from rareseg.network.models.names import MODELS
from rareseg.network.models.priors import set_prior
from rareseg.records.plan import Choice, ModelChoice
from rareseg.remedies.training import model_choice

WHY = {"because": "a test", "reference": "none"}
SMALL = {"width": 4, "levels": 2, "stem": 2}
VGG = {"pretrained": False, "frozen_encoder": False, "upsampling": "matched"}


def choice(name, **settings):
    return ModelChoice(name=name, **settings, **WHY)


BUILT = [
    choice("compact_unet", **SMALL),
    choice("fcn32_vgg16", **VGG),
    choice("fcn32_vgg16", **{**VGG, "upsampling": "original"}),
    choice("smp:unet", encoder="tu-mobilenetv3_small_050", pretrained=False),
]


@pytest.mark.parametrize("asked", BUILT, ids=lambda asked: f"{asked.name}-{asked.upsampling}")
@pytest.mark.parametrize("overlapping", [False, True])
def test_any_size_comes_back_and_the_prior_is_the_first_answer(asked, overlapping):
    torch.manual_seed(0)
    model = build_model(asked, bands=4, classes=3).eval()
    prior = torch.tensor([0.9, 0.07, 0.03])
    with torch.inference_mode():
        for rows, cols in [(32, 32), (37, 50), (1, 3)]:
            assert model(torch.randn(1, 4, rows, cols)).shape == (1, 3, rows, cols)
        assert model(torch.randn(1, 4, 37, 50)).std(dim=(0, 2, 3)).min() > 0
        set_prior(model, prior, overlapping=overlapping)
        logits = model(torch.randn(1, 4, 37, 50))
    found = torch.sigmoid(logits) if overlapping else torch.softmax(logits, dim=1)
    torch.testing.assert_close(found, prior.view(1, 3, 1, 1).expand_as(found))


@pytest.mark.parametrize("name", ["compact_unet", "fcn32_vgg16", "smp:unet"])
def test_what_the_plan_chooses_can_be_built(name):
    assert build_model(model_choice(3, name), bands=3, classes=2).head is not None


def test_settings_are_all_fields_of_the_choice():
    fields = set(ModelChoice.__struct_fields__) - set(Choice.__struct_fields__) - {"name"}
    assert set(SETTINGS) == fields


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (choice("compact_net", **SMALL), "Unknown model 'compact_net'. Did you mean 'compact_unet'. Known: "),
        (choice("smp:unett"), "Unknown model 'smp:unett'. Did you mean 'smp:unet'"),
        (
            choice("compact_unet", width=4, levels=2),
            "model.name=compact_unet needs model.stem; received none",
        ),
        (choice("smp:unet", encoder="resnet18"), "model.name=smp:unet needs model.pretrained"),
        (
            choice("compact_unet", **SMALL, encoder="resnet34"),
            "model.encoder=resnet34 has no effect on model.name=compact_unet, which takes width, levels",
        ),
        (
            choice("compact_unet", **SMALL, pretrained=False),
            "model.pretrained=False has no effect on model.name=compact_unet",
        ),
        (
            choice("smp:unet", encoder="resnet18", pretrained=False, frozen_encoder=True),
            "model.frozen_encoder=True has no effect on model.name=smp:unet",
        ),
        (choice("fcn32_vgg16", **VGG, width=3), "model.width=3 has no effect on model.name=fcn32_vgg16"),
    ],
)
def test_what_cannot_be_built_is_refused(asked, message):
    with pytest.raises(SettingError, match=message):
        build_model(asked, bands=3, classes=2)


def test_names_are_known_without_loading_torch():
    code = (
        "import sys; from rareseg.network.models.names import MODELS; print('torch' in sys.modules, *MODELS)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", *MODELS]
