"""What is known of predictions that their files do not say."""

import math
from pathlib import Path
from typing import NamedTuple, get_args

from rareseg.errors import SettingError
from rareseg.imagery.answers.folder import FoundAnswers, find_answers
from rareseg.imagery.answers.names import Kind
from rareseg.records.dataset import Dataset, Pair


class Written(NamedTuple):
    """What predictions hold, where that is known; None is inferred."""

    kind: Kind | None = None
    scale: float | None = None
    """Stored value of probability 1."""
    channels: tuple[int | str, ...] | None = None
    """Class of each channel, by number or by name."""

    def find(self, folder: Path, pairs: tuple[Pair, ...], root: Path, dataset: Dataset) -> FoundAnswers:
        """Match predictions to labelled images; see `find_answers`.

        Raises:
            LayoutError, DataError, SettingError: as `find_answers`.
            SettingError: if there is no such kind, or the scale is no finite number above 0.
        """
        if self.kind is not None and self.kind not in get_args(Kind):
            message = f"kind: expected {', '.join(get_args(Kind))} or None; received {self.kind!r}."
            raise SettingError(message)
        if self.scale is not None and not 0 < self.scale < math.inf:
            message = (
                f"scale: expected the stored value of probability 1, such as 255; received {self.scale:g}. "
                "Leave it out to have it inferred."
            )
            raise SettingError(message)
        return find_answers(
            folder,
            pairs,
            root=root,
            dataset=dataset,
            kind=self.kind,
            scale=self.scale,
            channels=self.channels,
        )
