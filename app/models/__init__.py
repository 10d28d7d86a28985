"""Models on this disk: :func:`fetch` brings them, :func:`find` their folder, :func:`inspect` what they are.

:func:`estimate` tells what one needs. But for :func:`fetch` nothing here asks a network. Nothing loads a model, or
imports more than the standard library and the product's own words before it must.
"""

from __future__ import annotations

from app.models.facts import ModelFacts, inspect
from app.models.fetching import Fetched, FetchRequest, fetch
from app.models.fingerprint import fingerprint
from app.models.kinds import SETTINGS, Kind, check, kind_of
from app.models.local import find
from app.models.machine import Memory, free_memory
from app.models.memory import Fit, MemoryNeed, estimate, fit

__all__ = [
    "SETTINGS",
    "FetchRequest",
    "Fetched",
    "Fit",
    "Kind",
    "Memory",
    "MemoryNeed",
    "ModelFacts",
    "check",
    "estimate",
    "fetch",
    "find",
    "fingerprint",
    "fit",
    "free_memory",
    "inspect",
    "kind_of",
]  # fmt: skip
