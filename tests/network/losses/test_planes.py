import pytest
import torch

from rareseg.errors import DataError, SettingError
from rareseg.network.losses.planes import _select, each_plane, read_planes


def example(classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((2, classes, 4, 5), generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, max(classes, 2), (2, 4, 5), generator=generator)


@pytest.mark.parametrize(
    ("classes", "shared"), [((1, 2), True), ((2,), True), ((0, 1, 2), True), ((2, 1), False), ((0, 2), False)]
)
def test_neighbouring_classes_are_taken_without_a_copy(classes, shared):
    logits, _ = example(3)
    taken = _select(logits, list(classes))
    assert (taken.untyped_storage().data_ptr() == logits.untyped_storage().data_ptr()) == shared
    torch.testing.assert_close(taken, torch.stack([logits[:, label] for label in classes], dim=1))


@pytest.mark.parametrize("classes", [(0,), (1,), (1, 0), (0, 1)])
def test_two_exclusive_classes_have_the_softmax(classes):
    logits, labels = example(2)
    planes = read_planes(logits, labels, classes=classes, overlapping=False)
    torch.testing.assert_close(planes.chance, logits.softmax(dim=1)[:, list(classes)])
    assert all((planes.holds[:, at] == (labels == label)).all() for at, label in enumerate(classes))


def test_the_default_leaves_out_the_background_of_exclusive_classes_alone():
    assert read_planes(*example(4), classes=None, overlapping=False).chance.shape[1] == 3
    assert read_planes(*example(4), classes=None, overlapping=True).chance.shape[1] == 4
    assert read_planes(*example(1), classes=None, overlapping=False).chance.shape[1] == 1


def test_yes_or_no_questions_have_the_sigmoid():
    for count, overlapping in ((1, False), (1, True), (3, True)):
        logits, labels = example(count)
        planes = read_planes(logits, labels, classes=None, overlapping=overlapping)
        torch.testing.assert_close(planes.chance, logits.sigmoid())


@pytest.mark.parametrize("classes", [(), (3,), (-1,), (1, 1)])
def test_classes_that_the_network_lacks(classes):
    with pytest.raises(SettingError, match="classes"):
        read_planes(*example(3), classes=classes, overlapping=False)


def test_shapes_that_do_not_fit():
    logits, labels = example(3)
    with pytest.raises(DataError, match="shape"):
        read_planes(logits, labels, classes=None, overlapping=False, valid=torch.ones(1, dtype=torch.bool))


@pytest.mark.parametrize("threads", [1, 3])
def test_every_plane_is_visited_once_and_errors_are_raised(threads):
    before = torch.get_num_threads()
    seen = []

    def fail(_):
        message = "no"
        raise ValueError(message)

    try:
        torch.set_num_threads(threads)
        each_plane(seen.append, torch.Size((3, 2, 8, 8)))
        with pytest.raises(ValueError, match="no"):
            each_plane(fail, torch.Size((3, 2, 8, 8)))
        each_plane(fail, torch.Size((0, 2, 8, 8)))
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == [(image, label) for image in range(3) for label in range(2)]
