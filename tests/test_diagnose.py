"""The verb `diagnose`: a set-up in Python, data, predictions and model files; nothing of the user's is changed."""

import copy

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import rareseg
from rareseg.errors import DataError, OutputExistsError, SettingError
from rareseg.records import codec
from rareseg.records.diagnosis import Diagnosis


def stripes(count=24, size=32, seed=0):
    """Noise with a brighter stripe of class 1, 2 px wide."""
    random = np.random.default_rng(seed)
    images = random.normal(size=(count, 3, size, size)).astype(np.float32) * 0.3
    labels = np.zeros((count, size, size), np.int64)
    for image, label in zip(images, labels, strict=True):
        place = random.integers(2, size - 4)
        if random.random() < 0.5:
            label[:, place : place + 2] = 1
        else:
            label[place : place + 2] = 1
        image[:, label == 1] += 1.0
    return torch.from_numpy(images), torch.from_numpy(labels)


def network(last=None):
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 2, 1),
    ]
    return nn.Sequential(*layers, *([] if last is None else [last]))


def trained(model, optimizer, loss, steps):
    images, labels = stripes()
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        some = torch.randint(0, len(images), (8,), generator=generator)
        optimizer.zero_grad()
        loss(model(images[some]), labels[some]).backward()
        optimizer.step()
    return model


def diagnosed(model, loss, optimizer, **given):
    return rareseg.diagnose(
        model, loss, optimizer, stripes(), validation=stripes(12, seed=1), seconds=30, **given
    )


CROSS_ENTROPY = nn.CrossEntropyLoss()


@pytest.fixture(scope="module")
def good():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return trained(model, optimizer, CROSS_ENTROPY, 150), optimizer


def test_a_good_training_is_healthy(good):
    found = diagnosed(good[0], CROSS_ENTROPY, good[1])
    assert found.state == "healthy", found.findings
    assert not [one for one in found.findings if one.confidence >= 0.5]


def test_a_large_learning_rate_is_named_with_the_layer_that_died():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1.0)
    found = diagnosed(trained(model, optimizer, CROSS_ENTROPY, 60), CROSS_ENTROPY, optimizer)
    assert found.findings[0].cause == "learning_rate_too_high"
    assert "answer nothing" in found.findings[0].because
    assert found.evidence.learning.dead_before > 0.3


def test_a_tiny_learning_rate_is_named():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 1e-7)
    found = diagnosed(trained(model, optimizer, CROSS_ENTROPY, 20), CROSS_ENTROPY, optimizer)
    assert found.findings[0].cause == "learning_rate_too_low"


def test_softmax_before_cross_entropy_is_named():
    model = network(nn.Softmax(1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    found = diagnosed(trained(model, optimizer, CROSS_ENTROPY, 20), CROSS_ENTROPY, optimizer)
    assert found.findings[0].cause == "activation_twice"
    assert "0.313" in found.findings[0].because


def test_few_steps_are_under_training():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    found = diagnosed(trained(model, optimizer, CROSS_ENTROPY, 5), CROSS_ENTROPY, optimizer, epochs_trained=1)
    assert found.findings[0].cause == "under_trained"


def test_nothing_of_the_users_is_changed(good):
    model, optimizer = good
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model.train()
    diagnosed(model, CROSS_ENTROPY, optimizer)
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert all(weight.grad is None or torch.isfinite(weight.grad).all() for weight in model.parameters())
    for number, kept in state["state"].items():
        for name, value in kept.items():
            assert torch.equal(
                torch.as_tensor(value), torch.as_tensor(optimizer.state_dict()["state"][number][name])
            )
    assert optimizer.state_dict()["param_groups"] == state["param_groups"]
    assert model.training
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


def test_quick_leaves_training_out(good):
    found = diagnosed(good[0], CROSS_ENTROPY, good[1], quick=True)
    assert found.evidence.learning is None
    assert found.evidence.wiring is not None


def test_history_and_served_images_are_read(good):
    served = stripes(12, seed=2)[0] * 255
    curves = {"loss": [0.5, 0.3, 0.2, 0.1, 0.1, 0.1], "rare_share": [0.0, 0.05, 0.06, 0.02, 0.001, 0.0]}
    found = diagnosed(good[0], CROSS_ENTROPY, good[1], quick=True, history=curves, prediction_inputs=served)
    assert {"late_collapse", "preprocessing_differs"} <= {one.cause for one in found.findings}


def test_the_record_is_written_and_read_back(good, tmp_path):
    found = diagnosed(good[0], CROSS_ENTROPY, good[1], quick=True, output=tmp_path / "d.json")
    assert codec.read(tmp_path / "d.json", Diagnosis) == found
    with pytest.raises(OutputExistsError):
        diagnosed(good[0], CROSS_ENTROPY, good[1], quick=True, output=tmp_path / "d.json")
    diagnosed(good[0], CROSS_ENTROPY, good[1], quick=True, output=tmp_path / "d.html")
    assert "<html" in (tmp_path / "d.html").read_text()


def test_a_notebook_shows_the_answer(good):
    found = diagnosed(good[0], CROSS_ENTROPY, good[1], quick=True)
    assert found.state in found._repr_html_()
    assert "<caption>Evidence</caption>" in found.evidence._repr_html_()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": None}, "Expected training data"),
        ({"seconds": 1}, "at least 5 seconds"),
        ({"loss": nn.CrossEntropyLoss}, r"Make one: CrossEntropyLoss\(\)"),
        ({"data": (stripes()[0].movedim(1, -1), stripes()[1])}, "cannot be run as it was brought"),
        ({"history": [1, 2]}, "history as a mapping"),
        ({"predictions": "maps"}, "belong to the path of a data folder"),
        ({"prediction_inputs": np.zeros((3, 5))}, "prediction_inputs as images of 3 bands"),
    ],
)
def test_what_does_not_belong_together_is_refused(good, given, message):
    settings = {"loss": CROSS_ENTROPY, "data": stripes(), "quick": True} | given
    with pytest.raises(SettingError, match=message):
        rareseg.diagnose(good[0], optimizer=good[1], **settings)


