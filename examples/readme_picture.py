"""Make the README's picture: photo, truth, the usual training, rareseg's plan; same network, scenes and minutes.

python examples/readme_picture.py -o docs/picture.png [--minutes 1] [--share 0.01]
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import rareseg
from rareseg.cli.progress import on_stderr
from rareseg.imagery.rasters import RasterWriter, Window, read_values

SIZE = 448
GAP = 12
CAPTION = 44
USUAL = {
    "weights.rule": "none",
    "initialisation.prior_bias": "false",
    "optimizer.name": "adamw",
    "inference.decision": "argmax",
    "inference.views": "1",
}


def main() -> None:
    """Train twice, map one scene that neither saw, and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--share", type=float, default=0.01, help="share of road in the scenes, 0.001..0.2")
    parser.add_argument("--scene", type=int, default=1003, help="seed of the scene that is mapped")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = rareseg.scenes.write_roads(
            folder / "scenes", count=28, size=384, road_share=given.share, seed=1
        )
        scene = rareseg.scenes.road_scene(given.scene, size=SIZE, road_share=given.share)
        _write(folder / "scene.png", scene.photo)
        panels = [("photo", scene.photo), ("truth", _black_and_white(scene.labels))]
        for title, settings in (("usual training", USUAL), ("rareseg", {})):
            labels, iou = _train_and_map(folder, data, settings, given.minutes)
            panels.append((f"{title}: IoU {iou:.2f}", _black_and_white(labels)))
        _write(given.output, _side_by_side(panels))


def _train_and_map(
    folder: Path, data: Path, settings: dict[str, str], minutes: float
) -> tuple[NDArray[np.uint8], float]:
    run = folder / "run"
    rareseg.train(data, output=run, minutes=minutes, settings=settings, overwrite=True, progress=on_stderr())
    road = rareseg.evaluate(run, data).classes["foreground"]
    maps = rareseg.predict(run, [folder / "scene.png"], output=folder / "maps", overwrite=True)
    labels = read_values(maps[0])
    print(f"{settings or 'rareseg'}: IoU {road.iou:.3f}, AP {road.average_precision:.3f} on held-out scenes")
    return labels[0].astype(np.uint8), road.iou or 0.0


def _black_and_white(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(np.where(labels == 1, 255, 0).astype(np.uint8)[None], 3, axis=0)


def _side_by_side(panels: list[tuple[str, NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    width = len(panels) * (SIZE + GAP) - GAP
    canvas = np.full((SIZE + CAPTION, width, 3), 255, np.uint8)
    for number, (title, panel) in enumerate(panels):
        left = number * (SIZE + GAP)
        canvas[:SIZE, left : left + SIZE] = panel.transpose(1, 2, 0)
        place = (left + 4, SIZE + 30)
        cv2.putText(canvas, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (30, 30, 30), 2, cv2.LINE_AA)
    return np.ascontiguousarray(canvas.transpose(2, 0, 1))


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    height, width = picture.shape[1:]
    with RasterWriter(path, height=height, width=width, bands=3, dtype="uint8", overwrite=True) as writer:
        writer.write(Window(0, 0, height, width), picture)


if __name__ == "__main__":
    main()
