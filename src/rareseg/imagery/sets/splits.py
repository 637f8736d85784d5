"""Training, validation and test parts: by group, never by crop, with every class in every part."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rareseg.errors import Problem, SettingError, SplitError
from rareseg.imagery.sets.balance import Dealer
from rareseg.imagery.sets.groups import grouped_by
from rareseg.records.dataset import PARTS, DataSpec, PartName

ENOUGH_GROUPS = 3
"""A class in so many groups can be, and is, in every part."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pair that is to be given a part."""

    image: str
    """Relative path, for messages."""
    stem: str
    part: PartName | None
    """The ready-made part it lies in, if there are any."""
    pixels: tuple[int, ...]
    """Labelled pixels of each class."""
    content: int | None = None
    """Equal for images with the same bytes; None if no other has them."""


class Split(NamedTuple):
    """Part and group of each candidate, and why."""

    parts: tuple[PartName, ...]
    groups: tuple[str, ...]
    because: str


def split(candidates: Sequence[Candidate], spec: DataSpec, classes: Sequence[str]) -> Split:
    """Give each pair its part.

    Ready-made parts are kept; where train and test are given without val, val is taken from train. Otherwise
    groups are dealt out so that pixels, and each class's pixels, come close to the shares `spec.split`, and a
    class that occurs in at least three groups occurs in every part. The same seed gives the same split.

    Raises:
        SplitError: if parts overlap, if there is no training part, or if there is only one group.
        SettingError: if the shares do not fit or are not needed, or the group pattern is malformed.
    """
    shares = _shares(spec)
    stems = [candidate.stem for candidate in candidates]
    groups, grouped = grouped_by(stems, spec)
    given = {candidate.part for candidate in candidates} - {None}
    if not given or given == {"train"}:
        return _deal(
            candidates, groups, shares, seed=spec.split_seed, because=f"{grouped}; ", classes=classes
        )
    if "train" not in given:
        message = (
            f"Expected a training part beside {_listed(given)}. Add one, or give all images in one folder."
        )
        raise SplitError(message)
    if "val" in given and (spec.split, spec.split_seed) != (DataSpec().split, DataSpec().split_seed):
        message = "Expected either ready-made parts or split and split_seed, got both. Remove one of them."
        raise SettingError(message)
    _refuse_overlap(candidates, groups if spec.group is not None else None)
    if "val" not in given:
        return _val_from_train(candidates, groups, shares, spec.split_seed, classes)
    parts = tuple(candidate.part or "train" for candidate in candidates)
    because = f"ready-made parts: {_counted(parts, groups)}{_leak(parts, groups, stems)}"
    if "test" not in given:
        because += "; without a test part, val is scored"
    return Split(parts, tuple(groups), because)


def _val_from_train(
    candidates: Sequence[Candidate],
    groups: Sequence[str],
    shares: Sequence[float],
    seed: int,
    classes: Sequence[str],
) -> Split:
    inside = [index for index, candidate in enumerate(candidates) if candidate.part == "train"]
    chosen = [candidates[index] for index in inside]
    dealt = _deal(
        chosen,
        [groups[index] for index in inside],
        (shares[0], shares[1], 0.0),
        seed=seed,
        because="",
        classes=classes,
    )
    parts: list[PartName] = [candidate.part or "train" for candidate in candidates]
    for index, part in zip(inside, dealt.parts, strict=True):
        parts[index] = part
    because = f"ready-made train and test; val taken from train by group: {_counted(parts, groups)}"
    return Split(tuple(parts), tuple(groups), because)


