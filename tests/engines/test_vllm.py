"""The engine ``vllm`` without vLLM: a stand-in is loaded, so that faults and races can be had at will.

The real thing is in tests/real.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.config import ROOT, load_settings
from app.engines import vllm_plan, vllm_start
from app.engines.base import DEFAULT_CONTEXT_WINDOW
from app.engines.feed import Feed
from app.engines.local_chat import Piece, Sampling, Turns
from app.engines.vllm import VllmEngine
from app.engines.workers import Workers
from app.errors import EngineError, EngineUnavailable, ModelDamaged, OutOfMemory
from app.models import Memory, ModelFacts
from app.schema import Progress
from tests.engines import tiny_model

RAM = Memory("cpu", "this machine", 20 * 10**9, 32 * 10**9)


class Runtime:
    """Answers "Hello."; ``over`` may be set."""

    def __init__(self, facts: ModelFacts) -> None:
        self.name = facts.name
        self.window = 777
        self.over: EngineError | None = None
        self.closed = 0

    def begin(self, turns: Turns, sampling: Sampling) -> Feed[Piece]:
        feed: Feed[Piece] = Feed(lambda: None)
        feed.put(Piece("Hello.", "stop", 1, 1))
        feed.end()
        return feed

    def close(self) -> None:
        self.closed += 1
        self.over = EngineUnavailable("tiny was closed.")


class Stand:
    """In place of ``vllm_start.start``: takes ``seconds``, then gives a runtime or raises ``error``."""

    def __init__(self) -> None:
        self.made: list[Runtime] = []
        self.calls = 0
        self.seconds = 0.0
        self.error: Exception | None = None

    def __call__(self, facts: ModelFacts, arguments: dict[str, Any], workers: Workers, *, verbose: bool) -> Runtime:
        self.calls += 1
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if workers.ended:
                raise EngineUnavailable("broken off")
            time.sleep(0.01)
        workers.end()
        workers.log.close_our_end()
        if self.error is not None:
            raise self.error
        self.made.append(Runtime(facts))
        return self.made[-1]


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    stand = Stand()
    monkeypatch.setattr(vllm_start, "start", stand)
    monkeypatch.setattr(vllm_plan, "device", lambda: RAM)
    return stand


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def engine(folder: Path, stand: Stand) -> VllmEngine:
    return VllmEngine(load_settings(vllm_model_path=str(folder)))


def quiet(progress: Progress) -> None:
    """Progress that nobody looks at."""


def test_it_loads_once_and_is_ready_before_and_after(engine: VllmEngine, stand: Stand) -> None:
    before = engine.check()
    assert (before.ready, before.model) == (True, "tiny")
    assert not engine.loaded
    fit = engine.memory()
    assert fit is not None and fit.fits
    engine.load(quiet)
    engine.load(quiet)
    assert engine.loaded and engine.check().ready
    assert engine.memory() is None
    assert engine.chat_model().invoke("?").text == "Hello."
    assert stand.calls == 1


def test_progress_says_what_it_is_at_several_times_a_second(engine: VllmEngine, stand: Stand) -> None:
    stand.seconds = 1.0
    seen: list[Progress] = []
    engine.load(seen.append)
    assert len(seen) >= 2
    assert {(step.stage, step.item) for step in seen} == {("loading", "tiny")}
    assert all(step.detail for step in seen)


def test_many_first_readers_load_it_once(engine: VllmEngine, stand: Stand) -> None:
    stand.seconds = 0.2
    with ThreadPoolExecutor(8) as threads:
        models = {id(model) for model in threads.map(lambda _: engine.chat_model(), range(8))}
    assert (len(models), stand.calls) == (1, 1)


def test_a_failure_stays_until_it_is_closed_or_loaded_again(engine: VllmEngine, stand: Stand) -> None:
    stand.error = OutOfMemory("tiny does not fit.", "Choose a smaller one.")
    for _ in range(2):
        with pytest.raises(OutOfMemory):
            engine.chat_model()
    assert stand.calls == 1  # the same failure need not be waited for again
    status = engine.check()
    assert (status.ready, status.detail, status.hint) == (False, "tiny does not fit.", "Choose a smaller one.")
    with pytest.raises(OutOfMemory):
        engine.load(quiet)
    assert stand.calls == 2
    engine.close()
    assert engine.check().ready
    stand.error = None
    assert engine.chat_model().invoke("?").text == "Hello."


def test_one_that_died_is_not_ready_and_loaded_anew_when_asked(engine: VllmEngine, stand: Stand) -> None:
    first = engine.chat_model()
    stand.made[0].over = EngineUnavailable("The process of tiny ended.", "Ask again.")
    status = engine.check()
    assert (status.ready, status.detail) == (False, "The process of tiny ended.")
    assert engine.chat_model() is not first
    assert stand.made[0].closed == 1
    assert engine.check().ready


def test_who_loads_may_cancel(engine: VllmEngine, stand: Stand) -> None:
    stand.seconds = 30

    def cancel(progress: Progress) -> None:
        raise InterruptedError

    begun = time.monotonic()
    with pytest.raises(InterruptedError):
        engine.load(cancel)
    assert time.monotonic() - begun < 10
    assert not engine.loaded
    assert engine.check().ready


def test_one_that_was_loaded_in_the_moment_of_the_cancel_is_closed(engine: VllmEngine, stand: Stand) -> None:
    stand.seconds = 0.3

    def cancel(progress: Progress) -> None:
        while not stand.made:
            time.sleep(0.01)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        engine.load(cancel)
    assert stand.made[0].closed == 1
    assert not engine.loaded


def test_closed_while_it_loads_nobody_loads_it_again(engine: VllmEngine, stand: Stand) -> None:
    """Neither who loads it nor who waits for that."""
    stand.seconds = 30
    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(engine.chat_model) for _ in range(3)]
        while not stand.calls:
            time.sleep(0.01)
        time.sleep(0.1)
        engine.close()
        for reader in readers:
            with pytest.raises(EngineUnavailable, match="closed"):
                reader.result(10)
    assert stand.calls == 1
    assert not engine.loaded
    assert engine.check().ready


def test_closing_never_fails_and_may_come_from_anywhere(engine: VllmEngine, stand: Stand) -> None:
    engine.close()
    engine.load(quiet)
    closers = [threading.Thread(target=engine.close) for _ in range(4)]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join(10)
    assert stand.made[0].closed >= 1
    assert not engine.loaded
    assert engine.chat_model().invoke("?").text == "Hello."
    assert stand.calls == 2


def test_the_context_window_is_the_loaded_models_else_the_planned_one(
    engine: VllmEngine, folder: Path, tmp_path: Path
) -> None:
    assert engine.context_window() == tiny_model.CONTEXT
    engine.load(quiet)
    assert engine.context_window() == 777
    assert VllmEngine(load_settings(vllm_model_path=str(folder), vllm_max_model_len=512)).context_window() == 512
    assert VllmEngine(load_settings(vllm_model_path=str(tmp_path))).context_window() == DEFAULT_CONTEXT_WINDOW


@pytest.mark.parametrize(
    ("path", "words"), [("", "No model is set"), ("/no/such/model", "/no/such"), ("org/none", "not on this disk")]
)
def test_a_model_that_is_not_there_is_said(stand: Stand, path: str, words: str) -> None:
    engine = VllmEngine(load_settings(vllm_model_path=path))
    status = engine.check()
    assert not status.ready
    assert words in status.detail and status.hint
    assert engine.memory() is None
    with pytest.raises(EngineError, match=words):
        engine.load(quiet)
    assert stand.calls == 0


def test_damaged_weights_are_seen_before_anything_is_started(stand: Stand, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(
            path.read_bytes()[:1000] if path.suffix == ".safetensors" else path.read_bytes()
        )
    engine = VllmEngine(load_settings(vllm_model_path=str(tmp_path)))
    assert not engine.check().ready
    with pytest.raises(ModelDamaged):
        engine.chat_model()
    assert stand.calls == 0


def test_without_a_device_it_says_where_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Memory:
        raise EngineUnavailable("No CUDA device.", "Set VLLM_BASE_URL.")

    monkeypatch.setattr(vllm_plan, "device", none)
    engine = VllmEngine(load_settings(vllm_model_path=str(folder)))
    assert (engine.check().ready, engine.check().detail) == (False, "No CUDA device.")
    assert engine.memory() is None


LOOK = """
import sys, time
from app.config import load_settings
from app.engines.vllm import VllmEngine
engine = VllmEngine(load_settings(vllm_model_path=sys.argv[1]))
begun = time.monotonic()
engine.check(), engine.memory(), engine.context_window()
engine.close()
print(time.monotonic() - begun < 2, {"vllm", "torch", "transformers", "langchain_core"} & sys.modules.keys())
"""


def test_a_look_is_quick_and_imports_nothing_heavy(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout == "True set()\n"


def test_nothing_is_touched_before_it_is_asked(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("looked")

    monkeypatch.setattr(vllm_plan, "model_facts", fail)
    made: Callable[[], VllmEngine] = lambda: VllmEngine(load_settings(vllm_model_path="x"))  # noqa: E731
    assert not made().loaded
    made().close()
