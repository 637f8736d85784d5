"""Where images and masks lie: a short TOML, or a folder that follows a known layout."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rareseg.errors import LayoutError, RecordError
from rareseg.imagery.formats import OTHER_IMAGES, SUFFIXES
from rareseg.records.codec import decode_toml
from rareseg.records.dataset import PARTS, DataSpec, PartName

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "photos", "photo", "sat", "rgb")
MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "groundtruth", "ground_truth", "gt", "annotations", "annotation"),
    *("annot", "targets", "segmentation", "map", "maps"),
)
PART_FOLDERS: dict[PartName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
MASK_PART_ENDINGS = ("annot", "_annot", "_labels", "_label", "_masks", "_mask", "_gt", "labels", "masks")
MASK_SUFFIXES = (
    *("_mask", "_masks", "_label", "_labels", "_gt", "_groundtruth", "_annotation", "_annot", "_seg"),
    *("_map", "_road", "_L", "-mask", "-label", "-labels", "-gt"),
)
IMAGE_SUFFIXES = ("_sat", "_image", "_img", "_rgb", "_photo", "-image", "-img")

TEMPLATE = """\
images = "photos"                 # folder or glob, relative to this file
masks = "labels"
# mask_suffix = "_mask"           # if photo a.jpg has the mask a_mask.png
[[classes]]
name = "background"
values = [0]
[[classes]]
name = "road"
values = [255]"""


class Files(NamedTuple):
    """Images and masks of one ready-made part, or of all data if `part` is None. Paths are sorted."""

    part: PartName | None
    images: tuple[Path, ...]
    masks: tuple[Path, ...]


class Layout(NamedTuple):
    """What was recognised: the layout's name, the folder that paths are relative to, and the files."""

    name: str
    root: Path
    files: tuple[Files, ...]
    spec: DataSpec
    left_out: tuple[str, ...] = ()
    """Folders of images that have no masks, a sentence each."""


def recognise(data: Path) -> Layout:
    """Find images and masks.

    Args:
        data: a TOML file that holds a DataSpec, or a folder.

    Raises:
        LayoutError: if nothing is there, no layout fits, or two fit.
        RecordError: if the TOML is malformed.
    """
    if data.is_file() and data.suffix.lower() == ".toml":
        return _from_toml(data)
    if not data.is_dir():
        state = "is a file" if data.exists() else "does not exist"
        message = (
            f"{data} {state}. Expected a folder of images and masks, or a .toml that says where they are."
        )
        raise LayoutError(message)
    layout = _camvid(data) or _parts_inside(data) or _whole(data)
    if layout is None:
        raise _unknown(data)
    return layout


def rasters_in(folder: Path) -> tuple[Path, ...]:
    """List the images of a folder, sorted by name; images of formats that are not read are listed too."""
    wanted = (*SUFFIXES, *OTHER_IMAGES)
    found = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return tuple(sorted(path for path in found if path.suffix.lower() in wanted))


def _camvid(data: Path) -> Layout | None:
    """train + trainannot, val + valannot, ..., and the like with other endings."""
    folders = _folders(data)
    ending = next(
        (end for end in MASK_PART_ENDINGS if any(f"{name}{end}" in folders for name in _PART_NAMES)), None
    )
    if ending is None:
        return None
    files, left_out = [], []
    for part, name in _parts_of(data, folders):
        masks = folders.get(f"{name}{ending}")
        if masks is None:
            left_out.append(f"{name}/ is left out: it has no {name}{ending}/")
            continue
        files.append(Files(part, rasters_in(folders[name]), rasters_in(masks)))
    layout = "camvid" if ending == "annot" else f"train|val|test with *{ending}"
    return Layout(layout, data, tuple(files), DataSpec(), tuple(left_out)) if files else None


def _parts_inside(data: Path) -> Layout | None:
    """train/images + train/masks, or images/train + masks/train."""
    folders = _folders(data)
    files, left_out, name = [], [], ""
    for part, folder in _parts_of(data, folders):
        inner = _whole(folders[folder])
        if inner is None:
            left_out.append(f"{folder}/ is left out: no images with masks were found in it")
            continue
        name = f"train|val|test of {inner.name}"
        files.append(inner.files[0]._replace(part=part))
    if files:
        return Layout(name, data, tuple(files), DataSpec(), tuple(left_out))
    return _parts_below(data)


def _parts_below(data: Path) -> Layout | None:
    pair = _image_and_mask_folder(data)
    if pair is None or any(rasters_in(folder) for folder in pair):
        return None
    images, masks = pair
    image_parts, mask_parts = _folders(images), _folders(masks)
    files, left_out = [], []
    for part, name in _parts_of(images, image_parts):
        if name not in mask_parts:
            left_out.append(f"{images.name}/{name}/ is left out: there is no {masks.name}/{name}/")
            continue
        files.append(Files(part, rasters_in(image_parts[name]), rasters_in(mask_parts[name])))
    name = f"{images.name} + {masks.name} of train|val|test"
    return Layout(name, data, tuple(files), DataSpec(), tuple(left_out)) if files else None