def _deal(
    candidates: Sequence[Candidate],
    groups: Sequence[str],
    shares: Sequence[float],
    *,
    seed: int,
    because: str,
    classes: Sequence[str],
) -> Split:
    joined = _join_twins(candidates, groups)
    names = sorted(set(joined))
    if len(names) == 1:
        message = (
            "Expected at least 2 groups of images to hold some out, got 1 "
            f"({names[0]!r} of {len(candidates)} images). Add another scene, name the parts in a .toml "
            "([train], [val]), or give `group`, a regular expression that tells the scenes apart "
            "('.*' makes each file one of its own)."
        )
        raise SplitError(message)
    note = ""
    if len(names) == ENOUGH_GROUPS - 1 and shares[2]:
        shares, note = (
            (shares[0], shares[1] + shares[2], 0.0),
            "; 2 groups are too few for a test part, so val is scored",
        )
    position = {name: index for index, name in enumerate(names)}
    amounts = np.zeros((len(names), len(classes) + 1))
    for candidate, group in zip(candidates, joined, strict=True):
        amounts[position[group]] += (*candidate.pixels, sum(candidate.pixels))
    places = Dealer(amounts, np.asarray(shares, dtype=np.float64)).best(seed)
    parts = tuple(PARTS[places[position[group]]] for group in joined)
    merged = len(set(groups)) - len(names)
    twins = f"; {merged} groups joined others that hold the same image" if merged else ""
    told = f"{because}dealt by seed {seed} to balance pixels of every class: {_counted(parts, joined)}"
    return Split(parts, tuple(joined), f"{told}{twins}{note}{_absent(parts, candidates, classes)}")


def _refuse_overlap(candidates: Sequence[Candidate], groups: Sequence[str] | None) -> None:
    """Raise SplitError if one image, or one group that the user named, lies in two parts."""
    keys: list[tuple[str, object]] = [("the same image", candidate.content) for candidate in candidates]
    labels: list[list[tuple[str, object]]] = [[key] if key[1] is not None else [] for key in keys]
    if groups is not None:
        for label, group in zip(labels, groups, strict=True):
            label.append(("group", group))
    members: dict[tuple[str, object], list[Candidate]] = defaultdict(list)
    for label, candidate in zip(labels, candidates, strict=True):
        for key in label:
            members[key].append(candidate)
    problems = []
    for (kind, name), found in members.items():
        if len({candidate.part for candidate in found}) > 1:
            what = f"group {name!r}" if kind == "group" else kind
            for one in found:
                others = ", ".join(other.image for other in found if other.part != one.part)
                problems.append(Problem(one.image, f"{one.part} holds {what} as {others}"))
    if problems:
        message = (
            "Expected parts that share nothing, or scores would be too good. Take these out of one part:"
        )
        raise SplitError(message, problems)


def _join_twins(candidates: Sequence[Candidate], groups: Sequence[str]) -> list[str]:
    """Merge groups that hold the same image."""
    leader = {group: group for group in groups}

    def lead(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    first: dict[int, str] = {}
    for candidate, group in zip(candidates, groups, strict=True):
        if candidate.content is not None:
            leader[lead(group)] = lead(first.setdefault(candidate.content, group))
    return [lead(group) for group in groups]


def _shares(spec: DataSpec) -> tuple[float, float, float]:
    train, val, test = spec.split
    if not (train > 0 and val > 0 and test >= 0 and abs(train + val + test - 1) < 1e-6):
        message = (
            f"split = {list(spec.split)}: expected shares of train, val and test that add up to 1, "
            "with train and val above 0."
        )
        raise SettingError(message)
    return train, val, test


def _counted(parts: Sequence[PartName], groups: Sequence[str]) -> str:
    told = []
    for part in PARTS:
        inside = [group for group, its in zip(groups, parts, strict=True) if its == part]
        if inside:
            told.append(f"{part} {len(inside)} images of {len(set(inside))} groups")
    return ", ".join(told)


def _leak(parts: Sequence[PartName], groups: Sequence[str], stems: Sequence[str]) -> str:
    """Say so if names suggest that crops of one scene lie in several ready-made parts."""
    if list(groups) == list(stems):
        return ""
    within = defaultdict(set)
    for part, group in zip(parts, groups, strict=True):
        within[group].add(part)
    shared = sorted(group for group, its in within.items() if len(its) > 1)
    if not shared:
        return ""
    return f"; by their names, crops of {len(shared)} scenes lie in several parts (such as {shared[0]!r})"


def _absent(parts: Sequence[PartName], candidates: Sequence[Candidate], classes: Sequence[str]) -> str:
    """Say which classes some part lacks."""
    told = []
    for part in [part for part in PARTS if part in parts]:
        held = np.sum([c.pixels for c, its in zip(candidates, parts, strict=True) if its == part], axis=0)
        told += [f"{part} has no {name}" for name, pixels in zip(classes, held, strict=True) if not pixels]
    return f"; too few groups hold every class: {', '.join(told)}" if told else ""


def _listed(given: set[PartName | None]) -> str:
    return " and ".join(part for part in PARTS if part in given)
