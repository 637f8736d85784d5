"""One list of public names; the same verbs in Python and on the command line."""

import importlib
import inspect
from types import ModuleType

import pytest

import rareseg
from rareseg import errors
from rareseg.cli import main

VERBS = {"audit", "plan", "train", "compare", "evaluate", "report", "diagnose", "predict", "demo"}


def test_every_public_name_can_be_imported():
    for name in rareseg.__all__:
        assert getattr(rareseg, name) is not None


def test_public_names_are_sorted_and_listed():
    assert rareseg.__all__ == sorted(rareseg.__all__)
    assert set(rareseg.__all__) <= set(dir(rareseg))


def test_every_error_is_public():
    kinds = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert kinds <= set(rareseg.__all__)


def test_unknown_name_is_an_attribute_error_that_lists_the_known():
    with pytest.raises(AttributeError, match="no attribute 'audits'.*audit"):
        _ = rareseg.audits


def test_verbs_are_the_commands_and_the_public_functions():
    functions = {name for name in rareseg.__all__ if inspect.isfunction(getattr(rareseg, name))}
    assert functions == VERBS
    # A list to read: in Python it is the module rareseg.remedies.
    assert set(main.commands) == VERBS | {"remedies"}


def test_verbs_module_holds_the_verbs_and_no_others():
    verbs = importlib.import_module("rareseg.verbs")
    assert set(verbs.__all__) == VERBS
    assert all(inspect.isfunction(getattr(verbs, name)) for name in VERBS)


def test_modules_are_the_modules_themselves():
    assert isinstance(rareseg.losses, ModuleType)
    assert rareseg.losses.__name__ == "rareseg.network.losses"
    assert rareseg.errors is errors
