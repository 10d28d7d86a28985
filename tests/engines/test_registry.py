"""Engines by name, and which of them answers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from app.config import load_settings
from app.engines.registry import ENGINES, ORDER, choose, create
from app.errors import ConfigError, EngineUnavailable
from app.schema import EngineStatus


class Stated:
    """An engine that is only a status."""

    def __init__(self, name: str, ready: bool) -> None:
        self.name = name
        self.ready = ready
        self.checks = 0

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


@pytest.mark.parametrize(("name", "near"), [("olama", "ollama"), ("vllm", "vllm_openai"), ("EXTRACTIVE", "extractive")])
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
    choice = choose(load_settings(), engines)
    assert choice.engine.name == "ollama"
    assert [status.name for status in choice.reasons] == ["vllm_openai"]
    assert engines["extractive"].checks == 0


def test_the_engine_asked_for_goes_first() -> None:
    engines = stated(extractive=True, ollama=True, vllm_openai=True)
    choice = choose(load_settings(llm_engine="ollama"), engines)
    assert (choice.engine.name, choice.reasons) == ("ollama", ())


def test_an_engine_asked_for_that_cannot_run_gives_way_with_its_reason() -> None:
    engines = stated(extractive=True, ollama=False, vllm_openai=False)
    choice = choose(load_settings(llm_engine="ollama"), engines)
    assert choice.engine.name == "extractive"
    assert [status.name for status in choice.reasons] == ["ollama", "vllm_openai"]
    assert engines["ollama"].checks == 1


def test_none_ready_is_an_error_with_every_reason() -> None:
    with pytest.raises(EngineUnavailable, match="ollama: because"):
        choose(load_settings(), stated(ollama=False))


def test_checking_imports_nothing_heavy() -> None:
    code = """
import sys
from app.config import load_settings
from app.engines import base, registry
assert "httpx" not in sys.modules, "the registry alone needs no HTTP"
settings = load_settings(vllm_base_url="http://127.0.0.1:9", ollama_base_url="http://127.0.0.1:9")
engines = {name: registry.create(name, settings) for name in registry.ORDER}
assert registry.choose(settings, engines).engine.name == "extractive"
heavy = {"langchain_core", "langchain_ollama", "langchain_openai", "openai", "torch", "transformers", "jieba", "numpy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
