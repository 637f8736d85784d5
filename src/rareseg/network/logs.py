"""The training log: a CSV that any spreadsheet opens, and TensorBoard events."""

import csv
import logging
from pathlib import Path
from types import TracebackType
from typing import Self, final

from rareseg.records.run import CollapseCheck, TrainingState, Validation

COLUMNS = ("step", "seconds", "loss", "learning_rate", "gradient_norm")
LOG_EVERY = 10
"""Steps between lines of the log."""


@final
class TrainingLog:
    """Writes `log.csv` and TensorBoard events into a run's folder; goes on where an earlier log ended."""

    def __init__(self, folder: Path, classes: tuple[str, ...], *, resume: bool, step: int = 0) -> None:
        """Open both logs; without `resume` an older CSV is replaced, with it lines after `step` are dropped.

        A training that was killed may have logged steps that its last saved state does not know.
        """
        # Late, as tensorboard takes a second to load and brings its own chatter about TensorFlow.
        logging.getLogger("tensorboard").setLevel(logging.ERROR)
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "log.csv"
        earlier = _rows_until(path, step) if resume else []
        self._stream = path.open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._stream)
        self._csv.writerows([COLUMNS, *earlier])
        self._stream.flush()
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if resume else None)
        self._classes = classes

    def __enter__(self) -> Self:
        """Use in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both logs."""
        self._stream.close()
        self._events.close()

    def step(self, step: int, seconds: float, loss: float, rate: float, norm: float) -> None:
        """Log means over the last steps."""
        self._csv.writerow((step, f"{seconds:.2f}", f"{loss:.6g}", f"{rate:.4g}", f"{norm:.4g}"))
        self._stream.flush()
        self._scalar("train/loss", loss, step)
        self._scalar("train/learning_rate", rate, step)
        self._scalar("train/gradient_norm", norm, step)

    def validation(self, scores: Validation) -> None:
        """Log the scores of the validation part."""
        self._scalar("val/loss", scores.loss, scores.step)
        self._scalar("val/score", scores.score, scores.step)
        for name, precision, iou in zip(self._classes, scores.average_precision, scores.iou, strict=True):
            if precision is not None:
                self._scalar(f"val_average_precision/{name}", precision, scores.step)
            if iou is not None:
                self._scalar(f"val_iou/{name}", iou, scores.step)

    def check(self, check: CollapseCheck) -> None:
        """Log one look of the collapse watch."""
        if check.lift is not None:
            self._scalar("watch/lift", check.lift, check.step)
        self._scalar("watch/spatial_deviation", check.spatial_deviation, check.step)
        self._scalar("watch/dead_share", check.dead_share, check.step)

    def _scalar(self, name: str, value: float, step: int) -> None:
        self._events.add_scalar(name, value, step)


@final
class Recent:
    """Collects steps, and logs their means every LOG_EVERY steps."""

    def __init__(self, log: TrainingLog) -> None:
        """Start with none."""
        self._log = log
        self._steps: list[tuple[float, float]] = []
        self._at: tuple[int, float, float] = (0, 0.0, 0.0)

    def add(self, state: TrainingState, loss: float, rate: float, norm: float) -> None:
        """Take one step, just finished: its loss, learning rate and gradient norm."""
        self._steps.append((loss, norm))
        self._at = (state.step, state.seconds, rate)
        if len(self._steps) == LOG_EVERY:
            self.write()

    def write(self) -> None:
        """Log what was collected since the last line, if anything."""
        if self._steps:
            losses, norms = zip(*self._steps, strict=True)
            step, seconds, rate = self._at
            self._log.step(step, seconds, sum(losses) / len(losses), rate, sum(norms) / len(norms))
            self._steps.clear()


def _rows_until(path: Path, step: int) -> list[list[str]]:
    """Return the lines of an earlier log up to `step`, without those that a crash left unfinished."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    return [row for row in rows if len(row) == len(COLUMNS) and row[0].isdigit() and int(row[0]) <= step]
