"""From a folder of predictions, made by any tool, to the answers for labelled images."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rareseg.errors import DataError, LayoutError, Problem, SettingError
from rareseg.imagery.answers.files import ARRAYS, Head, head_of, stacked
from rareseg.imagery.answers.forms import Form, Values, decide, look, merged
from rareseg.imagery.answers.names import Kind, Named, Names
from rareseg.imagery.formats import SUFFIXES
from rareseg.imagery.rasters import describe
from rareseg.imagery.sets.pairs import THREADS
from rareseg.imagery.tiles import Window
from rareseg.records.dataset import Dataset, Pair

_PREFERRED: tuple[Kind | None, ...] = ("probabilities", "logits", None, "classes")
"""Of several kinds of maps for the same images: what ranks pixels says more than what only names classes."""
_SAMPLE_PX = 1 << 26
"""Values of integers that are looked at before the form is decided: mostly all."""
_SAMPLE_FLOATS = 1 << 22
"""Values of floats: their range tells what they are."""
_SAMPLE_SIDE = 2048


class Answered(NamedTuple):
    """A labelled image and the files that answer for it: one, or one for each channel."""

    pair: Pair
    heads: tuple[Head, ...]


class FoundAnswers(NamedTuple):
    """Answers for labelled images, and how they are read."""

    folder: Path
    form: Form
    answered: tuple[Answered, ...]
    notes: tuple[str, ...]
    """What was left aside, a sentence each."""


class _Set(NamedTuple):
    """Files of one kind, by image."""

    kind: Kind | None
    rest: str
    files: dict[Pair, list[Named]]


def find_answers(
    folder: Path,
    pairs: Sequence[Pair],
    *,
    root: Path,
    dataset: Dataset,
    kind: Kind | None = None,
    scale: float | None = None,
    channels: Sequence[int | str] | None = None,
) -> FoundAnswers:
    """Match predictions to labelled images by name, and infer what they hold.

    Names may bear endings or beginnings such as _pred, _prob, _mask, _class, and the name or number of a class
    where there is a file for each; folders inside `folder` are looked into. Of several kinds of maps for the same
    images, probabilities are taken.

    Args:
        folder: PNG, JPEG, TIFF, GeoTIFF or .npy files.
        pairs: the labelled images that may be answered for.
        root: the folder that the pairs' paths are relative to.
        dataset: says the classes and how masks are read.
        kind: what the files hold, if that is known: "classes", "probabilities" or "logits".
        scale: stored value of probability 1, if that is known.
        channels: class of each channel, by number or name, if that is known.

    Raises:
        LayoutError: if no file answers for one of the images, or several sets of files do.
        DataError: if files cannot be read, or differ from their image in size or georeference: all, with
            reasons; or if it cannot be told what they hold.
        SettingError: if `channels` names no class.
    """
    named, notes = _named(folder, pairs, dataset)
    chosen, others = _chosen(named, kind, folder)
    notes += others
    labels = _numbers(channels, dataset) or _labels(chosen, dataset)
    answered = _checked(chosen, labels, root)
    said = kind or (chosen.kind if chosen.kind != "classes" or labels is None else None)
    seen = _sampled(answered)
    form = decide(seen, dataset, said=said, scale=scale, labels=labels, name=str(folder))
    missing = len(pairs) - len(answered)
    if missing:
        notes.append(f"{missing} of {len(pairs)} labelled images have no prediction; they are left out.")
    return FoundAnswers(folder, form, answered, tuple(notes))


def _numbers(channels: Sequence[int | str] | None, dataset: Dataset) -> tuple[int, ...] | None:
    """Return the class of each channel as a number.

    Raises:
        SettingError: if there is no such class.
    """
    if channels is None:
        return None
    names = {name: label for label, name in enumerate(dataset.classes)}
    names = {str(label): label for label in range(len(names))} | names
    unknown = [str(one) for one in channels if str(one) not in names]
    if unknown:
        message = (
            f"channels: expected the class of each channel, of {', '.join(dataset.classes)} or 0 to "
            f"{len(dataset.classes) - 1}; received {', '.join(unknown)}."
        )
        raise SettingError(message)
    return tuple(names[str(one)] for one in channels)


def _named(folder: Path, pairs: Sequence[Pair], dataset: Dataset) -> tuple[list[Named], list[str]]:
    """List the files that answer for one of the images, and say what else there is."""
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        message = f"{folder} {state}. Expected a folder of predictions, named after the images."
        raise LayoutError(message)
    names = Names(pairs, dataset.classes)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in (*SUFFIXES, *ARRAYS) and path.is_file() and not path.name.startswith(".")
    )
    read = [names.read(path, folder) for path in files]
    named = [one for one in read if one is not None and not one.picture]
    if not named:
        found = ", ".join(path.name for path in files[:5]) or "no PNG, JPEG, TIFF or .npy file"
        expected = ", ".join(Path(pair.image).stem for pair in pairs[:3])
        message = (
            f"{folder}: no file is named after one of the {len(pairs)} labelled images. Expected names that begin or "
            f"end with those of the images, such as {expected}; found {found}. Rename the predictions."
        )
        raise LayoutError(message)
    # Images of other parts are not asked about; their predictions are no strangers.
    others = Names(dataset.pairs, dataset.classes)
    strangers = sum(
        one is None and others.read(path, folder) is None for one, path in zip(read, files, strict=True)
    )
    pictures = sum(one is not None and one.picture for one in read)
    notes = [f"{strangers} files are named after none of the labelled images."] if strangers else []
    notes += [f"{pictures} files are previews by their names; they are not read."] if pictures else []
    unclear = [Problem(str(one.path), _several(one)) for one in named if len(one.pairs) > 1]
    if unclear:
        message = (
            "Several images bear the name of a prediction. Keep predictions in folders named as the images':"
        )
        raise LayoutError(message, unclear)
    return named, notes


def _several(one: Named) -> str:
    return "may belong to " + ", ".join(pair.image for pair in one.pairs[:4])


def _chosen(named: Sequence[Named], kind: Kind | None, folder: Path) -> tuple[_Set, list[str]]:
    """Choose one set of files: the one that answers for most images, then the one that says most."""
    sets: dict[tuple[Kind | None, str], _Set] = {}
    for one in named:
        found = sets.setdefault((one.kind, one.rest), _Set(one.kind, one.rest, {}))
        found.files.setdefault(one.pairs[0], []).append(one)
    wanted = [found for found in sets.values() if kind is None or found.kind in (kind, None)] or [
        *sets.values()
    ]
    ranked = sorted(wanted, key=lambda found: (-len(found.files), _PREFERRED.index(found.kind), found.rest))
    first = ranked[0]
    rivals = [found for found in ranked if len(found.files) == len(first.files) and found.kind == first.kind]
    if len(rivals) > 1:
        shown = "; ".join(_example(found) for found in rivals[:4])
        message = (
            f"{folder} holds {len(rivals)} predictions for each image, told apart by their names only: {shown}. "
            "Keep each set in a folder of its own."
        )
        raise LayoutError(message)
    others = [found for found in sets.values() if found is not first]
    return first, [f"Left aside: files such as {_example(found)}." for found in others]


def _example(found: _Set) -> str:
    return next(iter(found.files.values()))[0].path.name


def _labels(chosen: _Set, dataset: Dataset) -> tuple[int, ...] | None:
    """Return the classes of the files of each image, in their order; None where names do not say them."""
    every = [one for files in chosen.files.values() for one in files]
    if all(one.label is not None for one in every):
        return tuple(sorted({_order(one)[0] for one in every}))
    numbers = {_order(one)[1] for one in every}
    if not _several_each(chosen) or -1 in numbers:
        return None
    # Numbers that go up to that of the classes count from 1.
    from_one = numbers == set(range(1, len(dataset.classes) + 1))
    return tuple(sorted(number - from_one for number in numbers))


def _order(one: Named) -> tuple[int, int, str]:
    return -1 if one.label is None else one.label, -1 if one.number is None else one.number, one.path.name


def _several_each(chosen: _Set) -> bool:
    return max(map(len, chosen.files.values())) > 1


def _checked(chosen: _Set, labels: tuple[int, ...] | None, root: Path) -> tuple[Answered, ...]:
    """Read the heads of all files, and raise what does not fit in one error."""

    wanted = len(labels) if labels is not None and _several_each(chosen) else 1

    def heads(item: tuple[Pair, list[Named]]) -> Answered | list[Problem]:
        return _heads(*item, wanted, root)

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(heads, sorted(chosen.files.items(), key=lambda item: item[0].image)))
    problems = [problem for one in found if isinstance(one, list) for problem in one]
    answered = tuple(one for one in found if isinstance(one, Answered))
    kinds = Counter(tuple((head.channels, head.dtype) for head in one.heads) for one in answered)
    usual = kinds.most_common(1)[0][0] if kinds else ()
    for one in answered:
        kind = tuple((head.channels, head.dtype) for head in one.heads)
        if kind != usual:
            held, usually = _kinds(kind), _kinds(usual)
            problems.append(Problem(str(one.heads[0].path), f"holds {held}, but most hold {usually}"))
    if problems:
        message = (
            f"{len(problems)} predictions do not fit their images or each other. Replace or remove these:"
        )
        raise DataError(message, problems)
    return answered


def _kinds(kind: Sequence[tuple[int, str]]) -> str:
    return " + ".join(f"{channels} channels of {dtype}" for channels, dtype in kind)


def _heads(pair: Pair, files: Sequence[Named], wanted: int, root: Path) -> Answered | list[Problem]:
    """Read the heads of one image's files; return what is wrong with them, if anything."""
    in_order = sorted(files, key=_order)
    if len(files) != wanted:
        named = ", ".join(one.path.name for one in in_order)
        reason = f"{len(files)} files answer for {pair.image}, expected {wanted}: {named}"
        return [Problem(str(in_order[0].path), reason)]
    heads: list[Head] = []
    problems: list[Problem] = []
    for one in in_order:
        try:
            head = head_of(one.path, pair.height, pair.width)
        except DataError as error:
            problems += error.problems or (Problem(str(one.path), str(error)),)
            continue
        heads.append(head)
        problems += [Problem(str(one.path), reason) for reason in _misfits(head, pair, root)]
    return problems or Answered(pair, tuple(heads))


