"""A model that was fetched is loaded by its name and answers. With vLLM, ``tests/real`` does the same."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from app.config import load_settings
from app.engines.hf import HfEngine
from app.errors import EngineUnavailable, ModelNotOffered
from app.models import FetchRequest, fetch
from app.service import Service
from tests.engines import tiny_model
from tests.models.faults import Fault
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online


def test_a_switch_to_a_model_that_is_not_here_fetches_it_first(hub_online: None, tmp_path: Path) -> None:
    source = tiny_model.make(tmp_path / "source", says=tiny_model.SAYS)
    seen: set[str] = set()
    with HubServer({"org/tiny": Repo.of(source)}) as hub:
        settings = load_settings(data_dir=tmp_path / "state", hf_endpoint=hub.url, hf_device="cpu")
        with closing(Service.open(settings)) as service:
            with pytest.raises(ModelNotOffered, match="no model org/tinny") as caught:
                service.use("hf", "org/tinny", lambda progress: None)
            assert "Did you mean org/tiny?" in caught.value.hint
            status = service.use("transformers", "org/tiny", lambda progress: seen.add(progress.stage))
            assert (status.name, status.model) == ("hf", "org/tiny")
            assert "".join(service.ask("Who built it?", documents=False)) == tiny_model.SAYS
            assert {"fetching", "loading"} <= seen
            asked = len(hub.log)
            service.use("hf", "org/tiny", lambda progress: None)
            with pytest.raises(EngineUnavailable, match="There is no folder"):
                service.use("hf", str(tmp_path / "nowhere"), lambda progress: None)
            assert len(hub.log) == asked


def test_transformers_answers_with_a_fetched_model_by_its_name(hub_online: None, tmp_path: Path) -> None:
    source = tiny_model.make(tmp_path / "source", says=tiny_model.SAYS, shards=True)
    with HubServer({"org/tiny": Repo.of(source)}) as hub:
        hub.add(Fault("*.safetensors", cut=10_000, times=2))
        settings = load_settings(models_dir=tmp_path / "models", hf_endpoint=hub.url)
        done = fetch(FetchRequest("org/tiny"), settings)
    assert len(list(done.folder.glob("*.safetensors"))) > 2

    settings = load_settings(**{done.setting.lower(): done.value}, models_dir=tmp_path / "models", hf_device="cpu")
    engine = HfEngine(settings)
    try:
        assert engine.check().ready
        assert engine.chat_model().invoke("Who built the lighthouse?").text == tiny_model.SAYS
    finally:
        engine.close()
