"""How long a route takes to its first token, and between two."""

from __future__ import annotations

_FASTER = 0.3
"""What a faster sample weighs. A slower one counts at once, so that trouble is seen with the first reader it meets.

Source: peak-EWMA, as in Finagle (https://twitter.github.io/finagle/guide/Clients.html) and Linkerd.
"""


class PeakEwma:
    """Seconds, moving; ``value`` is None before the first sample."""

    def __init__(self) -> None:
        self.value: float | None = None

    def sample(self, seconds: float) -> None:
        """One more measurement."""
        if self.value is None or seconds >= self.value:
            self.value = seconds
        else:
            self.value += _FASTER * (seconds - self.value)

    def forget(self) -> None:
        """What was measured no longer holds."""
        self.value = None
