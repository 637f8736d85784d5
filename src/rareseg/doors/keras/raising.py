"""What a user's Keras model or loss raises, as an error of a probe."""

from collections.abc import Iterator
from contextlib import contextmanager

from rareseg.errors import RaresegError
from rareseg.probing.subject import ProbeError


def said(error: Exception) -> str:
    """Return the kind of an error and its text."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def as_probe_error(what: str) -> Iterator[None]:
    """Turn what `what` raises into a ProbeError that says it; errors of rareseg stay as they are."""
    try:
        yield
    except (ProbeError, RaresegError):
        raise
    except Exception as error:
        message = f"{what} raised {said(error)}"
        raise ProbeError(message) from error
