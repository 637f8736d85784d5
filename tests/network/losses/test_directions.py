"""Where gradients point: away from false alarms, towards missed pixels, and in the end to the labels."""

import pytest
import torch
from tests.references.losses.cases import EACH, KINDS, SHARES, example, gradient, loss

# A recall has no false alarms in its formula, and the information in a region is the same of a map and its
# negative: both are meant to stand beside another loss.
BLIND_TO_FALSE_ALARMS = ("skeleton_recall", "rmi")
REGIONAL = ("boundary", "hausdorff", "cldice", "skeleton_recall", "rmi")
SIZE = 24
every_loss = pytest.mark.parametrize(("name", "kind"), EACH)


def background(kind):
    """Labels without the last class: nothing at all, or the classes before it in broad bands."""
    classes, overlapping = KINDS[kind]
    labels = torch.zeros((1, SIZE, SIZE), dtype=torch.int64)
    if overlapping:
        labels[:, :, :10] = 3
    elif classes > 2:
        labels[:] = torch.arange(SIZE).clamp(max=classes * 4 - 5) // 4 % (classes - 1)
    return labels


def member(kind):
    """The label of a pixel of the last class."""
    classes, overlapping = KINDS[kind]
    return 1 if classes == 1 else 1 << (classes - 1) if overlapping else classes - 1


def chances(kind, line, elsewhere):
    """Logits that claim the last class with chance `line` on rows 12 and 13, `elsewhere` otherwise."""
    claim = torch.full((SIZE, SIZE), elsewhere, dtype=torch.float64)
    # No two chances are equal, so that no minimum or order is tied.
    claim += 0.01 * torch.rand(claim.shape, generator=torch.Generator().manual_seed(0))
    claim[12:14, 3:21] += line - elsewhere
    classes, overlapping = KINDS[kind]
    exclusive = classes > 1 and not overlapping
    logits = torch.zeros((1, classes, SIZE, SIZE), dtype=torch.float64)
    logits[:, -1] = torch.logit(claim) + (torch.log(torch.tensor(classes - 1.0)) if exclusive else 0)
    return logits.requires_grad_()


@every_loss
def test_false_alarms_of_a_class_that_the_image_lacks_cost(name, kind):
    logits = chances(kind, line=0.7, elsewhere=0.03)
    slope = gradient(loss(name, kind)(logits, background(kind)), logits)[0, -1]
    if name in BLIND_TO_FALSE_ALARMS:
        assert kind in {"two", "five"} or not slope.any()
        return
    assert slope[12:14, 3:21].sum() > 0
    if name not in REGIONAL:
        assert (slope >= 0).all()


@pytest.mark.parametrize("name", BLIND_TO_FALSE_ALARMS)
def test_what_is_blind_to_false_alarms_sees_them_beside_cross_entropy(name):
    logits = chances("one", line=0.7, elsewhere=0.03)
    labels = background("one")
    both = loss(name, "one")(logits, labels) + loss("cross_entropy", "one")(logits, labels)
    assert (gradient(both, logits) > 0).all()


@every_loss
@pytest.mark.parametrize("chance", [0.1, 0.03, 0.01])
def test_missed_pixels_pull_at_their_class(name, kind, chance):
    logits = chances(kind, line=chance, elsewhere=chance)
    labels = background(kind)
    labels[:, 12:14, 3:21] = member(kind)
    slope = gradient(loss(name, kind)(logits, labels), logits)[0, -1, 12:14, 3:21]
    assert slope.sum() < 0
    if name not in REGIONAL:
        assert (slope <= 0).all()


@every_loss
def test_a_right_and_sure_map_costs_less_than_any_other(name, kind):
    labels = background(kind)
    labels[:, 12:14, 3:21] = member(kind)
    right = loss(name, kind)(_map_of(labels, kind), labels)
    for rows in (slice(0, 0), slice(12, 13), slice(10, 16)):
        other = background(kind)
        other[:, rows, 3:21] = member(kind)
        wrong = loss(name, kind)(_map_of(other, kind), labels)
        # A skeleton does not tell how wide a road is.
        least = -1e-6 if name in {"cldice", "skeleton_recall"} and rows != slice(0, 0) else 1e-6
        assert wrong > right + least


def _map_of(labels, kind):
    classes, overlapping = KINDS[kind]
    numbers = torch.arange(classes).view(1, -1, 1, 1)
    spread = labels.unsqueeze(1)
    if classes == 1:
        return torch.where(spread == 1, 12.0, -12.0).double()
    return torch.where(
        (spread >> numbers) & 1 == 1 if overlapping else spread == numbers, 12.0, -12.0
    ).double()


def _answers(logits, kind):
    if KINDS[kind].overlapping:
        return sum((logits[:, number] > 0).long() << number for number in range(KINDS[kind].classes))
    return (logits[:, 0] > 0).long() if KINDS[kind].classes == 1 else logits.argmax(dim=1)


@every_loss
def test_following_the_gradient_leads_to_the_labels(name, kind):
    size = 12 if name == "rmi" else 8
    logits, labels = example(kind, shape=(size, size), images=1, seed=5, void=False)
    own = {"pool": 2} if name == "rmi" else {}

    def total(scores):
        value = loss(name, kind, **own)(scores, labels)
        # The volume that rmi measures has no end: it would outweigh what tells a map from its negative.
        value = value / 10 if name == "rmi" else value
        return value + loss("cross_entropy", kind)(scores, labels) if name in REGIONAL else value

    start = _answers(logits, kind)
    values = _descend(total, logits, wanted=lambda scores: (_answers(scores, kind) == labels).all())
    assert (start != labels).any()
    assert all(later < earlier for earlier, later in zip(values, values[1:], strict=False))
    assert values[-1] < values[0] - 0.1 * abs(values[0])


def _descend(total, logits, *, wanted, steps=400):
    """Step against the gradient, halving a step that does not lead down; return the losses on the way."""
    scores, rate = logits.detach().clone(), 1.0
    values = [total(scores).item()]
    for _ in range(steps):
        if wanted(scores):
            return values
        scores.requires_grad_()
        slope = gradient(total(scores), scores)
        scores = scores.detach()
        step = slope / slope.abs().max()
        while (value := total(scores - rate * step).item()) >= values[-1]:
            rate /= 2
            if rate < 1e-9:
                message = f"no step leads down from {values[-1]}"
                raise AssertionError(message)
        scores, rate = scores - rate * step, min(2 * rate, 1.0)
        values.append(value)
    message = f"{steps} steps did not lead to the labels: {values[-5:]}"
    raise AssertionError(message)


@pytest.mark.parametrize("kind", ["two", "five"])
def test_at_the_prior_an_even_answer_is_best_for_the_adjusted_loss(kind):
    # Menon 2020, sec. 5: what is learnt is how much likelier a class is than its share.
    shares = torch.tensor(SHARES[kind], dtype=torch.float64)
    labels = torch.repeat_interleave(torch.arange(len(shares)), (shares * 100).round().long()).view(1, 10, 10)
    even = torch.zeros((1, len(shares), 10, 10), dtype=torch.float64, requires_grad=True)
    for name in ("logit_adjusted", "balanced_softmax"):
        slope = gradient(loss(name, kind)(even, labels), even)
        assert slope.sum(dim=(0, 2, 3)).abs().max() < 1e-12
        assert slope.abs().max() > 1e-4
