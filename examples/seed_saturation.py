"""The first page's last paragraph: "had to decrease learning rate, ReLUs were saturating very quickly".

A small fully convolutional network on generated road scenes, trained at a learning rate that kills its units. After at
most 200 steps `rareseg.diagnose` names the layer whose units died and a learning rate that spares them; the same
network, drawn anew and trained for as many steps at that rate, finds the roads.

    python examples/seed_saturation.py [--rate 0.3] [--steps 200]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import rareseg
from rareseg.imagery.samples import read_sample

BATCH = 8
LOSS = nn.CrossEntropyLoss(ignore_index=255)


def main() -> None:
    """Train at the page's kind of rate, diagnose, train again at the rate that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    training, held_out = scenes()
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), given.rate)
    train(model, optimizer, training, given.steps)
    diagnosis = rareseg.diagnose(
        model, LOSS, optimizer, training, validation=held_out, classes=("background", "road")
    )
    print(f"after {given.steps} steps at {given.rate:g}: {diagnosis.summary}")
    first = diagnosis.findings[0]
    print(f"  {first.because}")
    learning = diagnosis.evidence.learning
    if learning is None or learning.slower_rate is None:
        return
    rate = given.rate * learning.slower_rate
    spared = network()
    train(spared, torch.optim.Adam(spared.parameters(), rate), training, given.steps)
    again = rareseg.diagnose(
        spared, None, None, training, validation=held_out, classes=("background", "road")
    )
    for name, found in (("as brought", diagnosis), (f"at {rate:g}", again)):
        road = found.evidence.answers.classes[1]
        print(f"  {name}: average precision {road.average_precision:.3f} at a share of {road.prevalence:.3f}")


def network() -> nn.Module:
    """Return a plain stack of convolutions, drawn as torch draws them."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before in (3, 16, 16, 16):
        layers += [nn.Conv2d(before, 16, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(16, 2, 1))


def scenes() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return photos and labels of generated roads, for training and held out."""
    with tempfile.TemporaryDirectory() as folder:
        data = rareseg.scenes.write_roads(Path(folder) / "roads", count=30, size=128, road_share=0.04, seed=1)
        audit = rareseg.audit(data)
        parts: dict[bool, list[tuple[np.ndarray, np.ndarray]]] = {True: [], False: []}
        for pair in audit.dataset.pairs:
            sample = read_sample(data, audit.dataset, pair)
            parts[pair.part == "train"].append((sample.photo.astype("float32") / 255, sample.counted))

    def stacked(of_part: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
        photos, labels = zip(*of_part, strict=True)
        return torch.from_numpy(np.stack(photos)), torch.from_numpy(np.stack(labels)).long()

    return stacked(parts[True]), stacked(parts[False])


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, data: tuple[Tensor, Tensor], steps: int
) -> None:
    """Train on random batches."""
    images, labels = data
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        some = torch.randint(0, len(images), (BATCH,), generator=generator)
        optimizer.zero_grad()
        LOSS(model(images[some]), labels[some]).backward()
        optimizer.step()


if __name__ == "__main__":
    main()
