"""What must be equal: losses that are special cases of one another, and inputs that mean the same."""

import pytest
import torch
from tests.references.losses import jaccard_loss
from tests.references.losses.cases import (
    EACH,
    KINDS,
    PIXELWISE,
    SHARES,
    TAKES_SHARES,
    WEIGHTED,
    WEIGHTS,
    example,
    gradient,
    loss,
    size,
)
from torch.nn import functional as F

VOID = 255
ERRORS = ("false_positive_weight", "false_negative_weight")
HALVES, ONES = dict.fromkeys(ERRORS, 0.5), dict.fromkeys(ERRORS, 1.0)
SAME = [
    (("focal", {"gamma": 0.0}), ("cross_entropy", {})),
    (("top_k", {"share": 1.0}), ("cross_entropy", {})),
    (("ohem", {"threshold": 1.0}), ("cross_entropy", {})),
    (("ohem", {"threshold": 1e-9, "least_share": 0.25}), ("top_k", {"share": 0.25})),
    (("cross_entropy", {"smoothing": 0.0}), ("cross_entropy", {})),
    (("logit_adjusted", {"temperature": 0.0}), ("cross_entropy", {})),
    (("ldam", {"max_margin": 0.0}), ("cross_entropy", {})),
    (("balanced_softmax", {}), ("logit_adjusted", {"temperature": 1.0})),
    (("tversky", HALVES), ("dice", {})),
    (("tversky", ONES), ("jaccard", {})),
    (("focal_tversky", {"exponent": 1.0}), ("tversky", {})),
    (
        ("tversky", HALVES | {"per_image": True, "smoothing": 2.0}),
        ("dice", {"per_image": True, "smoothing": 2.0}),
    ),
]
every_loss = pytest.mark.parametrize(("name", "kind"), EACH)
every_kind = pytest.mark.parametrize("kind", KINDS)


def check_same(name, kind, first, second):
    """Two pairs (value, gradient)."""
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(
            one, other, rtol=1e-9, atol=1e-12, msg=lambda text: f"{name} {kind}: {text}"
        )


def answer(name, kind, logits, labels, own=None, **more):
    logits = logits.detach().requires_grad_()
    value = loss(name, kind, **(own or {}))(logits, labels, **more)
    return value, gradient(value, logits)


@pytest.mark.parametrize(
    ("special", "general", "kind"),
    [
        pytest.param(special, general, kind, id=f"{special[0]} {special[1]} {general[0]} {kind}")
        for special, general in SAME
        for kind in KINDS
        if (special[0], kind) in EACH
    ],
)
def test_special_cases(special, general, kind):
    logits, labels = example(kind)
    first, second = (answer(name, kind, logits, labels, own) for name, own in (special, general))
    check_same(special[0], kind, first, second)


@pytest.mark.parametrize("kind", ["two", "five"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_is_that_of_torch(kind, smoothing, weighted):
    logits, labels = example(kind)
    weights = WEIGHTS[kind] if weighted else None
    own = {"smoothing": smoothing, "weights": weights}
    table = torch.tensor(weights, dtype=torch.float64) if weighted else None
    expected = F.cross_entropy(logits, labels, weight=table, ignore_index=VOID, label_smoothing=smoothing)
    check_same(
        "torch",
        kind,
        answer("cross_entropy", kind, logits, labels, own),
        (expected, gradient(expected, logits)),
    )


def test_one_channel_is_the_binary_cross_entropy_of_torch():
    logits, labels = example("one")
    counted = (labels != VOID).double()
    bits = F.binary_cross_entropy_with_logits(
        logits[:, 0], (labels == 1).double(), weight=counted, reduction="sum"
    )
    expected = bits / counted.sum()
    check_same(
        "torch", "one", answer("cross_entropy", "one", logits, labels), (expected, gradient(expected, logits))
    )


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "top_k", "ohem"])
def test_two_classes_are_one_question_about_the_difference(name):
    logits, labels = example("two")
    difference = logits[:, 1:] - logits[:, :1]
    torch.testing.assert_close(loss(name, "two")(logits, labels), loss(name, "one")(difference, labels))


@pytest.mark.parametrize("name", [name for name, kind in EACH if kind == "one"])
def test_one_channel_is_one_class_that_may_overlap(name):
    logits, labels = example("one", shape=size(name))
    check_same(
        name,
        "one",
        answer(name, "one", logits, labels),
        answer(name, "one", logits, labels, {"overlapping": True}),
    )


