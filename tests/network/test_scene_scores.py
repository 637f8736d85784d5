import shutil

import numpy as np
import pytest

from rareseg.errors import DataError
from rareseg.imagery.sets.layouts import recognise
from rareseg.network.scene_scores import score_scenes
from rareseg.network.trained import load_run
from rareseg.stages.evaluate import Asked, evaluate_run


@pytest.mark.parametrize("part", ["val", "test"])
def test_scores_are_those_of_evaluate(roads_run, roads, part):
    found = score_scenes(load_run(roads_run), recognise(roads).root, part).scored
    report = evaluate_run(roads_run, roads, Asked(part=part)).report
    classes = report.classes.values()
    assert found.average_precision == pytest.approx([one.average_precision for one in classes])
    assert found.iou == pytest.approx([one.iou for one in classes])
    assert found.calibration_error == pytest.approx([one.calibration_error for one in classes])
    assert found.images == report.images


def test_argmax_maps_are_scored_as_evaluate_scores_them(land_run, land):
    found = score_scenes(load_run(land_run), land, "val").scored
    report = evaluate_run(land_run, land, Asked(part="val")).report
    assert found.iou == pytest.approx([one.iou for one in report.classes.values()])


def test_counts_of_all_scenes_pool_to_the_scores(roads_run, roads):
    trained = load_run(roads_run)
    scored, counts = score_scenes(trained, roads, "val")
    groups = {pair.group for pair in trained.audit.dataset.pairs if pair.part == "val"}
    assert len(counts) == scored.scenes == len(groups) > 1
    pooled = counts.pooled(np.ones((1, len(counts))))
    assert pooled.average_precision[0] == pytest.approx(scored.average_precision, abs=3e-3)
    assert pooled.iou[0] == pytest.approx(scored.iou)


def test_a_part_without_images_is_refused(roads_run, roads, tmp_path):
    shutil.copytree(roads, tmp_path / "roads")
    trained = load_run(roads_run)
    with pytest.raises(DataError, match="part 'none' holds no counted pixel"):
        score_scenes(trained, tmp_path / "roads", "none")
