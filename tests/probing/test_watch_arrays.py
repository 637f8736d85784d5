import numpy as np
import pytest
import torch

from rareseg.errors import SettingError
from rareseg.probing.watch_arrays import Layout, layout_of, on_host, open_array, pick


def _layout(logits, labels, axis="auto", classes=None):
    return layout_of(logits, labels, axis=axis, classes=classes)


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        ((2, 3, 8, 9), (2, 8, 9), Layout(3, 1, hot=False, label_axis=None)),
        ((2, 8, 9, 3), (2, 8, 9), Layout(3, 3, hot=False, label_axis=None)),
        ((2, 3, 8, 9), (2, 1, 8, 9), Layout(3, 1, hot=False, label_axis=1)),
        ((2, 8, 9, 3), (2, 8, 9, 1), Layout(3, 3, hot=False, label_axis=3)),
        ((2, 8, 9, 3), (2, 1, 8, 9), Layout(3, 3, hot=False, label_axis=1)),
        ((2, 3, 8, 9), (2, 3, 8, 9), Layout(3, 1, hot=True, label_axis=1)),
        ((2, 8, 9, 3), (2, 8, 9, 3), Layout(3, 3, hot=True, label_axis=3)),
        ((2, 1, 8, 9), (2, 1, 8, 9), Layout(1, 1, hot=False, label_axis=1)),
        ((2, 8, 9, 1), (2, 8, 9, 1), Layout(1, 3, hot=False, label_axis=3)),
        ((2, 1, 8, 9), (2, 8, 9), Layout(1, 1, hot=False, label_axis=None)),
        ((2, 8, 9), (2, 8, 9), Layout(1, None, hot=False, label_axis=None)),
        ((2, 8, 9), (2, 1, 8, 9), Layout(1, None, hot=False, label_axis=1)),
    ],
)
def test_the_shapes_tell_where_the_channels_are(logits, labels, expected):
    assert _layout(logits, labels) == expected


def test_shapes_that_fit_both_ways_are_settled_by_axis_or_names():
    logits, labels = (2, 8, 8, 8), (2, 8, 8)
    with pytest.raises(SettingError, match="channel_axis"):
        _layout(logits, labels)
    assert _layout(logits, labels, axis=-1).channel_axis == 3
    assert _layout((2, 4, 4, 6), (2, 4, 4, 6), classes=6).channel_axis == 3
    assert _layout((2, 4, 4, 6), (2, 4, 4, 6), classes=4).channel_axis == 1


@pytest.mark.parametrize(
    ("logits", "labels"),
    [((2, 3, 8, 8), (2, 16, 16)), ((2, 3), (2,)), ((2, 3, 4, 4, 4), (2, 4, 4, 4)), ((2, 8, 9), (2, 9, 8))],
)
def test_shapes_that_do_not_fit_are_named(logits, labels):
    with pytest.raises(SettingError, match="got logits .* and labels"):
        _layout(logits, labels)


def test_an_axis_that_there_is_not_is_refused():
    with pytest.raises(SettingError, match="got 2"):
        _layout((2, 3, 8, 9), (2, 8, 9), axis=2)


def test_tensors_on_the_host_are_not_copied():
    tensor = torch.zeros(2, 3, 4, 4, requires_grad=True)
    view = open_array(tensor, "logits")
    view[0, 0, 0, 0] = 7
    assert tensor[0, 0, 0, 0] == 7


@pytest.mark.parametrize("value", [None, "text", [[1, 2], [3]], {"a": 1}])
def test_what_is_no_array_is_refused_in_a_sentence(value):
    with pytest.raises(SettingError, match="Expected logits as an array"):
        open_array(value, "logits")


@pytest.mark.parametrize("axis", [1, 3, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_picked_pixels_are_the_right_ones_in_every_layout_and_type(axis, dtype):
    values = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).to(dtype)
    planes = values[:, :1] if axis is None else values
    given = {1: planes, 3: planes.movedim(1, 3), None: planes[:, 0]}[axis]
    places = (np.array([0, 1, 1]), np.array([3, 0, 2]), np.array([4, 1, 0]))
    picked = pick(open_array(given, "logits"), axis, places)
    assert picked.dtype == np.float32
    np.testing.assert_array_equal(picked, planes.float().numpy()[places[0], :, places[1], places[2]].T)


def test_jax_arrays_are_read_without_jax_being_loaded_here():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    values = jax.numpy.ones((2, 3, 4, 4), jax.numpy.bfloat16) * 2
    opened = open_array(values, "logits")
    assert on_host(opened).dtype == np.float32
    assert (pick(opened, 1, (np.array([0]), np.array([1]), np.array([2]))) == 2).all()
    with pytest.raises(SettingError, match="outside of compiled"):
        jax.jit(lambda x: open_array(x, "logits"))(values)