@pytest.mark.parametrize(
    ("name", "own"), [(name, {}) for name in WEIGHTED] + [("cross_entropy", {"smoothing": 0.2})]
)
@pytest.mark.parametrize("kind", ["two", "five", "overlapping"])
def test_only_ratios_of_class_weights_matter(name, own, kind):
    logits, labels = example(kind)
    even = own | {"weights": [7.0] * KINDS[kind].classes}
    check_same(name, kind, answer(name, kind, logits, labels, own), answer(name, kind, logits, labels, even))
    first = answer(name, kind, logits, labels, own | {"weights": WEIGHTS[kind]})
    for scale in (1e-6, 1e3):
        scaled = own | {"weights": [scale * weight for weight in WEIGHTS[kind]]}
        check_same(name, kind, first, answer(name, kind, logits, labels, scaled))


@every_loss
def test_classes_may_come_in_any_order(name, kind):
    classes, overlapping = KINDS[kind]
    logits, labels = example(kind, shape=size(name))
    order = torch.roll(torch.arange(classes), 1)
    place = torch.argsort(order)
    if classes == 1:
        renamed = labels
    elif overlapping:
        renamed = sum(((labels >> old) & 1) << int(place[old]) for old in range(classes))
    else:
        renamed = place[torch.where(labels == VOID, 0, labels)]
    renamed = torch.where(labels == VOID, VOID, renamed)
    own, turned = {}, {}
    if name in TAKES_SHARES:
        turned["shares"] = [SHARES[kind][int(old)] for old in order]
    if name in WEIGHTED:
        own["weights"] = WEIGHTS[kind]
        turned["weights"] = [WEIGHTS[kind][int(old)] for old in order]
    if name == "unified_focal" and kind in {"two", "five"}:
        own["background"], turned["background"] = 0, int(place[0])
    if name in {"boundary", "hausdorff", "cldice", "skeleton_recall"}:
        own["classes"], turned["classes"] = (0,), (int(place[0]),)
    value, slope = answer(name, kind, logits, labels, own)
    check_same(name, kind, (value, slope[:, order]), answer(name, kind, logits[:, order], renamed, turned))


@every_loss
def test_what_the_map_says_at_void_pixels_changes_nothing(name, kind):
    logits, labels = example(kind, shape=size(name))
    void = (labels == VOID).unsqueeze(1)
    value, slope = answer(name, kind, logits, labels)
    assert not slope[void.expand_as(slope)].any()
    for other in (50.0, -50.0, 0.3):
        check_same(
            name, kind, (value, slope), answer(name, kind, torch.where(void, other, logits.detach()), labels)
        )


@every_loss
def test_what_is_labelled_at_pixels_that_are_not_valid_changes_nothing(name, kind):
    logits, labels = example(kind, shape=size(name), void=False)
    valid = torch.rand(labels.shape, generator=torch.Generator().manual_seed(1)) < 0.8
    first = answer(name, kind, logits, labels, valid=valid)
    check_same(name, kind, first, answer(name, kind, logits, torch.where(valid, labels, 0), valid=valid))
    check_same(name, kind, first, answer(name, kind, logits, torch.where(valid, labels, VOID)))
    everywhere = torch.ones_like(valid)
    check_same(
        name, kind, answer(name, kind, logits, labels), answer(name, kind, logits, labels, valid=everywhere)
    )


@pytest.mark.parametrize(
    ("name", "kind"), [case for case in EACH if case[0] not in {"generalised_dice", "unified_focal"}]
)
def test_a_batch_of_an_image_and_its_copy_is_that_image(name, kind):
    # Sums of two sets double: only smoothing (and a number of pixels that is rounded) tells the two apart.
    plain = {"smoothing": 0.0} if name in {"dice", "jaccard", "tversky", "focal_tversky", "combo"} else {}
    plain |= {"smoothing": 1e-12} if name in {"cldice", "skeleton_recall"} else {}
    plain |= {"share": 1.0} if name == "top_k" else {}
    plain |= {"threshold": 1.0} if name == "ohem" else {}
    logits, labels = example(kind, shape=size(name), images=1)
    value, slope = answer(name, kind, logits, labels, plain)
    twice = answer(name, kind, logits.repeat(2, 1, 1, 1), labels.repeat(2, 1, 1), plain)
    torch.testing.assert_close(value, twice[0], rtol=1e-9, atol=1e-12)
    # Together the two copies move as the one: equal errors may share a weight in any way.
    torch.testing.assert_close(slope, twice[1].sum(dim=0, keepdim=True), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    "name", ["dice", "jaccard", "generalised_dice", "tversky", "focal_tversky", "lovasz"]
)
@every_kind
def test_per_image_is_the_mean_over_images(name, kind):
    logits, labels = example(kind, images=3)
    together = loss(name, kind, per_image=True)(logits, labels)
    alone = [loss(name, kind)(logits[n : n + 1], labels[n : n + 1]) for n in range(3)]
    torch.testing.assert_close(together, torch.stack(alone).mean())
    assert together.item() != pytest.approx(loss(name, kind)(logits, labels).item(), rel=1e-6)


