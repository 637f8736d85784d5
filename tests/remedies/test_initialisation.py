"""Where the last layer starts: the loss of a constant map is least there, whatever the loss does to the shares."""

import math

import msgspec
import numpy as np
import pytest
import torch
from tests.references.facts import CAMVID, part_facts

from rareseg.network.losses import build
from rareseg.network.models.priors import set_prior
from rareseg.records.audit import PartFacts
from rareseg.records.plan import InitialisationChoice, WeightsChoice
from rareseg.remedies.imbalance import loss_choice, weights_choice
from rareseg.remedies.initialisation import initialisation_choice

ROADS = part_facts((0.96, 0.04), names=("background", "road"))
THREE = part_facts((0.7, 0.25, 0.05))
MANY = part_facts(CAMVID)
ABSENT = part_facts((0.97, 0.03, 0.0), names=("ground", "road", "bridge"))
OVERLAPS = part_facts((0.3, 0.25, 0.02), overlapping=True)


def _start(
    facts: PartFacts,
    loss: str = "cross_entropy",
    *,
    rule: str | None = None,
    overlapping: bool = False,
    asked: bool | None = None,
    deferred: float | None = None,
    **settings: str,
) -> tuple[InitialisationChoice, WeightsChoice]:
    texts = {name.replace("__", "."): text for name, text in settings.items()}
    chosen = loss_choice(facts, loss, texts)
    wished = WeightsChoice(rule="given", values=(), deferred=deferred, because="", reference="")
    weights = weights_choice(facts, overlapping=overlapping, loss=chosen, asked=rule, wished=wished)
    return initialisation_choice(facts, weights, loss=chosen, overlapping=overlapping, asked=asked), weights


def test_the_last_layer_starts_at_the_shares():
    chosen, _ = _start(ROADS)
    assert chosen.prior_bias
    assert chosen.prior == pytest.approx((0.96, 0.04))
    floor = -(0.96 * math.log(0.96) + 0.04 * math.log(0.04))
    assert (
        f"shares are background 96.00%, road 4.00%: starting there, cross-entropy begins at its floor for a "
        f"constant map ({floor:.3f} nats)"
    ) in chosen.because
    assert not _start(ROADS, asked=False)[0].prior_bias


def test_with_weights_it_starts_at_what_the_weighted_loss_sees():
    chosen, weights = _start(MANY)
    assert weights.rule == "sqrt_inverse"
    seen = np.array([entry.share for entry in MANY.classes]) * weights.values
    np.testing.assert_allclose(chosen.prior, seen / seen.sum())
    assert sum(chosen.prior) == pytest.approx(1)
    assert "shares as the loss sees them are" in chosen.because
    entropy = -(np.array(chosen.prior) * np.log(chosen.prior)).sum()
    assert f"({entropy:.3f} nats)" in chosen.because


def test_with_weights_that_start_late_it_starts_at_the_shares():
    chosen, weights = _start(MANY, deferred=0.8)
    assert weights.rule == "sqrt_inverse"
    np.testing.assert_allclose(chosen.prior, [entry.share for entry in MANY.classes])
    assert _start(MANY, deferred=0.0)[0].prior == _start(MANY)[0].prior


def test_shares_of_overlapping_classes_are_not_divided_by_their_sum():
    weights = WeightsChoice(rule="given", values=(1.0, 1.0, 4.0), because="", reference="")
    loss = loss_choice(OVERLAPS, None)
    chosen = initialisation_choice(OVERLAPS, weights, loss=loss, overlapping=True, asked=None)
    assert chosen.prior == pytest.approx((0.3, 0.25, 0.02))
    assert "as the loss sees them" not in chosen.because
    plain = msgspec.structs.replace(weights, rule="none", values=(1.0, 1.0, 1.0))
    unweighted = initialisation_choice(OVERLAPS, plain, loss=loss, overlapping=True, asked=None)
    assert f"({OVERLAPS.constant_predictor.entropy:.3f} nats)" in unweighted.because
    questions = [-(p * math.log(p) + (1 - p) * math.log(1 - p)) for p in (0.3, 0.25, 0.02)]
    weighted = questions[0] / 2 + questions[1] / 2 + questions[2] * 2
    assert f"({weighted:.3f} nats)" in chosen.because


@pytest.mark.parametrize("rule", ["none", "sqrt_inverse"])
def test_an_absent_class_has_a_prior_of_0(rule: str):
    chosen, _ = _start(ABSENT, rule=rule)
    assert chosen.prior[2] == 0
    assert sum(chosen.prior) == pytest.approx(1)
    assert "bridge" not in chosen.because
    adjusted, _ = _start(ABSENT, "logit_adjusted", logit_adjusted__temperature="3")
    assert adjusted.prior[2] == 0
    assert sum(adjusted.prior) == pytest.approx(1)


def test_a_loss_that_adjusts_for_the_shares_starts_between_them_and_even():
    assert _start(THREE, "balanced_softmax")[0].prior == pytest.approx((1 / 3,) * 3)
    assert _start(THREE, "logit_adjusted")[0].prior == pytest.approx((1 / 3,) * 3)
    half, _ = _start(THREE, "logit_adjusted", logit_adjusted__temperature="0.5")
    roots = np.sqrt([0.7, 0.25, 0.05])
    np.testing.assert_allclose(half.prior, roots / roots.sum())
    assert _start(OVERLAPS, "logit_adjusted", overlapping=True)[0].prior == pytest.approx((0.5,) * 3)
    # Beside cross-entropy, which is not shifted, the shares stay.
    assert _start(THREE, "cross_entropy + logit_adjusted")[0].prior == pytest.approx((0.7, 0.25, 0.05))


