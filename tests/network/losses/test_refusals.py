"""What every loss refuses: inputs that do not belong together, and labels that no class has."""

import numpy as np
import pytest
import torch
from tests.references.losses.cases import EACH, example, loss, size

from rareseg.errors import DataError, SettingError, TrainingError

# Cross-entropy with smoothing goes another way than without.
WAYS = [(name, kind, {}) for name, kind in EACH] + [
    ("cross_entropy", kind, {"smoothing": 0.1}) for kind in ("two", "overlapping", "one")
]
every_loss = pytest.mark.parametrize(
    ("name", "kind", "own"), WAYS, ids=["-".join([name, kind, *own]) for name, kind, own in WAYS]
)


@every_loss
@pytest.mark.parametrize(
    ("logits", "labels"),
    [((2, 4, 5), (2, 5, 4)), ((2, 4, 5), (1, 4, 5)), ((2, 4), (2, 4))],
    ids=["turned", "fewer images", "no classes"],
)
def test_shapes_that_do_not_fit_are_refused(name, kind, own, logits, labels):
    classes = example(kind)[0].shape[1]
    scores = torch.zeros((logits[0], classes, *logits[1:]))
    scores = scores[:, 0] if len(logits) == 2 else scores
    with pytest.raises(DataError, match=r"labels \(batch, rows, cols\) of the same images; received"):
        loss(name, kind, **own)(scores, torch.zeros(labels, dtype=torch.int64))


@every_loss
def test_dtypes_that_do_not_fit_are_refused(name, kind, own):
    logits, labels = example(kind, void=False)
    with pytest.raises(DataError, match=r"received torch\.float64 logits and torch\.float32 labels"):
        loss(name, kind, **own)(logits, labels.float())
    with pytest.raises(DataError, match=r"received torch\.int64 logits"):
        loss(name, kind, **own)(logits.detach().long(), labels)


@every_loss
@pytest.mark.parametrize("wrong", [9, -1, 200])
def test_labels_out_of_range_are_refused(name, kind, own, wrong):
    logits, labels = example(kind, shape=size(name), void=False)
    labels[0, 0, :2] = wrong
    with pytest.raises(DataError, match=f"found {wrong} on 2 pixels"):
        loss(name, kind, **own)(logits, labels)


@every_loss
def test_valid_of_another_shape_is_refused(name, kind, own):
    logits, labels = example(kind, shape=size(name))
    with pytest.raises(DataError, match="valid"):
        loss(name, kind, **own)(logits, labels, valid=torch.ones_like(labels, dtype=torch.bool)[:1])
    with pytest.raises(DataError, match="valid"):
        loss(name, kind, **own)(logits, labels, valid=labels)


@pytest.mark.parametrize("name", [name for name, kind in EACH if kind == "overlapping"])
def test_eight_overlapping_classes_are_refused(name):
    shares = {"shares": (0.1,) * 8} if name in {"logit_adjusted", "ldam"} else {}
    call = loss(name, "overlapping", **shares)
    with pytest.raises(SettingError, match="at most 7 overlapping classes.*received 8"):
        call(torch.zeros((1, 8, 20, 24)), torch.zeros((1, 20, 24), dtype=torch.int64))


@pytest.mark.parametrize("kind", ["overlapping", "one"])
def test_balanced_softmax_is_for_exclusive_classes(kind):
    logits, labels = example(kind)
    with pytest.raises(SettingError, match="Expected exclusive classes for balanced_softmax"):
        loss("balanced_softmax", kind, shares=(0.1,) * logits.shape[1])(logits, labels)


@every_loss
def test_an_ignore_index_that_is_no_number_is_refused(name, kind, own):
    logits, labels = example(kind, shape=size(name))
    with pytest.raises(SettingError, match="Expected ignore_index to be a whole number.*received None"):
        loss(name, kind, **own)(logits, labels, ignore_index=None)


@pytest.mark.parametrize(
    ("name", "own", "said"),
    [
        ("focal", {"alpha": 0.25}, "focal's alpha, one number per class.*received 0.25"),
        ("focal", {"alpha": "ab"}, "focal's alpha, one number per class.*received 'ab'"),
        ("cross_entropy", {"weights": 1.0}, "class weights, one per class.*received 1.0"),
        ("cross_entropy", {"weights": ("1", "2")}, "class weights, one per class"),
        ("top_k", {"weights": torch.tensor(2.0)}, "class weights, one per class"),
        ("ldam", {"shares": 0.5}, "ldam's shares, one per class.*received 0.5"),
        ("dice", {"classes": 1}, "classes to be class indices.*received 1"),
        ("boundary", {"classes": 1}, "classes to be class indices.*received 1"),
        ("dice", {"classes": [-1]}, r"different class indices of 0 and above.*received \(-1,\)"),
        ("cldice", {"classes": [-1]}, r"different class indices 0\.\.1.*received \(-1,\)"),
        ("dice", {"classes": [0.5]}, r"different class indices.*received \(0.5,\)"),
    ],
)
def test_lists_that_are_none_are_refused_by_name(name, own, said):
    logits, labels = example("two", shape=size(name))
    with pytest.raises(SettingError, match=said):
        loss(name, "two", **own)(logits, labels)


@pytest.mark.parametrize("give", [torch.tensor, np.array], ids=["tensor", "array"])
@pytest.mark.parametrize(
    ("name", "setting", "values"),
    [
        ("focal", "alpha", (0.25, 0.75)),
        ("cross_entropy", "weights", (1.0, 3.0)),
        ("ohem", "weights", (1.0, 3.0)),
        ("ldam", "shares", (0.75, 0.25)),
        ("dice", "classes", (1,)),
        ("cldice", "classes", (1,)),
    ],
)
def test_lists_may_come_as_tensors_and_arrays(give, name, setting, values):
    logits, labels = example("two", shape=size(name))
    as_list, as_given = (
        loss(name, "two", **{setting: one})(logits, labels) for one in (values, give(values))
    )
    assert as_list.item() == as_given.item()


HANDMADE = [
    (name, kind) for name, kind in EACH if name not in ("boundary", "hausdorff", "skeleton_recall", "rmi")
]


@pytest.mark.parametrize(("name", "kind"), HANDMADE)
def test_a_gradient_penalty_is_refused_instead_of_lost(name, kind):
    logits = example(kind, shape=size(name))[0].detach().float().requires_grad_()
    labels = example(kind, shape=size(name))[1]
    value = loss(name, kind)(logits, labels)
    with pytest.raises(TrainingError, match="cannot be differentiated once more"):
        torch.autograd.grad(value, logits, create_graph=True)
