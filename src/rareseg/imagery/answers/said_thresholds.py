"""Thresholds that somebody says, by the names of the classes that are given from them on."""

from collections.abc import Mapping

from rareseg.errors import SettingError
from rareseg.records.dataset import Dataset


def by_class(thresholds: Mapping[str, float], dataset: Dataset) -> list[float | None]:
    """Return the threshold of each class, a probability; None where none was said.

    Raises:
        SettingError: if a class is none of the data's or is not given by a threshold, or a threshold is none.
    """
    # Of two classes that exclude each other, the first has what the second leaves.
    free = dataset.classes if dataset.overlapping else dataset.classes[1:]
    strange = [name for name in thresholds if name not in free]
    wrong = [f"{name}={value}" for name, value in thresholds.items() if not 0 <= value <= 1]
    single = len(dataset.classes) == 2 or dataset.overlapping
    if strange or wrong or not single:
        message = (
            "thresholds: expected a probability, 0 to 1, for the second of two classes or for overlapping ones, by "
            f"name; the data has {', '.join(dataset.classes)}{_relation(dataset)}; received "
            f"{', '.join([*strange, *wrong]) or ', '.join(thresholds)}."
        )
        raise SettingError(message)
    return [thresholds.get(name) for name in dataset.classes]


def _relation(dataset: Dataset) -> str:
    if dataset.overlapping:
        return ", which overlap"
    if len(dataset.classes) > 2:
        return ", which exclude one another, so that the likeliest is given"
    return f": where {dataset.classes[1]} is not given, {dataset.classes[0]} is"
