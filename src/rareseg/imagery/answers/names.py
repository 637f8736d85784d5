"""What the name of a prediction says: the image it belongs to, what it holds, and of which class."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from rareseg.imagery.sets.layouts import IMAGE_SUFFIXES, MASK_SUFFIXES
from rareseg.records.dataset import Pair

Kind = Literal["classes", "probabilities", "logits"]
"""What maps hold: class ids; probabilities, scaled or not; logits."""

_GAP = re.compile(r"[^0-9a-z]+")
_NUMBERED = re.compile(r"(?:class|cls|c|ch|channel|band|label)?0*(\d{1,3})")
_SAID: dict[str, Kind] = {
    **dict.fromkeys(("class", "classes", "cls", "mask", "masks", "label", "labels", "seg", "ids"), "classes"),
    **dict.fromkeys(("segmentation", "argmax", "classmap", "trainids", "labelids"), "classes"),
    **dict.fromkeys(
        ("prob", "probs", "proba", "probability", "probabilities", "score", "scores"), "probabilities"
    ),
    **dict.fromkeys(("conf", "confidence", "heat", "heatmap", "softmax", "sigmoid"), "probabilities"),
    **dict.fromkeys(("logit", "logits"), "logits"),
}
_NEUTRAL = {
    *("pred", "preds", "predict", "predicted", "prediction", "predictions", "out", "output", "outputs"),
    *("result", "results", "map", "maps", "raw", "of", "for", "image", "img", "sat"),
}
_PICTURES = {
    *("preview", "previews", "overlay", "overlays", "vis", "viz", "visual", "visualization", "visualisation"),
    *(
        "color",
        "colour",
        "colors",
        "colours",
        "colored",
        "coloured",
        "blend",
        "blended",
        "figure",
        "comparison",
    ),
}


class Named(NamedTuple):
    """One file, and what its name says beside the image's."""

    path: Path
    pairs: tuple[Pair, ...]
    """Images of that name: several where parts share names."""
    kind: Kind | None
    label: int | None
    """Class whose name stands there."""
    number: int | None
    """Number that may be that of a class."""
    rest: str
    """Words that say nothing known: the same for all files of one set of predictions."""
    picture: bool
    """Made to be looked at."""


class Names:
    """The names of the images, in all spellings under which predictions are saved."""

    def __init__(self, pairs: Sequence[Pair], classes: Sequence[str]) -> None:
        """Collect the stems of images and masks, with and without the known endings."""
        self._pairs: dict[str, list[Pair]] = {}
        for pair in pairs:
            for stem in sorted(_stems(pair)):
                self._pairs.setdefault(stem, []).append(pair)
        words = ((_words(name), label) for label, name in enumerate(classes))
        # Longer names first: "road marking" before "road".
        self._classes = sorted(words, key=lambda item: -len(item[0]))

    def read(self, path: Path, folder: Path) -> Named | None:
        """Say what the name of `path`, below `folder`, says; None if it names no image."""
        stem = path.stem.lower()
        found = self._image(stem)
        if found is None:
            return None
        key, beside = found
        above = path.relative_to(folder).parent.parts
        pairs = _nearest(self._pairs[key], above)
        label, words = self._class(_words(beside))
        if label is None and above:
            label, _ = self._class(_words(above[-1]), whole=True)
        kind, number, rest, picture = _meaning(words)
        return Named(path, pairs, kind, label, number, rest, picture)

    def _image(self, stem: str) -> tuple[str, str] | None:
        """Return the longest image name that begins or ends `stem`, and what is left of `stem`."""
        if stem in self._pairs:
            return stem, ""
        gaps = [(match.start(), match.end()) for match in re.finditer(r"[_\-. ]+", stem)]
        found = [(stem[:start], stem[start:]) for start, _ in gaps] + [
            (stem[end:], stem[:end]) for _, end in gaps
        ]
        known = [(key, rest) for key, rest in found if key in self._pairs]
        return max(known, key=lambda item: len(item[0]), default=None)

    def _class(self, words: tuple[str, ...], *, whole: bool = False) -> tuple[int | None, tuple[str, ...]]:
        """Return the class that is named among `words`, and the other words."""
        for name, label in self._classes:
            for start in range(len(words) - len(name) + 1):
                end = start + len(name)
                if words[start:end] == name and (not whole or len(words) == len(name)):
                    return label, words[:start] + words[end:]
        return None, words


def _stems(pair: Pair) -> set[str]:
    image, mask = PurePosixPath(pair.image).stem.lower(), PurePosixPath(pair.mask).stem.lower()
    found = {image, mask}
    found |= {image.removesuffix(ending.lower()) for ending in IMAGE_SUFFIXES}
    found |= {mask.removesuffix(ending.lower()) for ending in MASK_SUFFIXES}
    return {stem for stem in found if stem}


def _nearest(pairs: Sequence[Pair], above: Sequence[str]) -> tuple[Pair, ...]:
    """Keep the images whose folders share most names with those of the prediction, where some do."""
    names = {name.lower() for name in above}
    shared = [len(names & {part.lower() for part in PurePosixPath(pair.image).parts}) for pair in pairs]
    return tuple(pair for pair, count in zip(pairs, shared, strict=True) if count == max(shared))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _GAP.split(text.lower()) if word)


def _meaning(words: Sequence[str]) -> tuple[Kind | None, int | None, str, bool]:
    """Return the kind, the number, the unknown words and whether it is a picture."""
    kind: Kind | None = None
    number: int | None = None
    rest: list[str] = []
    for word in words:
        numbered = _NUMBERED.fullmatch(word)
        if word in _SAID:
            kind = kind or _SAID[word]
        elif numbered:
            number = int(numbered[1])
        elif word not in _NEUTRAL and word not in _PICTURES:
            rest.append(word)
    if number is not None and kind == "classes" and any(word in ("class", "cls", "label") for word in words):
        kind = None  # "class_3" is the third class's map, of whatever kind
    return kind, number, "_".join(rest), any(word in _PICTURES for word in words)