def _misfits(head: Head, pair: Pair, root: Path) -> list[str]:
    if (head.height, head.width) != (pair.height, pair.width):
        sizes = f"{head.height} x {head.width} px (height x width)"
        return [f"is {sizes}, but its image {pair.image} is {pair.height} x {pair.width}"]
    image = describe(root / pair.image).georeference if head.georeference else None
    if image is None or head.georeference is None:
        return []
    apart = image.disagreement(head.georeference, head.height, head.width)
    return [f"lies elsewhere than its image {pair.image}: {apart}"] if apart else []


def _sampled(answered: Sequence[Answered]) -> Values:
    """Look at the values of as many files as needed, spread over all."""
    first = answered[0].heads[0]
    most = _SAMPLE_FLOATS if first.dtype.startswith("float") else _SAMPLE_PX
    each = [_window(one) for one in answered]
    values = sum(window.height * window.width * sum(head.channels for head in one.heads)
                 for one, window in zip(answered, each, strict=True))  # fmt: skip
    every = -(-values // most)

    def seen(item: tuple[Answered, Window]) -> Values:
        return look(stacked(item[0].heads, item[1]))

    items = list(zip(answered, each, strict=True))[::every]
    with ThreadPoolExecutor(THREADS) as pool:
        return merged(list(pool.map(seen, items)))


def _window(one: Answered) -> Window:
    """Return the middle of an image."""
    height, width = min(one.pair.height, _SAMPLE_SIDE), min(one.pair.width, _SAMPLE_SIDE)
    return Window((one.pair.height - height) // 2, (one.pair.width - width) // 2, height, width)
