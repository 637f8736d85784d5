"""VGG16 with a transposed convolution on top: the FCN-32 of many tutorials, with its upsampling mended.

The published form ("original") cuts VGG16's last pooling away, so features lie 16 px apart, and puts one
random transposed convolution of kernel 32 and stride 16 on them. Though called FCN-32, nothing in it has
the stride of 32 that FCN-32s has, nor FCN-32s's bilinear kernel. Each of the 16 x 16 pixels between two
features then gets weights of its own that start at random: 256 unrelated classifiers, each taught by a
256th of the pixels, which draw a 16 px grid. At the border half of the kernel falls on zeros.

"matched" keeps kernel, stride and parameter count, and mends both: the learned kernel is multiplied by the
bilinear window that fits stride 16 (whose kernel is just 2 * 16 = 32 wide), and the features' edge is
repeated. Equal weights over the kernel then are exactly bilinear interpolation of a 1 x 1 convolution, the
form that the network starts in; training may bend it, but neighbouring features always blend without a
seam. Weights of 0, as the prior start sets them, are of that form too, so both go together.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rareseg.network.checkpoint import load_weights
from rareseg.network.models.padding import pad
from rareseg.network.models.pretrained import fetch, read_weights

STRIDE = 16
KERNEL = 32
HUB = ("smp-hub/vgg16.imagenet", "49d74b799006ee252b86e25acd6f1fd8ac9a99c1")
"""torchvision's VGG16 weights (ImageNet, for RGB scaled by ImageNet's mean and deviation), as safetensors."""

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


@final
class Fcn32Vgg16(nn.Module):
    """VGG16's convolutions (Simonyan 2014, arXiv:1409.1556), a 3 x 3 and a transposed convolution.

    Maps images (batch, bands, rows, cols), float, standardised, to logits (batch, classes, rows, cols). Any
    rows and cols: the image is padded to multiples of 16 px by mirroring, and the logits are cropped. With
    3 bands and 3 classes it has 18,647,363 parameters; 3,932,675 of them are trained if the encoder is
    frozen.
    """

    def __init__(
        self,
        bands: int,
        classes: int,
        *,
        upsampling: Literal["matched", "original"] = "matched",
        frozen_encoder: bool = False,
    ) -> None:
        """Build with random weights (He for the encoder, Glorot for the rest, as Keras does)."""
        super().__init__()
        self.encoder = _vgg16(bands)
        self.middle = nn.Conv2d(512, 512, 3, padding=1)
        self.head = (
            WindowedTranspose(512, classes)
            if upsampling == "matched"
            else nn.ConvTranspose2d(512, classes, KERNEL, stride=STRIDE, padding=(KERNEL - STRIDE) // 2)
        )
        nn.init.xavier_uniform_(self.middle.weight)
        nn.init.zeros_(self.middle.bias)  # type: ignore[arg-type]  # a Conv2d with bias=True has one
        if isinstance(self.head, nn.ConvTranspose2d):
            nn.init.xavier_uniform_(self.head.weight)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # as above
        self.encoder.requires_grad_(not frozen_encoder)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes, rows, cols)."""
        rows, cols = images.shape[-2:]
        features = self.encoder(pad(images, STRIDE))
        logits: Tensor = self.head(F.relu(self.middle(features)))
        return logits[..., :rows, :cols]


@final
class WindowedTranspose(nn.Module):
    """Transposed convolution, kernel 32 and stride 16, whose kernel is weight x bilinear window.

    Maps features (batch, inputs, rows, cols) to (batch, outputs, 16 rows, 16 cols). The windows of
    neighbouring features add up to 1 at every pixel, so equal weights over the kernel interpolate
    bilinearly (pixel centres aligned, edge repeated), and weights of 0 give the bias everywhere.
    """

    window: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        """Start as bilinear interpolation of a random 1 x 1 convolution (Glorot 2010), bias 0."""
        super().__init__()
        point = nn.init.xavier_uniform_(torch.empty(inputs, outputs))
        self.weight = nn.Parameter(point[:, :, None, None].repeat(1, 1, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("window", _bilinear_window(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, outputs, 16 rows, 16 cols)."""
        edged = F.pad(features, (1, 1, 1, 1), mode="replicate")
        # The repeated edge gives 16 px more on each side than are wanted.
        padding = (KERNEL - STRIDE) // 2 + STRIDE
        return F.conv_transpose2d(edged, self.weight * self.window, self.bias, stride=STRIDE, padding=padding)


def load_encoder(model: Fcn32Vgg16, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give the encoder VGG16 weights under torchvision's names ("features.0.weight"), less the classifier.

    Other than 3 bands take the weights of red, green and blue in turn, scaled so that activations keep
    their size.

    Raises:
        WeightsError: naming the keys and shapes that do not fit.
    """
    wanted = {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier.")}
    encoder = nn.ModuleDict({"features": model.encoder})
    first = "features.0.weight"
    bands = encoder.state_dict()[first].shape[1]
    if first in wanted and wanted[first].shape[1] == 3 and bands != 3:
        wanted[first] = wanted[first][:, [band % 3 for band in range(bands)]] * (3 / bands)
    load_weights(encoder, wanted, where)


def load_imagenet(model: Fcn32Vgg16, file: str | None) -> None:
    """Load the encoder's weights from a safetensors file, or from the hub if `file` is None.

    Raises:
        WeightsError: if they cannot be found, fetched, read, or do not fit.
    """
    path = fetch(*HUB) if file is None else Path(file)
    load_encoder(model, read_weights(path), str(path))


def _vgg16(bands: int) -> nn.Sequential:
    """Return VGG16's convolutions without the last pooling, numbered as torchvision does."""
    layers: list[nn.Module] = []
    inputs = bands
    for stage, widths in enumerate(_STAGES):
        if stage:
            layers.append(nn.MaxPool2d(2))
        for width in widths:
            convolution = nn.Conv2d(inputs, width, 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]  # a Conv2d with bias=True has one
            layers += [convolution, nn.ReLU(inplace=True)]
            inputs = width
    return nn.Sequential(*layers)


def _bilinear_window() -> Tensor:
    """Return (32, 32): 1 at the feature, 0 at the next ones 16 px away (Long 2015, arXiv:1411.4038)."""
    offset = torch.arange(KERNEL) - (KERNEL - 1) / 2
    slope = 1 - offset.abs() / STRIDE
    return slope[:, None] * slope[None, :]
