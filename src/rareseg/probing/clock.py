"""How long probes may take."""

import time
from typing import final


@final
class Clock:
    """Hands out shares of a budget of seconds."""

    def __init__(self, seconds: float) -> None:
        """Start now."""
        self._started = time.monotonic()
        self._seconds = seconds

    def taken(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started

    def left(self) -> float:
        """Return the seconds that are left, at least 0."""
        return max(self._seconds - self.taken(), 0.0)

    def steps(self, most: int, seconds_each: float, share: float) -> int:
        """Return how many steps of a length fit in a share of what is left, from 0 to `most`."""
        return max(0, min(most, int(share * self.left() / max(seconds_each, 1e-6))))
