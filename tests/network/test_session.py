"""Setting up and closing a training: the first loss, the classes that count as rare, thresholds."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from rareseg.errors import TrainingError
from rareseg.imagery.rasters import RasterWriter
from rareseg.imagery.samples import read_sample
from rareseg.imagery.tiles import Window
from rareseg.measures.curves import ScoreHistogram
from rareseg.network import losses
from rareseg.network.batches import standardise
from rareseg.network.probes import to_log_odds
from rareseg.network.session import build_network, choose_thresholds, mapper_for, versions
from rareseg.network.validation import Counted
from rareseg.records.machine import Machine
from rareseg.records.run import PhotoStatistics
from rareseg.stages.audit import audit_data
from rareseg.stages.plan import decide

MACHINE = Machine(accelerator="cpu", fast_bf16=False, memory_bytes=2**30, cores=1)


@pytest.fixture
def overlapping(tmp_path, rng):
    """Return a TOML with 8 photos whose masks have a band per class, both of which a pixel may hold."""
    for number in range(8):
        road, bridge = np.zeros((2, 64, 64), np.uint8)
        road[:, 20 + number : 30 + number] = 255
        bridge[30 - number : 40, 10:40] = 255
        photo = (rng.normal(90, 10, (3, 64, 64)) + road / 4 + bridge / 3).clip(0, 255).astype(np.uint8)
        for folder, pixels in (("photos", photo), ("masks", np.stack([road, bridge]))):
            path = tmp_path / "set" / folder / f"n{number}.tif"
            with RasterWriter(path, height=64, width=64, bands=len(pixels), dtype="uint8") as writer:
                writer.write(Window(0, 0, 64, 64), pixels)
    toml = tmp_path / "set" / "data.toml"
    toml.write_text(
        'images = "photos"\nmasks = "masks"\noverlapping = true\n'
        '[[classes]]\nname = "road"\nvalues = [1]\n[[classes]]\nname = "bridge"\nvalues = [2]\n'
    )
    return toml


def first_loss(data, tiny, **settings):
    """Return the untrained network's loss over the whole training part, the plan, and the part's facts."""
    root, audit, _ = audit_data(data)
    plan = decide(audit, MACHINE, steps=1, settings={**tiny, **settings})
    facts = audit.part("train")
    statistics = PhotoStatistics(mean=facts.band_mean, std=facts.band_std)
    samples = [read_sample(root, audit.dataset, pair) for pair in audit.dataset.pairs if pair.part == "train"]
    images = torch.from_numpy(standardise(np.stack([sample.photo for sample in samples]), statistics))
    labels = torch.from_numpy(np.stack([sample.counted for sample in samples]).astype(np.int64))
    torch.manual_seed(0)
    model = build_network(plan, bands=len(facts.band_mean)).eval()
    with torch.inference_mode():
        loss = losses.build(plan.loss, plan.weights, shares=plan.shares, overlapping=plan.overlapping)
        first = loss(model(images), labels, 0.0)
    return float(first), plan, facts


@pytest.mark.parametrize("data", ["roads", "land", "overlapping"])
def test_the_first_loss_is_the_audits_entropy(request, tiny, data):
    settings = {"weights.rule": "none"}
    loss, _, facts = first_loss(request.getfixturevalue(data), tiny, **settings)
    assert loss == pytest.approx(facts.constant_predictor.entropy, abs=1e-4)


def test_without_the_prior_bias_it_is_not(roads, tiny):
    loss, _, facts = first_loss(roads, tiny, **{"initialisation.prior_bias": "false"})
    assert abs(loss - facts.constant_predictor.entropy) > 0.1


@pytest.mark.parametrize("data", ["roads", "land"])
@pytest.mark.parametrize("rule", ["inverse", "sqrt_inverse"])
def test_the_first_weighted_loss_is_the_entropy_of_the_weighted_prior(request, tiny, data, rule):
    loss, plan, facts = first_loss(request.getfixturevalue(data), tiny, **{"weights.rule": rule})
    pixels = np.array(facts.counts.pixels, np.float64)
    weighted = pixels if rule == "none" else pixels * pixels ** (-1.0 if rule == "inverse" else -0.5)
    prior = weighted / weighted.sum()
    np.testing.assert_allclose(plan.initialisation.prior, prior, rtol=1e-9)
    assert loss == pytest.approx(-(prior * np.log(prior)).sum(), abs=1e-4)


def test_focal_loss_starts_at_the_prior_too(roads, tiny):
    loss, plan, _ = first_loss(roads, tiny, **{"loss.name": "focal"})
    prior = np.array(plan.initialisation.prior)
    assert loss == pytest.approx(-(prior * (1 - prior) ** 2 * np.log(prior)).sum(), abs=1e-4)


def counted_of(probability_of_one, labels):
    odds = to_log_odds(np.stack([1 - probability_of_one, probability_of_one]))
    return Counted(ScoreHistogram.count(odds, labels, overlapping=False), None, 0.0, 0)


@pytest.mark.parametrize("rare", [0, 1])
@pytest.mark.parametrize("rule", ["none", "inverse"])
def test_of_two_classes_the_rare_one_decides(plan, rng, rare, rule):
    """Whichever index it has, and although inverse weights make both priors equal."""
    labels = (rng.random((100, 100)) < 0.05).astype(np.uint8)
    # The better cut for the rare class is not the better one for the rest: they overlap smoothly.
    score = np.clip(0.35 + 0.2 * labels + rng.normal(0, 0.1, (100, 100)), 0, 1).astype(np.float32)
    shares = np.array([0.95, 0.05])
    if rare == 0:
        labels, score, shares = 1 - labels, 1 - score, shares[::-1]
    weights = 1 / shares if rule == "inverse" else np.ones(2)
    prior = shares * weights / (shares * weights).sum()
    chosen = replace(
        plan,
        shares=tuple(shares),
        initialisation=replace(plan.initialisation, prior=tuple(prior)),
        weights=replace(plan.weights, rule=rule, values=tuple(weights)),
    )
    thresholds = choose_thresholds(counted_of(score, labels), chosen)
    assert sum(thresholds) == pytest.approx(1.0)

    def f1(cut):
        given = (score if rare == 1 else 1 - score) >= cut
        holds = labels == rare
        return 2 * (given & holds).sum() / (given.sum() + holds.sum())

    best = max(f1(cut) for cut in np.linspace(0, 1, 1001))
    assert f1(thresholds[rare]) == pytest.approx(best, abs=5e-3)


def test_thresholds_of_several_classes_are_each_its_own(plan, rng):
    probabilities = rng.dirichlet(np.ones(3), (50, 50)).transpose(2, 0, 1).astype(np.float32)
    labels = np.zeros((50, 50), np.uint8)
    labels[10:20] = 1
    curve = ScoreHistogram.count(to_log_odds(probabilities), labels, overlapping=False)
    counted = Counted(curve, None, 0.0, 0)
    three = replace(plan, classes=("a", "b", "c"), shares=(0.8, 0.2, 0.0))
    thresholds = choose_thresholds(counted, three)
    assert thresholds == tuple(None if best is None else best.threshold for best in curve.best())
    assert thresholds[2] is None


def test_without_the_rare_class_there_is_no_threshold(plan):
    counted = counted_of(np.full((4, 4), 0.3, np.float32), np.zeros((4, 4), np.uint8))
    assert choose_thresholds(counted, plan) == (None, None)


def test_shares_of_nothing_are_refused(plan, set_up):
    with pytest.raises(TrainingError, match="shares are 0 for every class"):
        set_up(replace(plan, shares=(0.0, 0.0)))


def test_a_plan_may_be_mapped_with_other_views(plan, statistics):
    model = build_network(plan, bands=3)
    photo = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32)
    with torch.no_grad():
        model.head.weight.normal_()
    one, eight = (
        mapper_for(model, plan, statistics, views=views).map_image(photo, np.ones((64, 64), bool))
        for views in (1, 8)
    )
    assert np.abs(one - eight).max() > 1e-4


def test_versions_name_what_a_run_depends_on():
    found = versions()
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert set(found) == {"python", "rareseg", "torch", "numpy", "rasterio"}
