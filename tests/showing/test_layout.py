import pytest

from rareseg.showing import layout


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (1.0, "100.00"),
        (0.04067, "4.07"),
        (0.00123456, "0.123"),
        (0.0000123, "0.00123"),
        (1e-9, "<0.001"),
    ],
)
def test_shares_keep_three_digits_however_small(share, text):
    assert layout.spell_share(share) == text


@pytest.mark.parametrize(
    ("chance", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (1.0, "100"),
        (0.9999, ">99"),
        (0.00001, "<0.1"),
        (0.024, "2.4"),
        (0.634, "63"),
    ],
)
def test_a_chance_is_never_rounded_to_certainty(chance, text):
    assert layout.spell_chance(chance) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (15_000, "15.0 k"),
        (485_000, "485 k"),
        (1_234_567, "1.23 M"),
        (2 * 10**9, "2.00 G"),
    ],
)
def test_short_counts_have_three_digits(count, text):
    assert layout.spell_short(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(41.7, "42 s"), (298, "4 min 58 s"), (7500, "2 h 05 min")])
def test_times(seconds, text):
    assert layout.spell_time(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(None, "–"), (7.04, "7.0"), (99.5, "99.5"), (3120.4, "3,120")])
def test_sizes(size, text):
    assert layout.spell_size(size) == text
