import pytest
from tests.references.comparisons import comparison

from rareseg.errors import RecordError
from rareseg.records import codec
from rareseg.records.comparison import Comparison, Request


def test_a_comparison_comes_back_from_json():
    made = comparison()
    assert codec.decode(codec.encode(made), Comparison, "x") == made


@pytest.mark.parametrize("text", [b'{"remedies": [], "seeds": 0}', b'{"remedies": [], "seeds": 101}'])
def test_seeds_stay_in_their_range(text):
    with pytest.raises(RecordError, match=r"seeds"):
        codec.decode(text, Request, "x")


def test_unknown_keys_are_named():
    with pytest.raises(RecordError, match="unknown key `budget`. Known keys: remedies, seeds, minutes"):
        codec.decode(b'{"remedies": [], "seeds": 1, "budget": 3}', Request, "x")