@pytest.mark.parametrize(
    "name", ["dice", "jaccard", "generalised_dice", "tversky", "focal_tversky", "lovasz"]
)
@every_kind
def test_the_batch_is_one_set_of_pixels(name, kind):
    logits, labels = example(kind)
    beside = torch.cat(list(logits), dim=-1).unsqueeze(0)
    torch.testing.assert_close(
        loss(name, kind)(logits, labels),
        loss(name, kind)(beside, torch.cat(list(labels), dim=-1).unsqueeze(0)),
    )


@pytest.mark.parametrize(
    "name", ["dice", "jaccard", "tversky", "focal_tversky", "boundary", "hausdorff", "cldice"]
)
@pytest.mark.parametrize("kind", ["five", "overlapping"])
def test_several_classes_cost_their_mean(name, kind):
    logits, labels = example(kind)
    each = torch.stack([loss(name, kind, classes=(number,))(logits, labels) for number in (0, 2)])
    torch.testing.assert_close(loss(name, kind, classes=(0, 2))(logits, labels), each.mean())
    first = 1 if name in {"boundary", "hausdorff", "cldice"} and kind == "five" else 0
    chosen = tuple(range(first, KINDS[kind].classes))
    torch.testing.assert_close(
        loss(name, kind, classes=chosen)(logits, labels), loss(name, kind)(logits, labels)
    )


@pytest.mark.parametrize("kind", ["two", "five"])
@pytest.mark.parametrize("name", ["lovasz", "jaccard"])
def test_at_sure_answers_the_loss_is_one_minus_iou(name, kind):
    logits, labels = example(kind, shape=(12, 12))
    answers = logits.argmax(dim=1)
    sure = torch.where(
        answers.unsqueeze(1) == torch.arange(KINDS[kind].classes).view(1, -1, 1, 1), 60.0, -60.0
    )
    counted = labels != VOID
    each = []
    for number in range(KINDS[kind].classes):
        truth, claimed = (labels == number)[counted].numpy(), (answers == number)[counted].numpy()
        each.append(jaccard_loss(truth, truth ^ claimed))
    own = {"smoothing": 0.0} if name == "jaccard" else {}
    found = loss(name, kind, **own)(sure.double(), labels)
    assert found.item() == pytest.approx(sum(each) / len(each), rel=1e-9)


def test_generalised_dice_of_one_class_is_dice():
    # Sudre's weight stands above and below the line.
    logits, labels = example("one")
    expected = loss("dice", "one")(logits, labels)
    for weighting in ("uniform", "inverse", "inverse_square"):
        torch.testing.assert_close(
            loss("generalised_dice", "one", weighting=weighting)(logits, labels), expected
        )


def test_generalised_dice_of_equally_large_classes_does_not_weigh():
    logits, _ = example("two")
    labels = torch.arange(9).repeat(2, 7, 1) % 2
    labels[:, :, -1] = VOID
    each = [
        loss("generalised_dice", "two", weighting=weighting)(logits, labels)
        for weighting in ("uniform", "inverse", "inverse_square")
    ]
    torch.testing.assert_close(each[1], each[0])
    torch.testing.assert_close(each[2], each[0])


@pytest.mark.parametrize(
    ("name", "kind"), [case for case in EACH if case[0] in PIXELWISE and case[0] not in {"top_k", "ohem"}]
)
def test_pixelwise_losses_add_up_over_images(name, kind):
    logits, labels = example(kind)
    counted = [(image != VOID).sum() for image in labels]
    alone = [loss(name, kind)(logits[n : n + 1], labels[n : n + 1]) * counted[n] for n in range(2)]
    torch.testing.assert_close(loss(name, kind)(logits, labels), sum(alone) / sum(counted))
