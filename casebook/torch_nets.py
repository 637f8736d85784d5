"""Small PyTorch networks of four kinds, as people write them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from casebook.drawing import Network

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "elu": nn.ELU,
}


def build(network: Network, channels: int, bands: int = 3) -> nn.Module:
    """Return a network from (n, bands, rows, cols) to (n, channels, rows, cols); same seed, same weights."""
    state = torch.get_rng_state()
    torch.manual_seed(network.seed)
    kinds = {"unet": _UNet, "fcn": _fcn, "plain": _plain, "dilated": _dilated}
    made: nn.Module = kinds[network.kind](network, channels, bands)
    torch.set_rng_state(state)
    return made


def _block(
    network: Network, inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation)
    ]
    if network.batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, _ACTIVATIONS[network.activation]())


class _UNet(nn.Module):
    def __init__(self, network: Network, channels: int, bands: int) -> None:
        super().__init__()
        width = network.width
        self.first = nn.Sequential(_block(network, bands, width), _block(network, width, width))
        self.second = nn.Sequential(nn.MaxPool2d(2), _block(network, width, 2 * width))
        self.third = nn.Sequential(nn.MaxPool2d(2), _block(network, 2 * width, 4 * width))
        self.up_second = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.join_second = _block(network, 4 * width, 2 * width)
        self.up_first = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join_first = _block(network, 2 * width, width)
        self.head = nn.Conv2d(width, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        first = self.first(images)
        second = self.second(first)
        deep = self.up_second(self.third(second))
        joined = self.up_first(self.join_second(torch.cat([deep, second], 1)))
        return torch.as_tensor(self.head(self.join_first(torch.cat([joined, first], 1))))


def _fcn(network: Network, channels: int, bands: int) -> nn.Sequential:
    width = network.width
    return nn.Sequential(
        _block(network, bands, width),
        _block(network, width, 2 * width, stride=2),
        _block(network, 2 * width, 2 * width),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
        _ACTIVATIONS[network.activation](),
        nn.Conv2d(width, channels, 1),
    )


def _plain(network: Network, channels: int, bands: int) -> nn.Sequential:
    width = network.width
    hidden = [_block(network, width, width) for _ in range(3)]
    return nn.Sequential(_block(network, bands, width), *hidden, nn.Conv2d(width, channels, 3, padding=1))


def _dilated(network: Network, channels: int, bands: int) -> nn.Sequential:
    width = network.width
    hidden = [_block(network, width, width, dilation=step) for step in (2, 4, 2)]
    return nn.Sequential(_block(network, bands, width), *hidden, nn.Conv2d(width, channels, 1))
