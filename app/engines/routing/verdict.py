"""The one error that the asker gets, out of all that went wrong on the way."""

from __future__ import annotations

from collections.abc import Sequence

from app.engines.routing.faults import Blame, Fault
from app.engines.routing.live import LiveRoute
from app.errors import EngineError, EngineUnavailable, IncompleteAnswer

SEE_HEALTH = "See `python -m app health` and the servers' logs."


def verdict(text: str, model: str, faults: Sequence[tuple[LiveRoute, Fault]]) -> EngineError:
    """``faults``, in turn, ended an answer of which ``text`` had come."""
    fault = faults[-1][1]
    if text:
        # What broke it off is told, not who then could not go on.
        reason = next((each.reason for _, each in reversed(faults) if each.blame is not Blame.ASKER), fault.reason)
        others = "" if len({live for live, _ in faults}) == 1 else f" ({_all(faults)})"
        hint = "Ask again; if it happens again, see the server's log."
        return IncompleteAnswer(f"The answer of {model} broke off: {reason}{others}.", hint)
    if fault.blame is Blame.ASKER or len({live for live, _ in faults}) == 1:
        return fault.error
    kinds = {type(fault.error) for _, fault in faults}
    kind = kinds.pop() if len(kinds) == 1 else EngineUnavailable
    return kind(f"No route answered: {_all(faults)}.", SEE_HEALTH)


def _all(faults: Sequence[tuple[LiveRoute, Fault]]) -> str:
    """Each route with what it said last."""
    last = {live.route.name: fault.reason for live, fault in faults}
    return "; ".join(f"{name}: {reason}" for name, reason in last.items())
