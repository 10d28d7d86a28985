"""Engines by name, and which of them answers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from app.config import load_settings
from app.engines.registry import ENGINES, ORDER, choose, create, with_model
from app.errors import ConfigError, EngineUnavailable
from app.models import Fit, Memory, MemoryNeed
from app.schema import EngineStatus, OnProgress


class Stated:
    """An engine that is only a status."""

    in_process = takes_memory = loaded = False

    def __init__(self, name: str, ready: bool, fits: bool = True) -> None:
        self.name = name
        self.ready = ready
        self.checks = 0
        self._fit = Fit(MemoryNeed(60, 0, 0), Memory("cpu", "the test", 90 if fits else 30, 100), fits)

    def memory(self) -> Fit:
        return self._fit

    def load(self, on_progress: OnProgress) -> None:
        """Nothing to load."""

    def check(self) -> EngineStatus:
        self.checks += 1
        return EngineStatus(self.name, self.ready, detail="because")

    def chat_model(self) -> BaseChatModel:
        raise NotImplementedError

    def context_window(self) -> int:
        return 1

    def close(self) -> None:
        """Nothing to close."""


def stated(**ready: bool) -> dict[str, Any]:
    return {name: Stated(name, value) for name, value in ready.items()}


@pytest.mark.parametrize("name", ORDER)
def test_every_engine_of_the_order_can_be_created(name: str) -> None:
    engine = create(name, load_settings())
    assert engine.name == name
    engine.close()


def test_the_order_holds_every_engine() -> None:
    assert sorted(ORDER) == sorted(ENGINES)


@pytest.mark.parametrize(
    ("name", "near"), [("olama", "ollama"), ("vllm-openai", "vllm_openai"), ("EXTRACTIVE", "extractive")]
)
def test_an_unknown_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        create(name, load_settings())
    assert near in caught.value.hint


def test_a_name_near_to_none_gets_them_all() -> None:
    with pytest.raises(ConfigError) as caught:
        create("zzz", load_settings())
    assert all(name in caught.value.hint for name in ORDER)


def test_auto_takes_the_first_that_is_ready_and_tells_why_not_the_others() -> None:
    engines = stated(extractive=True, ollama=True, vllm_openai=False)
    choice = choose("auto", engines)
    assert choice.engine.name == "ollama"
    assert [status.name for status in choice.reasons] == ["vllm_openai"]
    assert engines["extractive"].checks == 0


def test_the_engine_asked_for_goes_first() -> None:
    engines = stated(extractive=True, ollama=True, vllm_openai=True)
    choice = choose("ollama", engines)
    assert (choice.engine.name, choice.reasons) == ("ollama", ())


def test_an_engine_asked_for_that_cannot_run_gives_way_with_its_reason() -> None:
    engines = stated(extractive=True, ollama=False, vllm_openai=False)
    choice = choose("ollama", engines)
    assert choice.engine.name == "extractive"
    assert [status.name for status in choice.reasons] == ["ollama", "vllm_openai"]
    assert engines["ollama"].checks == 1


def test_an_engine_without_room_for_its_model_is_skipped_with_the_figures() -> None:
    engines: dict[str, Any] = {"hf": Stated("hf", True, fits=False), **stated(extractive=True)}
    choice = choose("hf", engines)
    assert choice.engine.name == "extractive"
    assert "needs about" in choice.reasons[0].detail
    assert not choice.reasons[0].ready


def test_another_spelling_of_an_engine_is_that_engine() -> None:
    assert create("transformers", load_settings()).name == "hf"


def test_a_model_goes_into_the_setting_of_its_engine() -> None:
    settings = load_settings()
    assert with_model(settings, "hf", "org/model").hf_model_path == "org/model"
    assert with_model(settings, "ollama", None) is settings
    with pytest.raises(ConfigError, match="takes no model"):
        with_model(settings, "extractive", "org/model")


def test_none_ready_is_an_error_with_every_reason() -> None:
    with pytest.raises(EngineUnavailable, match="ollama: because"):
        choose("auto", stated(ollama=False))


def test_checking_imports_nothing_heavy() -> None:
    code = """
import sys
from app.config import load_settings
from app.engines import base, registry
assert "httpx" not in sys.modules, "the registry alone needs no HTTP"
settings = load_settings(vllm_base_url="http://127.0.0.1:9", ollama_base_url="http://127.0.0.1:9")
engines = {name: registry.create(name, settings) for name in registry.ORDER}
assert registry.choose("auto", engines).engine.name == "extractive"
heavy = {"langchain_core", "langchain_ollama", "aiohttp", "torch", "transformers", "jieba", "numpy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
