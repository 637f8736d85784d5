"""Use what was trained: `predict`, and `demo`, which tells the whole story."""

from collections.abc import Sequence
from pathlib import Path

from rareseg import scenes
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.stages.predict import predict_images
from rareseg.verbs.scoring import evaluate
from rareseg.verbs.training import train

_DEMO_MINUTES = 2.5


def predict(
    run: Path | str,
    images: Sequence[Path | str],
    *,
    output: Path | str,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Map photos of any size; returns the files written: class raster, probabilities and preview of each.

    Args:
        run: folder of the run.
        images: photos, or folders of photos.
        output: folder for the maps.

    Raises:
        DataError: listing every image that cannot be read or does not fit the run.
        OutputExistsError: if a map exists and `overwrite` is false.
    """
    return predict_images(
        Path(run), [Path(image) for image in images], Path(output), overwrite=overwrite, progress=progress
    )


def demo(
    output: Path | str, *, overwrite: bool = False, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Run the whole story on generated scenes; returns the files worth looking at.

    Writes into `output`: scenes/ (photos and masks), new_scene.png (a photo without mask), run/ (with report.json,
    its page report.html and the pictures in it), and maps/. Takes under 5 minutes on two cores and downloads nothing.

    Raises:
        OutputExistsError: if `output` holds anything already and `overwrite` is false.
    """
    folder = Path(output)
    if folder.is_dir() and any(folder.iterdir()):
        codec.refuse_existing(folder, overwrite=overwrite)
    data = scenes.write_roads(
        folder / "scenes", count=28, size=384, road_share=0.04, seed=1, overwrite=overwrite
    )
    photo = scenes.write_photo(
        folder / "new_scene.png", seed=1001, size=1024, road_share=0.04, overwrite=overwrite
    )
    report = folder / "run" / "report.json"
    shown = progress or Silent()
    run = train(data, output=folder / "run", minutes=_DEMO_MINUTES, overwrite=overwrite, progress=shown)
    scores = evaluate(folder / "run", data, output=report, overwrite=overwrite, progress=shown)
    maps = predict(folder / "run", [photo], output=folder / "maps", overwrite=overwrite, progress=shown)
    road = scores.classes["foreground"]
    constant = scores.constant_predictor
    shown.say(
        f"{run.reason} Held-out scenes: road IoU {_shown(road.iou)}, AP {_shown(road.average_precision)}; the answer "
        f"{constant.answer!r} everywhere would be right at {constant.accuracy:.1%} of the pixels with a road IoU of 0."
    )
    return (report.with_suffix(".html"), report, *maps)


def _shown(score: float | None) -> str:
    return "not measurable" if score is None else f"{score:.3f}"
