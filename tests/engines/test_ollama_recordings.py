"""Every answer to POST /api/chat that was recorded from an Ollama server, read by the chat model.

What is to come of each is read from its bytes, by other means than the product's.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from http.client import HTTPResponse, IncompleteRead
from typing import Any, cast

import httpcore
import httpx
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel

from app.config import load_settings
from app.engines import retry
from app.engines.http import tls
from app.engines.ollama import OllamaEngine
from app.engines.ollama_chat import OllamaChatModel, build
from app.errors import EngineError, IncompleteAnswer
from tests.engines.servers import RECORDINGS, Reply, Server, recorded

CHAT = "POST /api/chat"
EXCHANGES = json.loads((RECORDINGS / "ollama.json").read_text(encoding="utf-8"))["exchanges"]
NAMES = [name for name, exchange in EXCHANGES.items() if exchange["request"] == CHAT]
STREAMS = ["chat_stream_chinese", "chat_loop_no_done_stream", "runner_killed_midstream", "server_sigkill_midstream"]
every_recording = pytest.mark.parametrize("name", NAMES)

Outcome = tuple[str, str, str]
"""The text that came; how it ended where it is whole; else the name of the error."""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.001)


class Received:
    """Bytes as the socket that http.client wants to read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@cache
def told(name: str) -> tuple[int, list[dict[str, Any]]]:
    """The status of a recorded answer and the lines of its body; 0 where nothing came."""
    (reply,) = recorded(name)[CHAT]
    if not reply.pieces:
        return 0, []
    response = HTTPResponse(cast("Any", Received(b"".join(reply.pieces))))
    response.begin()
    try:
        body = response.read()
    except IncompleteRead as error:
        body = error.partial
    return response.status, [json.loads(line) for line in body.decode().splitlines()]


def expected(name: str) -> tuple[str, str]:
    """The text of a recorded answer, and how it ended; the latter is empty where it is not whole."""
    status, lines = told(name)
    if status != 200:
        return "", ""
    text = "".join(line["message"]["content"] for line in lines if "message" in line)
    last = lines[-1]
    return text, last["done_reason"] if last.get("done") and last["done_reason"] in ("stop", "length") else ""


def outcome(chat: BaseChatModel) -> tuple[Outcome, EngineError | None]:
    text = ending = ""
    try:
        for chunk in chat.stream("Hello"):
            text += chunk.text
            ending = chunk.response_metadata.get("finish_reason", "")
    except EngineError as error:
        return (text, "", type(error).__name__), error
    return (text, ending, ""), None


async def asynchronous_outcome(chat: BaseChatModel) -> Outcome:
    text = ending = ""
    try:
        async for chunk in chat.astream("Hello"):
            text += chunk.text
            ending = chunk.response_metadata.get("finish_reason", "")
    except EngineError as error:
        return text, "", type(error).__name__
    return text, ending, ""


def whole_outcome(chat: BaseChatModel) -> tuple[str, str]:
    try:
        message = chat.invoke("Hello")
    except EngineError as error:
        return "", type(error).__name__
    return message.text, ""


def test_no_recording_lies_unused() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in RECORDINGS.parent.glob("test_ollama*.py"))
    assert [name for name in EXCHANGES if name not in NAMES and f'"{name}"' not in tests] == []


def test_there_are_recordings_of_every_kind() -> None:
    endings = {expected(name)[1] for name in NAMES}
    assert len(NAMES) > 80
    assert {told(name)[0] for name in NAMES} == {0, 200, 400, 404, 500, 503}
    assert endings == {"", "stop", "length"}


@every_recording
def test_an_answer_is_whole_where_its_end_mark_came_and_else_an_error_of_ours(name: str) -> None:
    text, ending = expected(name)
    with Server({**recorded("tags", "ps_loaded"), **recorded(name)}) as there:
        chat = OllamaEngine(load_settings(model="tiny", ollama_base_url=there.url, llm={"params": {"max_retries": 1}}))
        model = chat.chat_model()
        came, error = outcome(model)
        assert asyncio.run(asynchronous_outcome(model)) == came
        said, fault = whole_outcome(model)
        paths = {request.line for request in there.requests}
    assert came[:2] == (text, ending)
    assert (error is None) == bool(ending)
    assert (said, fault) == ((text, "") if ending else ("", came[2]))
    assert paths <= {CHAT, "GET /api/tags", "GET /api/ps"}  # and never /v1, whose faults cannot be told from an end
    if error:
        assert isinstance(error, IncompleteAnswer) == bool(text)
        assert error.hint and not set("{}\n") & set(str(error))


@pytest.mark.parametrize("name", [name for name in NAMES if len(recorded(name)[CHAT][0].pieces) in range(2, 30)])
def test_an_answer_that_comes_as_slowly_as_it_was_written_reads_the_same(name: str) -> None:
    (reply,) = recorded(name)[CHAT]
    with Server({**recorded("tags", "ps_loaded"), CHAT: replace(reply, gap=0.002)}) as there:
        model = OllamaEngine(load_settings(model="tiny", ollama_base_url=there.url)).chat_model()
        came, _ = outcome(model)
    assert came[:2] == expected(name)


class Wire(httpx.HTTPTransport):
    """A connection whose every recv gives the next of ``pieces``; of the models in memory it tells nothing."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(verify=tls())
        self._pool = httpcore.ConnectionPool(network_backend=httpcore.MockBackend(list(pieces)))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path == "/api/ps" else super().handle_request(request)


class AsyncWire(httpx.AsyncHTTPTransport):
    """The same for an event loop."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(verify=tls())
        self._pool = httpcore.AsyncConnectionPool(network_backend=httpcore.AsyncMockBackend(list(pieces)))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path == "/api/ps" else await super().handle_async_request(request)


