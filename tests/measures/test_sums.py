"""Counts as rows of numbers: weighted sums are those that adding again and again would give."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from rareseg.measures.sums import rows, weighted


@dataclass(frozen=True)
class Inner:
    unit: str = ""
    length: float = 0.0


@dataclass(frozen=True)
class Outer:
    count: int = 0
    sizes: np.ndarray = field(default_factory=lambda: np.zeros(3, np.int64))
    inner: Inner | None = None


ONE = Outer(2, np.array([1, 0, 5]), Inner("m", 0.5))
TWO = Outer(7, np.array([0, 3, 0]), Inner("m", 2.25))
NOTHING = Outer(1, np.array([0, 0, 1]), None)
ALL = Outer(10, np.array([1, 3, 6]), Inner("m", 2.75))


def test_every_number_has_its_column():
    assert rows([ONE, NOTHING], ALL).tolist() == [[2, 1, 0, 5, 0.5], [1, 0, 0, 1, 0]]
    assert rows([], ALL).shape == (0, 5)


def test_weighted_sums_are_counts_again():
    first, second, none = weighted(
        [ONE, TWO, NOTHING], np.array([[1, 1, 1], [3, 0, 2], [0, 0, 0]], np.float64), ALL
    )
    assert (first.count, first.sizes.tolist(), first.inner) == (10, [1, 3, 6], Inner("m", 2.75))
    assert (second.count, second.sizes.tolist(), second.inner) == (8, [3, 0, 17], Inner("m", 1.5))
    assert type(second.count) is int and second.sizes.dtype == np.int64
    assert (none.count, none.inner.length) == (0, 0.0)


def test_what_none_has_the_sum_has_not():
    (found,) = weighted([NOTHING], np.array([[2.0]]), NOTHING)
    assert found.inner is None and found.count == 2


@pytest.mark.parametrize("scenes", [1, 4])
def test_sums_are_those_of_adding_again_and_again(scenes):
    from rareseg.measures.class_counts import ClassCounts
    from rareseg.measures.objects import object_counts
    from rareseg.measures.shape_counts import ShapeCounts
    from rareseg.measures.topology import topology_counts

    rng = np.random.default_rng(scenes)
    held = []
    for _ in range(scenes):
        truth, given = np.zeros((2, 60, 60), np.bool_)
        truth[10 + rng.integers(9), 3:50] = given[12, 3 : rng.integers(20, 55)] = True
        counted = np.ones_like(truth)
        shape = ShapeCounts(
            lines=topology_counts(given, truth, counted), objects=object_counts(given, truth, counted)
        )
        held.append(ClassCounts(shape=shape))
    weights = rng.integers(0, 4, (6, scenes))
    whole = sum(held[1:], held[0])
    for row, found in zip(weights, weighted(held, weights.astype(np.float64), whole), strict=True):
        again = ClassCounts()
        for times, one in zip(row, held, strict=True):
            for _ in range(times):
                again = again + one
        if not row.any():
            continue
        assert found.shape.lines == again.shape.lines
        assert found.shape.objects.true.tolist() == again.shape.objects.true.tolist()
