"""Predict: from a run and photos of any size to class maps, probability maps and previews."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, Problem
from rareseg.imagery.formats import SUFFIXES
from rareseg.imagery.maps import MapFiles, MapWriter
from rareseg.imagery.rasters import RasterInfo, Window, describe
from rareseg.imagery.samples import read_photo
from rareseg.measures.decisions import decide
from rareseg.network.forward import Mapper
from rareseg.network.trained import TrainedRun, load_run
from rareseg.progress import Progress, Silent, Task
from rareseg.records.codec import refuse_existing
from rareseg.records.dataset import VOID


def predict_images(
    folder: Path,
    images: Sequence[Path],
    output: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Map photos, or all photos of folders, with the run in `folder`; return the files written into `output`.

    For photo NAME: NAME_classes (uint8 class indices, 255 without photo), NAME_probability (0..1, see MapFiles)
    and NAME_preview.png. GeoTIFF in gives GeoTIFF out, georeference kept; PNG and JPEG give PNG.

    Raises:
        DataError: listing every image that cannot be read or does not fit the run.
        OutputExistsError: if a map exists and `overwrite` is false.
    """
    progress = progress or Silent()
    trained = load_run(folder)
    infos = _fitting(_photos(images), trained)
    names, overlapping = trained.plan.classes, trained.plan.overlapping
    jobs = [(info, MapFiles.planned(info.path, output, names, overlapping=overlapping)) for info in infos]
    _refuse_clashes(jobs)
    for path in (path for _, files in jobs for path in files.all()):
        refuse_existing(path, overwrite=overwrite)
    mapper = trained.mapper()
    with progress.task("mapping", sum(info.height * info.width for info in infos)) as task:
        for info, files in jobs:
            _map_photo(trained, mapper, info, files, task, overwrite=overwrite)
    return tuple(path for _, files in jobs for path in files.all())


def _map_photo(
    trained: TrainedRun, mapper: Mapper, info: RasterInfo, files: MapFiles, task: Task, *, overwrite: bool
) -> None:
    plan, run = trained.plan, trained.run

    def read(window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        return read_photo(info.path, trained.audit.dataset.nodata, window)

    writer = MapWriter(
        files,
        info,
        len(plan.classes),
        plan.overlapping,
        centre=run.photo.mean,
        spread=run.photo.std,
        overwrite=overwrite,
    )
    with writer:
        for block in mapper.map_blocks(read, info.height, info.width):
            given = decide(
                block.probabilities,
                run.thresholds,
                decision=plan.inference.decision,
                overlapping=plan.overlapping,
                weights=run.decision_weights,
            )
            labels = np.where(block.has_photo, given, np.uint8(VOID))
            photo, _ = read(block.window)
            writer.write(block.window, labels, block.probabilities, photo, block.has_photo)
            task.advance(block.window.height * block.window.width, note=info.path.name)


def _photos(images: Sequence[Path]) -> list[Path]:
    """Return the photos named, and those directly in the folders named, in order."""
    found: list[Path] = []
    problems: list[Problem] = []
    for path in images:
        inside = sorted(entry for entry in path.iterdir() if _is_photo(entry)) if path.is_dir() else [path]
        if not inside:
            problems.append(Problem(str(path), f"folder holds no image ({', '.join(SUFFIXES)})"))
        found += inside
    if problems or not found:
        message = "Expected images or folders of images to map:"
        raise DataError(message, problems)
    # A photo may be named twice, by itself and by its folder.
    once: dict[Path, Path] = {}
    for path in found:
        once.setdefault(path.resolve(), path)
    return list(once.values())


def _is_photo(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _fitting(photos: Sequence[Path], trained: TrainedRun) -> list[RasterInfo]:
    """Describe every photo, and refuse all that the run cannot map in one error."""
    infos: list[RasterInfo] = []
    problems: list[Problem] = []
    own = trained.audit.dataset
    for path in photos:
        try:
            info = describe(path)
        except DataError as error:
            problems += error.problems or [Problem(str(path), str(error))]
            continue
        if info.photo_bands != own.bands:
            reason = f"has {info.photo_bands} bands; the run was trained on {own.bands}"
            problems.append(Problem(str(path), reason))
        elif info.dtype != own.dtype:
            problems.append(Problem(str(path), f"is {info.dtype}; the run was trained on {own.dtype}"))
        else:
            infos.append(info)
    if problems:
        message = f"{len(problems)} of {len(photos)} images cannot be mapped by this run. Convert or leave them out:"
        raise DataError(message, problems)
    return infos


def _refuse_clashes(jobs: Sequence[tuple[RasterInfo, MapFiles]]) -> None:
    """Refuse two photos whose maps would bear one name, and maps that would replace a photo."""
    first: dict[Path, Path] = {}
    problems: list[Problem] = []
    photos = {info.path.resolve() for info, _ in jobs}
    for info, files in jobs:
        problems += [
            Problem(str(info.path), f"its map {path.name} would replace a photo of that name")
            for path in files.all()
            if path.resolve() in photos
        ]
        earlier = {first.setdefault(path.with_suffix(""), info.path) for path in files.all()} - {info.path}
        problems += [
            Problem(str(info.path), f"has the same name as {other}, or one of its maps would")
            for other in sorted(earlier)
        ]
    if problems:
        message = "Maps are named after their photos. Map these in separate calls, into separate folders:"
        raise DataError(message, problems)
