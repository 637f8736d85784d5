import numpy as np
import pytest

from rareseg.measures.histogram import histogram


@pytest.mark.parametrize("dtype, bins", [(np.uint8, 256), (np.uint16, 65536), (np.uint8, 3)])
@pytest.mark.parametrize("chunk", [1 << 24, 1000, 7])
def test_equals_counting_one_by_one(dtype: type, bins: int, chunk: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, np.iinfo(dtype).max + 1, (37, 41)).astype(dtype)
    counted = rng.random(values.shape) < 0.5
    expected = np.bincount(values[counted].astype(np.int64), minlength=65536)[:bins]
    np.testing.assert_array_equal(histogram(values, bins, counted, chunk=chunk), expected)
    everything = np.bincount(values.ravel().astype(np.int64), minlength=65536)[:bins]
    np.testing.assert_array_equal(histogram(values, bins, chunk=chunk), everything)


def test_is_exact_beyond_what_float32_can_count() -> None:
    values = np.zeros((1 << 24) + 1, np.uint8)
    assert int(np.float32(values.size)) != values.size  # or this array would prove nothing
    assert histogram(values, 2)[0] == values.size


def test_takes_views_and_nothing() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert histogram(values[:, ::2], 24).sum() == 12
    assert histogram(values[:0], 24).sum() == 0
