"""The whole story, as a user tells it on the command line; and with networks other than the default."""

import json

import pytest
from click.testing import CliRunner

from rareseg import scenes, verbs
from rareseg.cli import main
from rareseg.records import codec
from rareseg.records.run import Run


def run_cli(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_audit_plan_train_evaluate_predict(roads, tiny, tmp_path):
    settings = [word for name, value in tiny.items() for word in ("--set", f"{name}={value}")]
    audit, plan, run = tmp_path / "audit.json", tmp_path / "plan.json", tmp_path / "run"
    assert "foreground" in run_cli("audit", roads, "-o", audit).stdout
    assert "prior" in run_cli("plan", audit, "--steps", 100, *settings, "-o", plan, "--explain").stdout
    trained = run_cli("train", roads, "--audit", audit, "--plan", plan, "-o", run)
    assert "rareseg evaluate" in trained.stdout
    assert (run / "audit.json").read_text() == audit.read_text()
    scored = run_cli("evaluate", run, roads, "-o", tmp_path / "report.json", "--json")
    report = json.loads(scored.stdout)
    assert report == json.loads((tmp_path / "report.json").read_text())
    road = report["classes"]["foreground"]
    assert road["average_precision"] > 2 * road["pixels"] / report["counted_pixels"]
    assert list(report)[-1] == "micro"
    assert {"iou", "f1", "precision", "recall", "average_precision", "threshold", "pixels"} <= set(road)
    photo = scenes.write_photo(tmp_path / "new.png", seed=55, size=128)
    mapped = run_cli("predict", run, photo, "-o", tmp_path / "maps").stdout.split()
    assert [name.rsplit("/", 1)[1] for name in mapped] == [
        "new_classes.png",
        "new_probability.png",
        "new_preview.png",
    ]


def test_three_classes(land, land_run):
    report = verbs.evaluate(land_run, land, part="all")
    assert report.decision == "argmax" and len(report.classes) == 3
    assert report.counted_pixels == 6 * 96 * 96


@pytest.mark.parametrize(
    ("encoder", "optimizer"), [("tu-tf_mobilenetv3_small_minimal_100", "adamw"), ("resnet50", "muon")]
)
def test_smp_networks_train_score_and_map(roads, tiny, tmp_path, encoder, optimizer):
    pytest.importorskip("segmentation_models_pytorch")
    without = {name: value for name, value in tiny.items() if name not in ("model.width", "model.levels")}
    settings = without | {
        "model.name": "smp:unet",
        "model.encoder": encoder,
        "optimizer.name": optimizer,
        "watch.validations": "1",
    }
    run = verbs.train(roads, output=tmp_path / "run", steps=2, settings=settings)
    assert run.steps == 2
    assert verbs.evaluate(tmp_path / "run", roads).images == 2
    assert verbs.predict(tmp_path / "run", [roads / "images" / "scene0000.png"], output=tmp_path / "maps")


def test_the_second_pages_network_trains_scores_and_maps(land, tiny, tmp_path):
    without = {name: value for name, value in tiny.items() if name not in ("model.width", "model.levels")}
    settings = without | {
        "model.name": "fcn32_vgg16",
        "model.frozen_encoder": "true",
        "batch.size": "2",
        "watch.validations": "1",
        "watch.every_steps": "5",
    }
    verbs.train(land, output=tmp_path / "run", steps=1, settings=settings)
    run = codec.read(tmp_path / "run" / "run.json", Run)
    assert run.parameters == 18_647_363
    assert run.trainable_parameters == 3_932_675
    assert verbs.predict(tmp_path / "run", [land / "images" / "scene0000.png"], output=tmp_path / "maps")
