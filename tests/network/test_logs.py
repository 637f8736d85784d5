"""The training log on disk."""

import csv

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rareseg.measures.drawn import nothing_drawn
from rareseg.network.logs import COLUMNS, Recent, TrainingLog
from rareseg.records.run import CollapseCheck, TrainingState, Validation


def read(folder):
    with (folder / "log.csv").open(newline="") as stream:
        return list(csv.reader(stream))


def state(step):
    return TrainingState(
        plan_digest="", step=step, seconds=step / 2, initial_loss=0.0, best_score=0.0, best_step=0,
        validations=(), checks=(), drawn=nothing_drawn(2),
    )  # fmt: skip


def test_lines_hold_means_over_ten_steps_and_the_rest_at_the_end(tmp_path):
    with TrainingLog(tmp_path / "new", ("a", "b"), resume=False) as log:
        recent = Recent(log)
        for step in range(1, 14):
            recent.add(state(step), float(step), 0.01 * step, 2.0 * step)
        recent.write()
        recent.write()
    rows = read(tmp_path / "new")
    assert tuple(rows[0]) == COLUMNS
    assert [[float(value) for value in row] for row in rows[1:]] == [
        pytest.approx([10, 5.0, 5.5, 0.1, 11.0]),
        pytest.approx([13, 6.5, 12.0, 0.13, 24.0]),
    ]


def test_a_resumed_log_keeps_what_its_state_knows(tmp_path):
    with TrainingLog(tmp_path, ("a",), resume=False) as log:
        for step in (10, 20, 30):
            log.step(step, 1.0, 0.5, 0.1, 1.0)
    with TrainingLog(tmp_path, ("a",), resume=True, step=20) as log:
        log.step(30, 2.0, 0.25, 0.1, 1.0)
    assert [(row[0], row[2]) for row in read(tmp_path)[1:]] == [("10", "0.5"), ("20", "0.5"), ("30", "0.25")]


def test_a_new_log_replaces_an_old_one_and_resuming_without_one_starts_it(tmp_path):
    for resume in (False, False, True):
        if resume:
            (tmp_path / "log.csv").unlink()
        with TrainingLog(tmp_path, ("a",), resume=resume, step=5) as log:
            log.step(10, 1.0, 0.5, 0.1, 1.0)
        assert len(read(tmp_path)) == 2


def test_tensorboard_holds_scores_and_checks_and_leaves_out_what_is_not_measurable(tmp_path):
    with TrainingLog(tmp_path, ("a", "b"), resume=False) as log:
        log.step(10, 1.0, 0.5, 0.1, 1.0)
        log.validation(
            Validation(
                step=10, seconds=1.0, loss=0.4, average_precision=(0.9, None), iou=(0.8, None), score=0.8
            )
        )
        log.check(
            CollapseCheck(
                step=10, rare_class="b", average_precision=None, prevalence=0.0, lift=None,
                spatial_deviation=0.5, dead_share=0.1, predicted_share=0.0,
            )
        )  # fmt: skip
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    names = set(events.Tags()["scalars"])
    assert {"train/loss", "val/loss", "val_average_precision/a", "val_iou/a", "watch/dead_share"} <= names
    assert not {"val_iou/b", "val_average_precision/b", "watch/lift"} & names
    assert events.Scalars("train/loss")[0].step == 10
