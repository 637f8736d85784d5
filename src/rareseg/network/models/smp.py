"""The architectures and encoders of segmentation_models.pytorch (SMP), by name, for images of any size.

SMP (Iakubovskii 2019, github.com/qubvel-org/segmentation_models.pytorch) combines 12 architectures with its
own encoders and, under "tu-NAME", with timm's. It is an optional extra and loaded on first use. Pretrained
weights are read from safetensors only: SMP publishes its own so, and timm, which would fall back to
pickles, is given the file instead of being let to fetch one.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, final

from torch import Tensor, nn

from rareseg.errors import RaresegError, SettingError, WeightsError
from rareseg.network.models.names import SMP, SMP_ARCHITECTURES
from rareseg.network.models.padding import pad
from rareseg.network.models.pretrained import (
    fetch,
    not_published,
    optional_package,
    read_weights,
    weights_file,
)
from rareseg.records.overrides import unknown

TIMM = "tu-"
"""Prefix of timm's encoders in SMP."""
_MULTIPLE = 32
"""px: what the deepest architectures reduce to one feature."""
_SMALLEST = {"pan": 128}
"""px: PAN halves its features of stride 16 three times more."""
_SIZE_OPTIONS: tuple[dict[str, bool], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False})
"""What lets timm's encoders of a fixed photo size take others: the first for ViT, the second for Swin."""


@final
class SmpNetwork(nn.Module):
    """An SMP network that takes any image size.

    Maps images (batch, bands, rows, cols), float, standardised, to logits (batch, classes, rows, cols).
    Pretrained encoders expect RGB scaled by mean and deviation. In training, a batch of one image smaller
    than 33 px leaves batch normalisation one value per channel, which PyTorch refuses.
    """

    def __init__(self, network: nn.Module, *, multiple: int, smallest: int) -> None:
        """Wrap `network`, which takes sizes that are multiples of `multiple` px, at least `smallest` px."""
        super().__init__()
        self.network = network
        self.multiple, self.smallest = multiple, smallest

    @property
    def head(self) -> nn.Module:
        """The last convolution; what follows it only interpolates."""
        head = self.network.get_submodule("segmentation_head")
        convolutions = [module for module in head.modules() if isinstance(module, nn.Conv2d)]
        return convolutions[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes, rows, cols)."""
        rows, cols = images.shape[-2:]
        logits: Tensor = self.network(pad(images, self.multiple, smallest=self.smallest))
        return logits[..., :rows, :cols]


def build_smp(
    architecture: str, encoder: str, *, bands: int, classes: int, pretrained: bool, weights: str | None
) -> SmpNetwork:
    """Return an SMP network without auxiliary heads.

    Args:
        architecture: Such as "unet".
        encoder: Such as "resnet34", or "tu-" and a timm name such as "tu-convnext_tiny.fb_in22k".
        bands: Bands of the photos. Other than 3 take pretrained weights of red, green and blue in turn.
        classes: Number of classes.
        pretrained: Take the encoder's ImageNet weights from the hub (or the first published where there are
            none).
        weights: Local safetensors file to take the encoder's weights from instead.

    Raises:
        SettingError: on an unknown architecture or encoder, or a pair that SMP cannot combine.
        MissingPackageError: if SMP is not installed.
        WeightsError: if weights cannot be found, fetched or loaded.
    """
    if architecture not in SMP_ARCHITECTURES:
        raise SettingError(unknown("SMP architecture", architecture, SMP_ARCHITECTURES))
    smp = optional_package("segmentation_models_pytorch")
    _check_encoder(smp, encoder)
    file = _find_weights(smp, encoder, pretrained=pretrained, weights=weights)
    try:
        create = _create_timm if encoder.startswith(TIMM) else _create_own
        network = create(smp, architecture, encoder, bands=bands, classes=classes, file=file)
    except RaresegError:
        raise
    except Exception as error:  # SMP and timm raise whatever their layers do on a pair that does not fit
        message = f"{SMP}{architecture} cannot be built on {encoder!r}: {error}. Choose another encoder."
        raise SettingError(message) from error
    stride = int(network.encoder.output_stride)
    if stride & (stride - 1):
        message = (
            f"{SMP}{architecture} cannot be built on {encoder!r}: its patches are {stride} px, and SMP "
            "doubles features up to the photo's size. Choose an encoder whose patches are 8, 16 or 32 px."
        )
        raise SettingError(message)
    return SmpNetwork(network, multiple=max(stride, _MULTIPLE), smallest=_SMALLEST.get(architecture, 1))


def _check_encoder(smp: Any, encoder: str) -> None:
    own = list(smp.encoders.get_encoder_names())
    timm = optional_package("timm")
    if encoder in own:
        return
    if encoder.startswith(TIMM):
        # Only registered names: timm itself would also take "hf-hub:" and "local-dir:" addresses.
        name, _, tag = encoder.removeprefix(TIMM).partition(".")
        tags = timm.list_pretrained(f"{name}.*")
        if name in timm.list_models() and (not tag or f"{name}.{tag}" in tags):
            return
    known = [
        *own,
        *(TIMM + name for name in timm.list_models()),
        *(TIMM + name for name in timm.list_pretrained()),
    ]
    near = get_close_matches(encoder, known, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    message = (
        f"Unknown encoder {encoder!r}.{hint} Known: {', '.join(own)}; and {TIMM}NAME for every timm model "
        f"(timm.list_models())."
    )
    raise SettingError(message)


def _find_weights(smp: Any, encoder: str, *, pretrained: bool, weights: str | None) -> Path | None:
    if weights is not None:
        return weights_file(weights)
    if not pretrained:
        return None
    if encoder.startswith(TIMM):
        published = optional_package("timm").get_pretrained_cfg(encoder.removeprefix(TIMM))
        if published is None or not published.hf_hub_id:
            raise WeightsError(not_published(encoder))
        return fetch(published.hf_hub_id, None)
    settings = smp.encoders.encoders[encoder]["pretrained_settings"]
    chosen = settings.get("imagenet") or next(iter(settings.values()))
    return fetch(chosen["repo_id"], chosen["revision"])


def _create_own(
    smp: Any, architecture: str, encoder: str, *, bands: int, classes: int, file: Path | None
) -> Any:
    """Build on one of SMP's own encoders; weights go into one of 3 bands, which SMP then adapts."""
    network = smp.create_model(
        architecture, encoder, encoder_weights=None, in_channels=bands, classes=classes
    )
    if file is None:
        return network
    donor = network
    if bands != 3:
        donor = smp.create_model(architecture, encoder, encoder_weights=None, in_channels=3, classes=classes)
    tensors = read_weights(file)
    try:
        donor.encoder.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(_unfit(file, encoder, error)) from error
    donor.encoder.set_in_channels(bands, pretrained=True)
    network.encoder = donor.encoder
    return network


