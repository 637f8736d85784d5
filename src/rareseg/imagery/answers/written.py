"""What is known of predictions that their files do not say."""

from pathlib import Path
from typing import NamedTuple

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
        """
        return find_answers(
            folder,
            pairs,
            root=root,
            dataset=dataset,
            kind=self.kind,
            scale=self.scale,
            channels=self.channels,
        )
