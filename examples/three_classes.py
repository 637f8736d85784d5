"""The second page's case: a VGG16 FCN-32 that predicts only the biggest of three classes.

Generated land scenes with the page's class shares, 62.93 / 25.46 / 11.61 %, and no downloaded weights. First the
page's own recipe: encoder frozen, sigmoid and binary cross-entropy on classes that exclude one another, Adadelta
at Keras's default rate of 1e-3. Then rareseg's plan on the same scenes. Prints IoU per class on held-out scenes.

    python examples/three_classes.py [--minutes 3] [-o FOLDER]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import rareseg
from rareseg.cli.progress import on_stderr
from rareseg.imagery.samples import read_sample
from rareseg.measures.confusion import Confusion
from rareseg.network.models.build import build_model
from rareseg.records.plan import ModelChoice

BATCH = 8


def main() -> None:
    """Make the scenes, train both ways, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="budget of each recipe [default: 3]")
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for scenes and run [default: a temporary one]"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.output or Path(temporary)
        data = rareseg.scenes.write_land(folder / "land", count=60, size=256, seed=5, overwrite=True)
        audit = rareseg.audit(data)
        shares = " / ".join(f"{entry.share:.2%}" for entry in audit.total.classes)
        print(f"class shares: {shares} (the page: 62.93 / 25.46 / 11.61 %)")
        page = page_recipe(data, audit, given.minutes)
        run = rareseg.train(
            data,
            output=folder / "run",
            audit=audit,
            minutes=given.minutes,
            overwrite=True,
            progress=on_stderr(),
        )
        report = rareseg.evaluate(folder / "run", data)
    ours = [scores.iou for scores in report.classes.values()]
    print(f"{'IoU':>24} " + " ".join(f"{name:>12}" for name in report.classes))
    for title, values in (("the page's recipe", page), ("rareseg's plan", ours)):
        print(f"{title:>24} " + " ".join(f"{value:12.3f}" for value in values))
    print(f"rareseg: {run.steps} steps in {run.seconds:.0f} s; {run.outcome}")


def page_recipe(data: Path, audit: rareseg.Audit, minutes: float) -> list[float]:
    """Train the page's network its own way for `minutes`; return IoU per class on the test part."""
    torch.manual_seed(0)
    choice = ModelChoice(
        name="fcn32_vgg16",
        pretrained=False,
        frozen_encoder=True,
        upsampling="original",
        because="the second page",
        reference="",
    )
    network = build_model(choice, bands=3, classes=3)
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adadelta(trainable, lr=1e-3, rho=0.95, eps=1e-7)
    images, labels = _tensors(data, audit, "train")
    rng = np.random.default_rng(0)
    ends = time.monotonic() + 60 * minutes
    steps = 0
    while time.monotonic() < ends:
        chosen = rng.integers(len(images), size=BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(images[chosen])
        target = F.one_hot(labels[chosen], 3).movedim(-1, 1).float()
        loss = F.binary_cross_entropy_with_logits(logits.float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    print(f"the page's recipe: {steps} steps, loss {float(loss):.3f}")
    return _iou(network, *_tensors(data, audit, "test"))


def _tensors(data: Path, audit: rareseg.Audit, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    samples = [read_sample(data, audit.dataset, pair) for pair in audit.dataset.pairs if pair.part == part]
    photos = torch.from_numpy(np.stack([sample.photo for sample in samples])).float() / 255
    return photos, torch.from_numpy(np.stack([sample.counted for sample in samples]).astype(np.int64))


def _iou(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    total = Confusion.empty(3, overlapping=False)
    network.eval()
    with torch.inference_mode():
        for image, truth in zip(images, labels, strict=True):
            given = network(image[None])[0].argmax(0).numpy().astype(np.uint8)
            total += Confusion.count(given, truth.numpy().astype(np.uint8), classes=3, overlapping=False)
    return [0.0 if value is None else value for value in total.iou()]


if __name__ == "__main__":
    main()
