"""Models on this disk: :func:`find` their folder, :func:`inspect` what they are, :func:`estimate` what they need.

Nothing here loads a model, asks a network or imports more than the standard library and the product's own words.
"""

from __future__ import annotations

from app.models.facts import ModelFacts, inspect
from app.models.local import find
from app.models.machine import Memory, free_memory
from app.models.memory import Fit, MemoryNeed, estimate, fit

__all__ = ["Fit", "Memory", "MemoryNeed", "ModelFacts", "estimate", "find", "fit", "free_memory", "inspect"]
