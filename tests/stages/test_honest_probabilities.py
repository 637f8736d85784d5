"""From training to maps: after class weights, 0.3 means 30 % again, and the map is still the weighted network's."""

import numpy as np
import pytest

from rareseg import verbs
from rareseg.imagery.rasters import read, read_values
from rareseg.imagery.samples import read_photo, read_sample
from rareseg.measures.confusion import Confusion
from rareseg.network.session import mapper_for
from rareseg.network.trained import load_run


def mean(errors):
    return sum(errors) / len(errors)


@pytest.fixture(scope="module")
def weighted(tmp_path_factory, roads, tiny):
    """Return the folder and the record of a run on roads of 8 %, trained with inverse class weights."""
    folder = tmp_path_factory.mktemp("weighted") / "run"
    run = verbs.train(roads, output=folder, steps=100, settings={**tiny, "weights.rule": "inverse"})
    return folder, run


def test_inverse_weights_are_undone_and_the_calibration_error_falls(weighted, roads):
    folder, run = weighted
    held = run.calibration
    assert held.how == "undone"
    plan = load_run(folder).plan
    assert held.shift[1] == pytest.approx(np.log(plan.weights.values[1] / plan.weights.values[0]))
    assert mean(held.error_before) > 0.1
    assert mean(held.error_after) < mean(held.error_before) / 3
    road = verbs.evaluate(folder, roads).classes["foreground"]
    # Weighted as it was, the network expects several times as many roads as there are.
    assert road.calibration_error < 0.08
    assert road.expected_share < 0.2


def test_probability_rasters_hold_the_moved_probabilities(weighted, roads, tmp_path):
    folder, run = weighted
    trained = load_run(folder)
    pair = trained.audit.dataset.pairs[0]
    photo, has_photo = read_photo(roads / pair.image, trained.audit.dataset.nodata)
    own = mapper_for(trained.model, trained.plan, run.photo).map_image(photo, has_photo)[1]
    files = verbs.predict(folder, [roads / pair.image], output=tmp_path)
    (path,) = [path for path in files if "_probability" in path.name]
    written = read(path)[0][0] / 255
    odds = own / (1 - own) * np.exp(-run.calibration.shift[1])
    np.testing.assert_allclose(written, odds / (1 + odds), atol=0.005)


def test_the_class_map_of_several_classes_is_that_of_the_weighted_network(land, tiny, tmp_path):
    folder = tmp_path / "run"
    run = verbs.train(land, output=folder, steps=25, settings={**tiny, "weights.rule": "inverse"})
    assert run.decision_weights is not None
    trained = load_run(folder)
    dataset = trained.audit.dataset
    mapper = mapper_for(trained.model, trained.plan, run.photo)
    total = Confusion.empty(len(dataset.classes), overlapping=False)
    for pair in dataset.pairs:
        sample = read_sample(land, dataset, pair)
        given = mapper.map_image(sample.photo, sample.has_photo).argmax(axis=0).astype(np.uint8)
        total += Confusion.count(given, sample.counted, classes=len(dataset.classes), overlapping=False)
    report = verbs.evaluate(folder, land, part="all")
    found = tuple(scores.iou for scores in report.classes.values())
    assert found == pytest.approx(total.iou(), abs=1e-3)
    photo, has_photo = read_photo(land / pair.image, trained.audit.dataset.nodata)
    own = mapper_for(trained.model, trained.plan, run.photo).map_image(photo, has_photo)
    honest = trained.mapper().map_image(photo, has_photo)
    files = verbs.predict(folder, [land / pair.image], output=tmp_path / "maps")
    (path,) = [path for path in files if "_classes" in path.name]
    written = read_values(path)[0]
    assert (written != own.argmax(axis=0)).mean() < 1e-4
    assert run.calibration.how == "undone"
    assert (honest.argmax(axis=0) != own.argmax(axis=0)).any()
