"""The default network: a U-Net on a space-to-depth stem, small enough to learn in minutes without a GPU."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@final
class CompactUNet(nn.Module):
    """U-Net (Ronneberger 2015, arXiv:1505.04597) that works on `stem` x `stem` pixel blocks.

    Space-to-depth (Shi 2016, arXiv:1609.05158, run backwards) folds every block of stem x stem pixels into
    channels without losing one, so the costly full-resolution level of a plain U-Net is left out; the head
    unfolds again. Batch normalisation and ReLU after each convolution; max pooling; nearest upsampling.

    Maps images (batch, bands, rows, cols), float, standardised, to logits (batch, classes, rows, cols).
    Any rows and cols: the image is padded by repeating its edge and the logits are cropped.
    """

    def __init__(self, bands: int, classes: int, *, width: int, levels: int, stem: int) -> None:
        """Build for `bands` input bands; `width` doubles at each of `levels` halvings below the stem."""
        super().__init__()
        widths = [width * 2**level for level in range(levels + 1)]
        self.stem = stem
        self.multiple = stem * 2**levels
        inputs = [bands * stem * stem, *widths[:-1]]
        self.down = nn.ModuleList(_double(i, o) for i, o in zip(inputs, widths, strict=True))
        self.up = nn.ModuleList(
            _double(widths[n] + widths[n + 1], widths[n]) for n in reversed(range(levels))
        )
        self.head = nn.Conv2d(width, classes * stem * stem, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes, rows, cols)."""
        rows, cols = images.shape[-2:]
        padding = (0, -cols % self.multiple, 0, -rows % self.multiple)
        padded = F.pad(images, padding, mode="replicate") if any(padding) else images
        # Unshuffling gives plain rows, whatever came in; convolutions then follow the layout of their input.
        features = F.pixel_unshuffle(padded, self.stem).contiguous(memory_format=self._layout())
        skipped: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(F.max_pool2d(features, 2) if level else features)
            skipped.append(features)
        skipped.pop()
        for block in self.up:
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([features, skipped.pop()], dim=1))
        logits: Tensor = F.pixel_shuffle(self.head(features), self.stem)
        return logits[..., :rows, :cols]

    def _layout(self) -> torch.memory_format:
        last = self.get_parameter("down.0.3.weight").is_contiguous(memory_format=torch.channels_last)
        return torch.channels_last if last else torch.contiguous_format


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(inputs, outputs), *_convolution(outputs, outputs))


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    # No bias: batch normalisation would subtract it again.
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