def _whole(data: Path) -> Layout | None:
    """images + masks side by side, or photos and masks in one folder, told by the ends of their names."""
    pair = _image_and_mask_folder(data)
    if pair is not None:
        files = Files(None, *(rasters_in(folder) for folder in pair))
        return (
            Layout(f"{pair[0].name} + {pair[1].name}", data, (files,), DataSpec()) if any(files[1:]) else None
        )
    rasters = rasters_in(data)
    for ending in MASK_SUFFIXES:
        masks = tuple(path for path in rasters if path.stem.endswith(ending))
        if masks and len(masks) < len(rasters):
            images = tuple(path for path in rasters if path not in set(masks))
            common = next((end for end in IMAGE_SUFFIXES if all(p.stem.endswith(end) for p in images)), "")
            files = Files(None, images, masks)
            return Layout(f"*{common} + *{ending} in one folder", data, (files,), DataSpec())
    return None


def _image_and_mask_folder(data: Path) -> tuple[Path, Path] | None:
    folders = _folders(data)
    images = [folders[name] for name in IMAGE_FOLDERS if name in folders]
    masks = [folders[name] for name in MASK_FOLDERS if name in folders]
    if not images or not masks:
        return None
    for kind, found in (("image", images), ("mask", masks)):
        if len(found) > 1:
            names = ", ".join(f"{path.name}/" for path in found)
            message = f"{data} has several {kind} folders: {names}. Say which to read in a .toml:\n{TEMPLATE}"
            raise LayoutError(message)
    return images[0], masks[0]


def _from_toml(path: Path) -> Layout:
    spec = decode_toml(path.read_bytes(), DataSpec, str(path))
    root = path.parent
    parts = [(part, getattr(spec, part)) for part in PARTS if getattr(spec, part) is not None]
    if bool(parts) == bool(spec.images or spec.masks) or bool(spec.images) != bool(spec.masks):
        message = f"{path}: expected either images and masks, or parts such as [train] with images and masks."
        raise RecordError(message)
    if parts:
        files = [
            Files(part, _matches(root, said.images, path), _matches(root, said.masks, path))
            for part, said in parts
        ]
    else:
        images, masks = spec.images or "", spec.masks or ""
        files = [Files(None, _matches(root, images, path), _matches(root, masks, path))]
    return Layout("toml", root, tuple(files), spec)


def _matches(root: Path, pattern: str, said_in: Path) -> tuple[Path, ...]:
    """List the images of a folder or of a glob."""
    folder = root / pattern
    if folder.is_dir():
        found = rasters_in(folder)
    else:
        below, rest = _split_glob(root, pattern)
        wanted = (*SUFFIXES, *OTHER_IMAGES)
        matches = below.glob(rest) if rest else iter(())
        found = tuple(sorted(match for match in matches if match.suffix.lower() in wanted))
    if not found:
        message = f"{said_in}: {pattern!r} matches no image ({', '.join(SUFFIXES)}) below {root}."
        raise LayoutError(message)
    return found


def _split_glob(root: Path, pattern: str) -> tuple[Path, str]:
    """Split "../a/b*/c" at the first wildcard, since Path.glob takes neither ".." nor absolute patterns."""
    steps = Path(pattern).parts
    first = next((index for index, step in enumerate(steps) if re.search(r"[*?\[]", step)), len(steps))
    return root.joinpath(*steps[:first]), "/".join(steps[first:])


_PART_NAMES = tuple(name for names in PART_FOLDERS.values() for name in names)


def _parts_of(data: Path, folders: dict[str, Path]) -> list[tuple[PartName, str]]:
    found: list[tuple[PartName, str]] = []
    for part, names in PART_FOLDERS.items():
        present = [name for name in names if name in folders]
        if len(present) > 1:
            message = f"{data} has several folders for {part}: {', '.join(present)}. Say which in a .toml."
            raise LayoutError(message)
        found += [(part, name) for name in present]
    return found


def _folders(data: Path) -> dict[str, Path]:
    """Folders by their names in lower case."""
    return {path.name.lower(): path for path in sorted(data.iterdir()) if path.is_dir()}


def _unknown(data: Path) -> LayoutError:
    entries = [f"{path.name}/" if path.is_dir() else path.name for path in sorted(data.iterdir())]
    message = (
        f"{data} follows no known layout.\n"
        f"Looked for: {_listed(IMAGE_FOLDERS)} beside {_listed(MASK_FOLDERS)};\n"
        f"  train|val|test beside trainannot|valannot|testannot, or each with images/ and masks/ inside;\n"
        f"  *_sat.jpg with *_mask.png in one folder.\n"
        f"Found: {_listed(entries, 12) or 'nothing'}.\n"
        f"Rename the folders, or describe them in a .toml and pass that instead:\n{TEMPLATE}"
    )
    return LayoutError(message)


def _listed(names: Sequence[str], most: int = 40) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
