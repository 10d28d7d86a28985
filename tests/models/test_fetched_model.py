"""A model that was fetched is loaded by its name and answers. With vLLM, ``tests/real`` does the same."""

from __future__ import annotations

from pathlib import Path

from app.config import load_settings
from app.engines.hf import HfEngine
from app.models import FetchRequest, fetch
from tests.engines import tiny_model
from tests.models.faults import Fault
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online


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
