"""Which images belong together: crops of one scene, and files with the same content."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from rareseg.errors import Problem, SettingError, SplitError
from rareseg.records.dataset import DataSpec

# A scene's name, then where the crop lies in it: ..._y1000_x500, ..._r0_c512, ...-row_1-col_2.
_OFFSETS = re.compile(
    r"^(?P<scene>.*?)(?:^|[_\-. ])(?:(?:y|r|row)[_\-]?\d+[_\-. ]?(?:x|c|col)[_\-]?\d+"
    r"|(?:x|c|col)[_\-]?\d+[_\-. ]?(?:y|r|row)[_\-]?\d+)$",
    re.IGNORECASE,
)
# A scene's name, then a counted piece: ..._crop03, ..._tile_7.
_PIECES = re.compile(r"^(?P<scene>.+?)[_\-. ](?:crop|tile|patch|chip|piece)[_\-]?\d+$", re.IGNORECASE)
# A scene's name, then two numbers that are offsets only if they step evenly by many pixels: ..._0_512.
_NUMBERS = re.compile(r"^(?P<scene>.+)[_\-](?P<first>\d+)[_\-](?P<second>\d+)$")
_LEAST_STEP = 32


def grouped_by(stems: Sequence[str], spec: DataSpec) -> tuple[list[str], str]:
    """Group by the pattern that the user gave, else by what names make evident.

    Returns:
        The group of each stem, and a sentence that says how they were found.

    Raises:
        SettingError, SplitError: as `group_by_pattern`.
    """
    if spec.group is None:
        return evident_groups(stems)
    return group_by_pattern(stems, spec.group), f"groups by {spec.group!r}"


def group_by_pattern(stems: Sequence[str], pattern: str) -> list[str]:
    """Name each stem's group by a regular expression: its group "group", else its first, else the match.

    Raises:
        SettingError: if the pattern is no regular expression.
        SplitError: listing the stems in which it is not found.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        message = f"group = {pattern!r} is no regular expression: {error}."
        raise SettingError(message) from error
    found = [expression.search(stem) for stem in stems]
    missed = [
        Problem(stem, "the pattern is not found") for stem, hit in zip(stems, found, strict=True) if not hit
    ]
    if missed:
        message = (
            f"group = {pattern!r} must be found in every stem, but is not in {len(missed)} of {len(stems)}:"
        )
        raise SplitError(message, missed)
    return [_named(hit) for hit in found if hit]


def evident_groups(stems: Sequence[str]) -> tuple[list[str], str]:
    """Group crops of one scene where names make that evident, else give each stem a group of its own.

    Returns:
        The groups, and a sentence that says how they were found.
    """
    for expression, shown in ((_OFFSETS, "row and column offsets"), (_PIECES, "crop numbers")):
        hits = [expression.match(stem) for stem in stems]
        groups = [hit["scene"] or "scene" if hit else stem for hit, stem in zip(hits, stems, strict=True)]
        if _repeats(groups):
            return groups, f"names end in {shown}, so crops of one scene stay together"
    numbered = _numbered(stems)
    if numbered is not None:
        return numbered, "names end in evenly stepped offsets, so crops of one scene stay together"
    return list(stems), "no name shows that images are crops of one scene, so each is a group of its own"


def twins(paths: Sequence[Path]) -> list[list[int]]:
    """Return the indices of files with the same bytes, one list per content that occurs more than once."""
    sizes = defaultdict(list)
    for index, path in enumerate(paths):
        sizes[path.stat().st_size].append(index)
    contents = defaultdict(list)
    for indices in sizes.values():
        # Files of a size of their own need not be read.
        for index in indices if len(indices) > 1 else ():
            contents[_digest(paths[index])].append(index)
    return [indices for indices in contents.values() if len(indices) > 1]


def _named(hit: re.Match[str]) -> str:
    if "group" in hit.re.groupindex:
        return hit["group"] or ""
    return (hit[1] or "") if hit.re.groups else hit[0]


def _repeats(groups: Sequence[str]) -> bool:
    return len(set(groups)) < len(groups)


def _numbered(stems: Sequence[str]) -> list[str] | None:
    hits = [_NUMBERS.match(stem) for stem in stems]
    found = [hit for hit in hits if hit]
    scenes = [hit["scene"] for hit in found]
    if len(found) < len(stems) or not _repeats(scenes):
        return None
    offsets = [(int(hit["first"]), int(hit["second"])) for hit in found]
    steps = [_step([offset[axis] for offset in offsets]) for axis in (0, 1)]
    # Two crops of a scene cannot lie at one place, so repeated offsets are something else.
    distinct = Counter(zip(scenes, offsets, strict=True)).most_common(1)[0][1] == 1
    return scenes if distinct and min(steps) >= _LEAST_STEP else None


def _step(offsets: Sequence[int]) -> int:
    """Return the smallest distance between offsets if all but the last are whole multiples of it, else 0."""
    distinct = sorted(set(offsets))
    steps = [after - before for before, after in zip(distinct, distinct[1:], strict=False)]
    # The last crop of a row is often shifted inwards, so the largest offset need not fit.
    least = min(steps[:-1] or steps, default=0)
    return least if least and all(offset % least == 0 for offset in distinct[:-1]) else 0


def _digest(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