def test_labels_of_255_are_one_finding_and_not_three():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))
    images, labels = stripes()
    targets = labels[:, None].float() * 255
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    found = rareseg.diagnose(model, nn.BCEWithLogitsLoss(), optimizer, (images, targets), quick=True)
    assert [one.cause for one in found.findings if one.confidence >= 0.5] == ["label_values_out_of_range"]


def test_maps_of_nothing_say_so(roads, tmp_path):
    folder = maps_of(roads, tmp_path / "maps", lambda truth: np.zeros(truth.shape, np.uint8))
    found = rareseg.diagnose(roads, predictions=folder, quick=True)
    assert found.findings[0].cause == "metric_illusion"


def test_predictions_and_a_model_are_not_both_looked_at(roads, roads_run, tmp_path):
    with pytest.raises(SettingError, match="received both"):
        rareseg.diagnose(roads, predictions=tmp_path, model=roads_run)


def test_an_optimizer_of_another_model_is_refused(good):
    strange = torch.optim.Adam(network().parameters(), 1e-3)
    with pytest.raises(SettingError, match="belong to another"):
        diagnosed(good[0], CROSS_ENTROPY, strange, quick=True)


@pytest.mark.parametrize(
    "given",
    [
        {"loss": CROSS_ENTROPY},
        {"classes": ("a", "b")},
        {"class_weight": {1: 5.0}},
        {"ignore_index": 255},
        {"precision": "fp16"},
        {"seconds": 30},
        {"prediction_inputs": np.zeros((1, 3, 8, 8))},
    ],
)
def test_a_folder_takes_nothing_of_a_set_up(roads, given):
    name = next(iter(given))
    with pytest.raises(SettingError, match=f"{name} cannot be given.*Bring the model object itself"):
        rareseg.diagnose(roads, **given)


def test_sound_data_are_healthy(roads):
    found = rareseg.diagnose(roads, quick=True)
    assert found.state == "healthy", found.findings
    assert found.evidence.data.source == "files"


def test_masks_of_other_values_are_evidence_where_the_audit_refuses(tmp_path):
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(8):
        mask = np.zeros((64, 64), np.uint8)
        mask[20:30] = 255
        cv2.imwrite(
            str(tmp_path / "images" / f"{number}.png"), random.integers(0, 255, (64, 64, 3)).astype(np.uint8)
        )
        cv2.imwrite(str(tmp_path / "masks" / f"{number}.png"), cv2.GaussianBlur(mask, (9, 9), 3))
    found = rareseg.diagnose(tmp_path)
    assert found.findings[0].cause == "interpolated_masks"


def maps_of(roads, folder, change):
    folder.mkdir()
    for mask in sorted((roads / "masks").iterdir()):
        truth = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 127
        cv2.imwrite(str(folder / f"{mask.stem}.png"), change(truth))
    return folder


def test_predictions_that_rank_well_need_a_threshold(roads, tmp_path):
    random = np.random.default_rng(0)

    def faint(truth):
        return (20 + 60 * truth + random.integers(0, 20, truth.shape)).astype(np.uint8)

    found = rareseg.diagnose(roads, predictions=maps_of(roads, tmp_path / "maps", faint), quick=True)
    assert found.findings[0].cause == "threshold_off"


def test_right_maps_of_small_ids_are_only_shown_black(roads, tmp_path):
    folder = maps_of(roads, tmp_path / "maps", lambda truth: truth.astype(np.uint8))
    found = rareseg.diagnose(roads, predictions=folder, quick=True)
    assert found.findings[0].cause == "display_only"


def test_predictions_that_are_not_there_are_an_error(roads, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        rareseg.diagnose(roads, predictions=tmp_path / "none", quick=True)


def test_a_rareseg_run_can_be_diagnosed(roads, roads_run):
    found = rareseg.diagnose(roads, model=roads_run, quick=True)
    assert found.evidence.answers.source == "model"
    assert found.evidence.answers.classes[1].average_precision is not None
