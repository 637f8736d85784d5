"""Small networks and data whose answers are known."""

import pytest
import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    """Everything that keeps a state: BatchNorm, Dropout, a frozen layer, a plain counter, a list, and a buffer."""

    def __init__(self, channels=3, bands=3):
        super().__init__()
        self.stem = nn.Conv2d(bands, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.relu = nn.ReLU(inplace=True)
        self.frozen = nn.Conv2d(4, 4, 1).requires_grad_(False)
        self.body = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Conv2d(4, channels, 1)
        self.register_buffer("seen", torch.zeros(2))
        self.calls = 0
        self.log = []

    def forward(self, images):
        self.calls += 1
        self.log.append(len(images))
        self.seen += 1
        features = self.drop(self.relu(self.norm(self.stem(images))))
        return self.head(functional.relu(self.body(self.frozen(features))))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 3, 8, 8, generator=generator)
    labels = torch.zeros(4, 8, 8, dtype=torch.int64)
    labels[:, 2:4] = 1
    labels[:, 6, :4] = 2
    return images, labels
