from __future__ import annotations

import pytest

from app.engines.routing import answering


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "FIRST_PAUSE", 0.02)