class Wired(OllamaChatModel):
    """The chat model with such a connection."""

    pieces: list[bytes]
    asynchronous: bool = False

    def _client_options(self) -> dict[str, Any]:
        wire = AsyncWire(self.pieces) if self.asynchronous else Wire(self.pieces)
        return {"base_url": "http://ollama", "transport": wire}


@cache
def wired() -> Wired:
    model = build("tiny", 2048, load_settings(model="tiny", llm={"params": {"max_retries": 0}}))
    return Wired(**model.model_dump(exclude={"name"}), pieces=[])


def read(pieces: Sequence[bytes]) -> Outcome:
    """What comes of ``pieces``, the same in a thread and in an event loop."""
    came, _ = outcome(wired().model_copy(update={"pieces": pieces}))
    other = wired().model_copy(update={"pieces": pieces, "asynchronous": True})
    assert asyncio.run(asynchronous_outcome(other)) == came
    return came


@every_recording
def test_an_answer_reads_the_same_in_one_piece_as_received_and_byte_by_byte(name: str) -> None:
    (reply,) = recorded(name)[CHAT]
    data = b"".join(reply.pieces)
    came = read(reply.pieces)
    assert came[:2] == expected(name)
    assert read([data] if data else []) == came
    if len(data) < 8000:
        assert read([data[at : at + 1] for at in range(len(data))]) == came


@pytest.mark.parametrize("name", STREAMS)
@effort(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 5000), max_size=40).map(sorted))
def test_an_answer_split_anywhere_reads_the_same(name: str, cuts: list[int]) -> None:
    data = b"".join(recorded(name)[CHAT][0].pieces)
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    came = read([piece for piece in pieces if piece])
    assert came[:2] == expected(name)
    assert bool(came[2]) == (name != "chat_stream_chinese")


def streamed(lines: Sequence[bytes], ended: bool = True) -> bytes:
    """A chunked 200 of ``lines``."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines) + (b"0\r\n\r\n" if ended else b"")


def line(text: str, **more: Any) -> bytes:
    return json.dumps({"message": {"content": text}, **more}, ensure_ascii=False).encode() + b"\n"


DONE = line("", done=True, done_reason="stop")


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.integers(1, 60))
@example(["a\u0085b\u2028c", "\x1c\r\n", "字\U0001f600"], 1)
def test_any_text_comes_as_it_was_sent(texts: list[str], size: int) -> None:
    data = streamed([*(line(text, done=False) for text in texts), DONE])
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert read(pieces) == ("".join(texts), "stop", "")


@effort(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31))
@example(0)
def test_an_answer_that_is_cut_off_anywhere_is_never_whole(at: int) -> None:
    data = b"".join(recorded("chat_stream_chinese")[CHAT][0].pieces)
    done = data.index(b'"done":true')
    came = read([data[: at % done]] if at % done else [])
    assert came[1] == "" and came[2]
    assert expected("chat_stream_chinese")[0].startswith(came[0])


@pytest.mark.parametrize("rest", [b"", b"\n", b'{"error":"late"}\n', b"garbage"])
@pytest.mark.parametrize("ended", [False, True])
def test_what_follows_the_end_mark_does_not_matter(rest: bytes, ended: bool) -> None:
    assert read([streamed([line("One"), DONE, *([rest] if rest else [])], ended)]) == ("One", "stop", "")


def test_blank_lines_are_none() -> None:
    assert read([streamed([b"\n", line("One"), b" \r\n\n", DONE])]) == ("One", "stop", "")


@pytest.mark.parametrize(
    "odd",
    [
        b"null\n", b"[1]\n", b'"words"\n', b'{"message": 7}\n', b'{"message": {"content": 7}}\n', b'{"message": [1]}\n',
        b"\xff\xfe\n", b'{"message": {"content": "\xc3"}}\n', b'{"a": \n',
    ],
)  # fmt: skip
def test_a_line_that_is_no_part_of_an_answer_ends_it(odd: bytes) -> None:
    assert read([streamed([odd, DONE])]) == ("", "", "EngineUnavailable")
    assert read([streamed([line("One"), odd, DONE])]) == ("One", "", "IncompleteAnswer")


@pytest.mark.parametrize("bare", [b'{"message": null}\n', b'{"message": {"content": null}}\n', b'{"model": "tiny"}\n'])
def test_a_line_without_words_is_no_fault(bare: bytes) -> None:
    assert read([streamed([bare, line("One"), DONE])]) == ("One", "stop", "")


def test_thoughts_are_not_part_of_the_answer() -> None:
    thought = json.dumps({"message": {"content": "", "thinking": "Hmm"}, "done": False}).encode() + b"\n"
    assert read([streamed([thought, line("One"), DONE])]) == ("One", "stop", "")


def test_a_server_that_minds_think_false_is_asked_without() -> None:
    unsupported = recorded("chat_think_unsupported")[CHAT]
    answers: list[Reply] = recorded("chat_stream_warm")[CHAT]
    for asynchronous in (False, True):
        with Server({**recorded("tags", "ps_loaded"), CHAT: [*unsupported, *answers]}) as there:
            given = load_settings(model="tiny", ollama_base_url=there.url, llm={"params": {"max_retries": 0}})
            model = OllamaEngine(given).chat_model()
            came = asyncio.run(asynchronous_outcome(model)) if asynchronous else outcome(model)[0]
            first, second = there.asked(CHAT)
        assert came[:2] == expected("chat_stream_warm")
        assert first.body.pop("think") is False
        assert first.body == second.body
