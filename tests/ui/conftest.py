"""The pages on a stand-in for the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import service as service_module
from app.ui import engine_states, live, model_states
from tests.ui.stand_in import StandIn, opened


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    stand_in = StandIn(tmp_path)
    monkeypatch.setattr(service_module, "_current", stand_in)
    monkeypatch.setattr(live, "ANSWERS", live.LiveAnswers())
    monkeypatch.setattr("app.ui.chat.ANSWERS", live.ANSWERS)
    monkeypatch.setattr("app.ui.conversations.ANSWERS", live.ANSWERS)
    states = engine_states.EngineStates()
    states.look_now(stand_in)  # type: ignore[arg-type]
    for module in ("ab_choice", "chat", "bench_form", "choices", "engines", "measure_form", "welcome"):
        monkeypatch.setattr(f"app.ui.{module}.STATES", states)
    models = model_states.ModelStates()
    for module in ("bench_offers", "engines", "model_list", "models"):
        monkeypatch.setattr(f"app.ui.{module}.MODELS", models)
    yield stand_in
    stand_in.reply.go_on.set()
    stand_in.work.set()
    stand_in.models.work.set()
    stand_in.models.board.close()
    stand_in.evaluations.work.set()
    stand_in.evaluations.board.close()
    stand_in.benchmarks.work.set()
    stand_in.benchmarks.board.close()
    stand_in.board.close()
    stand_in.engine_board.close()
    stand_in.history.close()
    stand_in.votes.close()


@pytest.fixture
def page(service: StandIn) -> AppTest:
    """The first look at the page."""
    return opened()
