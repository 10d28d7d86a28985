"""Switching between real engines while readers ask all the while: nobody loses a word, nothing stays behind."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from app.config import Settings, load_settings
from app.engines import reaper
from app.engines.live_chat import LiveChatModel
from app.engines.switch import EngineSwitch
from app.errors import EngineError
from tests.engines import tiny_model
from tests.engines.servers import Server, chunked, json_reply
from tests.real.conftest import ARGUMENTS, children

READERS = 8
SENTENCE = "The tower is 40 m high."
PASSAGES = [{"n": 1, "doc": "a.md", "heading": "", "text": f"{SENTENCE} It leans."}]
PROMPT: list[BaseMessage] = [
    SystemMessage("Answer from the passages."),
    HumanMessage("the prompt", additional_kwargs={"question": "How high is the tower?", "passages": PASSAGES}),
]


@contextmanager
def server() -> Iterator[str]:
    """A server such as vLLM's that says the sentence."""
    words = [{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None} for word in SENTENCE.split()]
    choices = [*words, {"index": 0, "delta": {}, "finish_reason": "stop"}]
    events = [f"data: {json.dumps({'model': 'tiny', 'choices': [choice]})}\n\n" for choice in choices]
    chat = chunked("text/event-stream", [*events, "data: [DONE]\n\n"], gap=0.01)
    models = json_reply(200, {"data": [{"id": "tiny"}]})
    with Server({"GET /v1/models": models, "POST /v1/chat/completions": chat}) as there:
        yield there.url


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tiny_model.make(tmp_path_factory.mktemp("models") / "tower", says=SENTENCE)
    with server() as url:
        yield load_settings(
            llm_engine="extractive",
            vllm_model_path=str(folder),
            vllm_config=ARGUMENTS,
            vllm_base_url=url,
            llm={"params": {"timeout": 120}},
        )


class Readers:
    """Threads that ask one question after the other, and keep what they got."""

    def __init__(self, switch: EngineSwitch) -> None:
        self.answers: Counter[str] = Counter()
        self.faults: list[Exception] = []
        self._model = LiveChatModel(switch=switch)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(READERS)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                message = self._model.invoke(PROMPT)
                assert message.response_metadata["finish_reason"] == "stop"
                self.answers[message.text.replace("[1]", "").strip()] += 1
                time.sleep(0.05)  # else they would leave the loading of an engine nothing of a small machine
            except Exception as error:
                self.faults.append(error)
                return

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a reader waits for ever"


def memory() -> int:
    """Bytes that this process and those below it take; what they share counts once for each."""
    family = {os.getpid(), *reaper.family(os.getpid(), reaper.started(os.getpid()))}
    return sum(_rss(pid) for pid in family)


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # gone meanwhile
        return 0


def go_round(switch: EngineSwitch, names: list[str]) -> None:
    for name in names:
        status = switch.use(name)
        assert status.name == name and status.ready
        assert switch.choice().engine.name == name
        time.sleep(0.3)  # it is read from for a while


def test_a_round_of_switches_under_load_loses_no_answer(settings: Settings) -> None:
    before = children()
    switch = EngineSwitch(settings)
    readers = Readers(switch)
    go_round(switch, ["hf", "vllm_openai", "vllm", "hf", "extractive", "vllm_openai"])
    readers.end()
    assert readers.faults == []
    assert set(readers.answers) == {SENTENCE}
    assert sum(readers.answers.values()) > READERS
    assert children() - before == set(), "an engine's process is still there"
    switch.close()


def test_what_cannot_be_loaded_leaves_the_old_one_answering_its_readers(settings: Settings, tmp_path: Path) -> None:
    unknown = tiny_model.make(tmp_path / "unknown")
    config = unknown / "config.json"
    config.write_text(config.read_text().replace("LlamaForCausalLM", "NoSuchForCausalLM").replace('"llama"', '"none"'))
    broken = tiny_model.make(tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    before = children()
    switch = EngineSwitch(settings)
    switch.use("hf")
    readers = Readers(switch)
    for name in ("hf", "vllm"):
        for folder in (unknown, broken, tmp_path / "nowhere"):
            with pytest.raises(EngineError) as caught:
                switch.use(name, str(folder))
            assert "\n" not in str(caught.value) and caught.value.hint
            assert switch.choice().engine.name == "hf"
    readers.end()
    assert readers.faults == []
    assert set(readers.answers) == {SENTENCE}
    assert children() - before == set()
    switch.close()


@pytest.mark.soak
def test_twenty_switches_under_load_end_with_the_memory_of_the_first_round(settings: Settings) -> None:
    before = children()
    switch = EngineSwitch(settings)
    readers = Readers(switch)
    taken = []
    for _ in range(5):
        go_round(switch, ["vllm", "hf", "vllm_openai", "extractive"])
        taken.append(memory())
    readers.end()
    assert readers.faults == []
    assert set(readers.answers) == {SENTENCE}
    assert children() - before == set()
    assert taken[-1] <= 1.1 * taken[0], taken
    switch.close()
