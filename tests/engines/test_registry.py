"""Engines by name, and which of them answers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from app.config import load_settings
from app.engines.registry import ENGINES, ORDER, choose, create, with_model
from app.engines.switch import EngineSwitch
from app.errors import ConfigError, EngineUnavailable
from app.models import Fit, Memory, MemoryNeed
from app.schema import EngineStatus, OnProgress
from tests.engines.servers import Server


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


@pytest.mark.parametrize("name", ["ollama", "extractive", "vllm_openai"])
def test_an_engine_that_cannot_speculate_answers_in_no_other_way(name: str) -> None:
    with Server({}) as there:  # each of them would be ready, or ask
        given = {"vllm_base_url": there.url, "ollama_base_url": there.url}
        engine = create(name, load_settings(inference_method="speculative", **given))
        status = engine.check()
        for way in (engine.chat_model, lambda: engine.load(lambda progress: None)):
            with pytest.raises(EngineUnavailable) as caught:
                way()
            assert (caught.value.message, caught.value.hint) == (status.detail, status.hint)
        engine.close()
        assert there.requests == []
    assert (engine.name, status.name, status.ready, engine.loaded) == (name, name, False, False)
    assert "INFERENCE_METHOD is speculative" in status.detail and status.hint
    assert engine.memory() is None and engine.context_window() > 0


def test_auto_finds_among_those_that_speculate_or_says_of_each_why_not() -> None:
    settings = load_settings(inference_method="speculative")
    with pytest.raises(EngineUnavailable) as caught:
        choose("auto", {name: create(name, settings) for name in ORDER})
    for words in ("server that is asked", "Ollama has no speculative", "no draft is set", "without a model"):
        assert words in caught.value.message


@pytest.mark.parametrize("name", ["auto", "ollama", "extractive", "vllm_openai"])
def test_no_switch_leads_to_one_that_cannot_speculate(name: str) -> None:
    switch = EngineSwitch(load_settings(inference_method="speculative"))
    with pytest.raises(EngineUnavailable, match="INFERENCE_METHOD is speculative"):
        switch.use(name)
    with pytest.raises(EngineUnavailable, match="No engine is ready"):
        switch.lease(name)
    assert switch.lease_instead(()) is None
    assert switch.answering == ""
    switch.close()


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
