from __future__ import annotations

import pytest

from app.engines.routing import itinerary


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(itinerary, "FIRST_PAUSE", 0.02)