def test_extreme_settings_start_at_finite_shares():
    for text in ("0.01", "100"):
        for facts in (ROADS, ABSENT):
            chosen, _ = _start(facts, "ldam", rule="inverse", ldam__scale=text)
            assert sum(chosen.prior) == pytest.approx(1)
        assert all(0 <= p <= 1 for p in _start(OVERLAPS, "ldam", overlapping=True, ldam__scale=text)[0].prior)
    chosen, _ = _start(part_facts((0.999, 0.001)), "logit_adjusted", logit_adjusted__temperature="10")
    assert sum(chosen.prior) == pytest.approx(1)


def _labels(facts: PartFacts, *, overlapping: bool) -> torch.Tensor:
    """Return labels (1, 1, 2000) in which each class has exactly its share."""
    shares = [entry.share for entry in facts.classes]
    count = 2000
    if overlapping:
        bits = [
            (torch.arange(count) < round(share * count)).long() << label for label, share in enumerate(shares)
        ]
        return torch.stack(bits).sum(0).view(1, 1, count)
    parts = [torch.full((round(share * count),), label) for label, share in enumerate(shares)]
    labels = torch.cat(parts)
    assert len(labels) == count
    return labels.view(1, 1, count)


EXACT = {
    "plain": ("cross_entropy", {}, {}),
    "weighted": ("cross_entropy", {"rule": "inverse"}, {}),
    "sqrt": ("cross_entropy", {"rule": "sqrt_inverse"}, {}),
    "late": ("cross_entropy", {"rule": "inverse", "deferred": 0.5}, {}),
    "smoothed": ("cross_entropy", {}, {"cross_entropy__smoothing": "0.2"}),
    "smoothed, weighted": ("cross_entropy", {"rule": "sqrt_inverse"}, {"cross_entropy__smoothing": "0.2"}),
    "even": ("logit_adjusted", {}, {}),
    "half-way": ("logit_adjusted", {}, {"logit_adjusted__temperature": "0.5"}),
    "beyond": ("logit_adjusted", {}, {"logit_adjusted__temperature": "1.5"}),
    "not at all": ("logit_adjusted", {}, {"logit_adjusted__temperature": "0"}),
    "balanced": ("balanced_softmax", {}, {}),
    "scaled": ("ldam", {}, {"ldam__max_margin": "0", "ldam__scale": "3"}),
    "scaled, weighted": ("ldam", {"rule": "inverse"}, {"ldam__max_margin": "0", "ldam__scale": "0.5"}),
}


FACTS = {"two": ROADS, "three": THREE, "overlapping": OVERLAPS}


@pytest.mark.parametrize(
    ("kind", "case"),
    [(kind, case) for kind in FACTS for case in EXACT if (kind, case) != ("overlapping", "balanced")],
)
def test_no_constant_map_has_a_smaller_first_loss(kind: str, case: str):
    """And the loss there is the number that the reason gives, as far as cross-entropy's floor is the loss's."""
    facts, overlapping = FACTS[kind], kind == "overlapping"
    name, more, settings = EXACT[case]
    chosen, weights = _start(facts, name, overlapping=overlapping, **more, **settings)
    texts = {key.replace("__", "."): text for key, text in settings.items()}
    shares = [entry.share for entry in facts.classes]
    loss = build(loss_choice(facts, name, texts), weights, shares=shares, overlapping=overlapping)
    labels = _labels(facts, overlapping=overlapping)
    head = torch.nn.Conv2d(4, len(shares), 1).double()
    model = torch.nn.Module()
    model.head = head
    set_prior(model, torch.tensor(chosen.prior, dtype=torch.float64), overlapping=overlapping)

    def value(bias: torch.Tensor) -> float:
        logits = bias.view(1, -1, 1, 1).expand(1, len(shares), 1, labels.shape[-1])
        return float(loss(logits, labels, 0.0))

    start = head.bias.detach()
    least = value(start)
    assert f"({least:.3f} nats)" in chosen.because
    generator = torch.Generator().manual_seed(0)
    for size in (1e-3, 0.03, 1.0):
        for _ in range(20):
            moved = size * torch.randn(len(shares), generator=generator, dtype=torch.float64)
            assert value(start + moved) >= least - 1e-12
    # Along each class alone, both ways, it rises: this is the place, and not one on a plateau.
    for label in range(len(shares)):
        step = torch.zeros(len(shares), dtype=torch.float64)
        step[label] = 0.05
        assert value(start + step) > least + 1e-7
        assert value(start - step) > least + 1e-7


@pytest.mark.parametrize("facts", [ROADS, THREE], ids=["two", "three"])
def test_with_margins_the_start_is_near_the_best_constant_map(facts: PartFacts):
    chosen, weights = _start(facts, "ldam")
    shares = [entry.share for entry in facts.classes]
    loss = build(loss_choice(facts, "ldam"), weights, shares=shares, overlapping=False)
    labels = _labels(facts, overlapping=False)
    bias = torch.tensor(chosen.prior, dtype=torch.float64).log().requires_grad_()

    def value() -> torch.Tensor:
        return loss(bias.view(1, -1, 1, 1).expand(1, len(shares), 1, labels.shape[-1]), labels)

    first = float(value().detach())
    best = torch.optim.LBFGS([bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        best.zero_grad()
        found = value()
        found.backward()
        return found

    best.step(closure)
    least = float(value().detach())
    assert least <= first <= 1.02 * least
