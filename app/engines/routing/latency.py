"""How long a route takes to its first token, and between two."""

from __future__ import annotations

import math
from collections.abc import Callable

_FASTER = 0.3
"""What a faster sample weighs. A slower one counts at once, so that trouble is seen with the first reader it meets.

Source: peak-EWMA, as in Finagle (https://twitter.github.io/finagle/guide/Clients.html) and Linkerd.
"""
FADES = 10.0
"""Seconds in which what nobody confirms fades to a third: one slow answer, long ago, does not keep all others away."""


class PeakEwma:
    """Seconds, moving; ``value`` is None before the first sample. ``now`` is the clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at = 0.0
        self.value: float | None = None

    @property
    def faded(self) -> float | None:
        """``value`` as far as it is to be believed now."""
        return None if self.value is None else self.value * math.exp(-(self._now() - self._at) / FADES)

    def sample(self, seconds: float) -> None:
        """One more measurement."""
        self._at = self._now()
        if self.value is None or seconds >= self.value:
            self.value = seconds
        else:
            self.value += _FASTER * (seconds - self.value)

    def forget(self) -> None:
        """What was measured no longer holds."""
        self.value = None
