import numpy as np
import pytest
from casebook.drawing import draw_recipe, draw_world
from casebook.measuring import average_precision, scores
from casebook.training import start
from casebook.wirings import RIGHT, written


def test_average_precision_of_known_orders():
    truth = np.array([True, False, True, False])
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.1]), truth) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), truth) == pytest.approx(0.5)
    assert np.isnan(average_precision(np.zeros(4), np.zeros(4, bool)))


def test_constant_answer_has_no_lift_and_no_deviation():
    labels = np.zeros((2, 8, 8), np.int64)
    labels[:, :2] = 1
    found = scores(np.full((2, 1, 8, 8), 0.25), labels, 1, 0.0)
    assert (found.lift, found.predicted, found.iou) == (pytest.approx(1), 0, 0)
    assert found.deviation == pytest.approx(0)
    assert found.macro_iou == pytest.approx(0.75 / 2)


def test_targets_are_written_in_every_form():
    labels = np.array([[[0, 2], [1, 0]]])
    assert written(labels, "indices", 3).dtype == np.int64
    hot = written(labels, "one_hot", 3)
    np.testing.assert_array_equal(hot.sum(1), 1)
    np.testing.assert_array_equal(hot.argmax(1), labels)
    assert written(labels > 1, "plane", 2).shape == (1, 1, 2, 2)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_training_starts_the_same_learns_and_notices_dead_units(framework):
    rng = np.random.default_rng(0)
    world = draw_world(rng, classes=2, prevalence=(0.1, 0.2), size=48, images=8, contrast=(6, 7))
    recipe = draw_recipe(
        rng,
        world,
        framework=framework,
        kinds=("plain",),
        activations=("relu",),
        batch_norm=False,
        optimizers=("adam",),
        width=(8, 8),
    )
    wiring = RIGHT[framework, "one"][0]
    training, again = start(recipe, wiring), start(recipe, wiring)
    np.testing.assert_array_equal(
        training.probabilities(training.batches[0][0]), again.probabilities(again.batches[0][0])
    )
    before = training.scores()
    training.fit(40)
    assert training.scores().average_precision > before.average_precision + 0.1
    assert training.dead() < 0.6
    _kill(training)
    assert training.dead() == 1


def _kill(training):
    """Give every hidden layer a bias that no input overcomes."""
    if training.framework == "torch":
        for name, weight in training.model.named_parameters():
            if name.endswith("0.bias"):
                weight.data -= 1e6
        return
    for layer in training.model.layers[1:-1]:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, bias - 1e6])
