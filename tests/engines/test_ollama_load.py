"""Loading a model before it is asked."""

from __future__ import annotations

import threading
import time

import pytest

from app.config import load_settings
from app.engines import ollama_load, ollama_waiting
from app.engines.ollama import OllamaEngine
from app.errors import EngineError, EngineTimeout, EngineUnavailable, ModelMissing, OutOfMemory
from app.schema import Progress
from tests.engines.servers import Reply, Server, json_reply, recorded, text_reply, unused_url, wait_for

CHAT = "POST /api/chat"


def engine(url: str) -> OllamaEngine:
    return OllamaEngine(load_settings(model="tiny", ollama_base_url=url, ollama_num_ctx=8192))


def server(*names: str, **replies: Reply) -> Server:
    return Server({**recorded("tags", "ps_loaded", *names), **({CHAT: replies["chat"]} if replies else {})})


class Cancelled(Exception):
    """What a job's progress raises to end it."""


@pytest.mark.parametrize("name", ["chat_load_only", "chat_no_messages_field"])
def test_a_model_is_loaded_with_the_window_of_its_answers(name: str) -> None:
    told: list[Progress] = []
    with server(name, "chat_stream_warm") as there:
        ollama = engine(there.url)
        assert not ollama.loaded
        ollama.load(told.append)
        assert ollama.loaded
        ollama.chat_model().invoke("Hello")
        load, answer = there.asked(CHAT)
        ollama.close()
        assert not ollama.loaded
        unload = there.asked(CHAT)[-1]
    assert load.body == {"model": "tiny", "messages": [], "options": {"num_ctx": 2048}}
    assert answer.body["options"]["num_ctx"] == 2048  # another one would load it anew
    assert unload.body == {"model": "tiny", "messages": [], "keep_alive": 0}
    assert set(told) == {Progress("loading", item="tiny")}


def test_its_memory_is_the_servers_affair() -> None:
    assert not OllamaEngine.in_process
    assert engine(unused_url()).memory() is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("chat_missing_model", ModelMissing),
        ("load_failure_truncated_gguf_nonstream", EngineUnavailable),
        ("queue_other_model_2", EngineUnavailable),
        ("runner_killed_nonstream", EngineUnavailable),
        ("server_sigkill_nonstream", EngineUnavailable),
        ("chat_loop_no_done_nonstream", EngineUnavailable),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(name: str, kind: type[EngineError]) -> None:
    with server(name) as there:
        ollama = engine(there.url)
        with pytest.raises(kind) as caught:
            ollama.load(lambda progress: None)
        assert not ollama.loaded
        ollama.close()
        assert len(there.asked(CHAT)) == 1  # nothing is unloaded that was not loaded
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_too_little_memory_is_told() -> None:
    words = "model requires more system memory (41.2 GiB) than is available (12.4 GiB)"
    with server(chat=json_reply(500, {"error": words})) as there, pytest.raises(OutOfMemory, match=r"41\.2 GiB"):
        engine(there.url).load(lambda progress: None)


@pytest.mark.parametrize("reply", [text_reply(200, "<html>"), json_reply(200, []), Reply((b"SSH-2.0\r\n",))])
def test_whatever_else_answers_is_no_loaded_model(reply: Reply) -> None:
    with server(chat=reply) as there, pytest.raises(EngineUnavailable):
        engine(there.url).load(lambda progress: None)


def test_no_server_is_said_at_once() -> None:
    with pytest.raises(EngineUnavailable, match="not running"):
        engine(unused_url()).load(lambda progress: None)


def test_loading_has_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_load, "LOAD_SECONDS", 0.3)
    with server(chat=Reply((), hold=True)) as there, pytest.raises(EngineTimeout, match=r"loading tiny after 0\.3"):
        engine(there.url).load(lambda progress: None)


def test_who_waits_is_told_again_and_again_and_may_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_waiting, "TICK_SECONDS", 0.01)
    told: list[str] = []

    def five_times(progress: Progress) -> None:
        told.append(threading.current_thread().name)
        if len(told) >= 5 and there.asked(CHAT):
            raise Cancelled

    with server(chat=Reply((), hold=True)) as there:
        ollama = engine(there.url)
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            ollama.load(five_times)
        assert time.monotonic() - begun < 5
        assert wait_for(there.asked(CHAT)[0].aborted) < 0.5  # which ends the loading at the server too
        assert not ollama.loaded
    assert set(told) == {threading.current_thread().name}