def _create_timm(
    smp: Any, architecture: str, encoder: str, *, bands: int, classes: int, file: Path | None
) -> Any:
    """Build on one of timm's encoders, whose weights timm itself translates and adapts to the bands."""
    timm = optional_package("timm")
    name = encoder.removeprefix(TIMM)
    options: dict[str, Any] = {}
    if file is not None:
        # custom_load off (older timm keeps it on): the file is read by its ending, which is .safetensors.
        options["pretrained_cfg_overlay"] = {"file": str(file), "custom_load": False}
        _check_timm_weights(timm, name, encoder, file, options)
    published = timm.get_pretrained_cfg(name)
    fixed = published is not None and published.fixed_input_size
    for size_options in _SIZE_OPTIONS if fixed else ({},):
        try:
            network = smp.create_model(
                architecture,
                encoder,
                encoder_weights=None if file is None else True,
                in_channels=bands,
                classes=classes,
                **options,
                **size_options,
            )
        except TypeError:
            continue
        return network
    message = (
        f"The encoder {encoder!r} takes photos of {published.input_size[1]} x {published.input_size[2]} px "
        "only, and rareseg's crops and windows have other sizes. Choose another encoder."
    )
    raise SettingError(message)


def _check_timm_weights(timm: Any, name: str, encoder: str, file: Path, options: dict[str, Any]) -> None:
    """Load the file into the whole classifier first: into a bare encoder timm takes what half fits."""
    read_weights(file)
    try:
        timm.create_model(name, pretrained=True, **options)
    except (RuntimeError, KeyError) as error:
        raise WeightsError(_unfit(file, encoder, error)) from error


def _unfit(file: Path, encoder: str, error: Exception) -> str:
    return f"{file} does not fit the encoder {encoder!r}: {error}. Use the weights of this very encoder."
