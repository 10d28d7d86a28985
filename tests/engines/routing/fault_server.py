"""A server that speaks as vLLM does and fails as it is told to, at run time and at a chosen token.

What it answers is certain: a text made of the last question. So a test can tell whether an answer is whole, cut off
or has something twice. It goes on with a text that was begun (``continue_final_message``) and with tokens
(``/v1/completions``), and gives its tokens on request; a character may be two tokens, the first without text.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MODEL = "mock"
WORDS = (
    "the lighthouse stands on rock and its lamp burns oil seen from nineteen miles away in clear nights of winter "
    "灯塔 建于 海边 的 岩石 上 光 很 亮 。 ， 🌊 naïve – \n \n\n 1871 [1]"
).split(" ")
_QUESTION = 2_000_000  # the first of the ids that stand for a character of the question
_HALF, _WHOLE = 1_000_000, 10

BEFORE = ("refuse", "500", "503", "429", "408", "hang", "drop", "html", "plain", "json", "garbage", "empty")
"""Ways to fail before the first token."""
DURING = ("reset", "cut", "eof", "done", "stall", "error", "utf8", "broken", "abort")
"""Ways to fail in the midst of an answer."""
OTHERWISE = ("twice", "restart", "late", "lost")
"""Ways to say something twice, or not at all, in an answer that ends as if it were whole."""


def answer_of(question: str, length: int = 40) -> str:
    """What a healthy server says."""
    lot = random.Random(question)
    return " ".join(lot.choice(WORDS) for _ in range(length)).strip()


@dataclass(frozen=True)
class Token:
    """Half of a character has no text yet."""

    id: int
    text: str


def tokens_of(text: str, at: int = 0) -> list[Token]:
    """``text`` in tokens, from its character number ``at`` on; an id tells how far it reaches."""
    found: list[Token] = []
    while at < len(text):
        step = 1 if ord(text[at]) > 0x2E80 else min(3, len(text) - at)
        if step == 1 and at % 2:
            found.append(Token(_HALF + at, ""))
        at += step
        found.append(Token(_WHOLE + at, text[at - step : at]))
    return found


@dataclass
class Asked:
    """A request that came."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    aborted: threading.Event = field(default_factory=threading.Event)

    @property
    def is_probe(self) -> bool:
        said = self.body.get("messages", [{}])[0].get("content")
        return self.body.get("max_tokens") in (1, 32) and said == "Hi"


class FaultServer:
    """``mode`` is ``ok`` or one of the ways to fail; ``at`` is the token before which it fails in the midst."""

    def __init__(self, *, model: str = MODEL, window: int | None = 4096, length: int = 40) -> None:
        self.model, self.window, self.length = model, window, length
        self.mode, self.at = "ok", 7
        self.gap = self.first = 0.0
        self.retry_after = ""
        self.key = ""
        self.knows_ids = self.knows_continue = self.knows_completions = self.counts = True
        self.burst = 1  # tokens that come in one event, as from a busy server
        self.trims = False  # whether what is to be continued loses its white space at the end, and it comes again
        self.times = 10**9  # how often it fails before it is well again
        self.asked: list[Asked] = []
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._do(self._listen())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def questions(self) -> list[Asked]:
        """The requests for an answer, without the probes."""
        return [asked for asked in self.asked if asked.path.endswith("completions") and not asked.is_probe]

    def down(self) -> None:
        """Every connection is reset, new ones are refused."""
        self._do(self._close())

    def up(self) -> None:
        """It listens again, at the same address."""
        self._do(self._listen())

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                asked = await _request(reader)
                if asked is None:
                    return
                self.asked.append(asked)
                left = asyncio.ensure_future(_left(reader, asked))
                try:
                    await self._reply(asked, writer)
                    await writer.drain()
                finally:
                    left.cancel()
                if asked.aborted.is_set():
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, _Enough):
            pass  # the connection ends
        finally:
            self._open.discard(writer)
            writer.close()

    async def _reply(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if self.key and asked.headers.get("authorization") != f"Bearer {self.key}":
            return _send(writer, 401, {"error": {"message": "wrong key"}})
        if asked.path == "/v1/models":
            card = {"id": self.model, "object": "model", "owned_by": "vllm", "max_model_len": self.window}
            return _send(writer, 200, {"object": "list", "data": [card]})
        if not asked.path.endswith("completions"):
            return _send(writer, 200, {})
        if (refusal := self._refusal(asked)) is not None:
            return _send(writer, *refusal)
        mode = self.mode if self.times > 0 else "ok"
        self.times -= mode != "ok"
        if mode in BEFORE:
            return await self._fail(mode, asked, writer)
        await asyncio.sleep(self.first)
        await self._stream(mode, asked, writer)
        return None

    def _refusal(self, asked: Asked) -> tuple[int, dict[str, Any]] | None:
        body = asked.body
        if body.get("model") != self.model:
            return 404, {"error": {"message": f"The model `{body.get('model')}` does not exist.", "code": 404}}
        if asked.path == "/v1/completions" and not self.knows_completions:
            return 404, {"detail": "Not Found"}
        if "return_token_ids" in body and not self.knows_ids:
            return 400, {"error": {"message": "Unrecognized request argument supplied: return_token_ids"}}
        if float(body.get("temperature", 1)) < 0:
            return 400, {"error": {"message": "temperature must be non-negative"}}
        return None

    async def _fail(self, mode: str, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if mode.isdigit():
            more = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
            return _send(writer, int(mode), {"error": {"message": "as told"}}, more)
        if mode == "hang":
            await asyncio.to_thread(asked.aborted.wait, 30)
            raise _Enough
        if mode == "html":
            return _raw(writer, "text/html", b"<html><body>Bad gateway</body></html>")
        if mode == "plain":
            return _raw(writer, "text/plain", b"upstream is warming up")
        if mode == "json":
            return _raw(writer, "application/json", b'{"status": "ok"}')
        if mode == "garbage":
            return _raw(writer, "text/event-stream", b"\x00\xff\xfe garbage\n\n")
        if mode == "empty":
            return _raw(writer, "text/event-stream", b"")
        writer.transport.abort()
        raise _Enough

    async def _stream(self, mode: str, asked: Asked, writer: asyncio.StreamWriter) -> None:
        body, chat = asked.body, asked.path == "/v1/chat/completions"
        whole, at, prompt = self._where(body, chat)
        tokens = tokens_of(whole, at)
        limit = body.get("max_tokens") or len(tokens)
        reason = "length" if len(tokens) > limit else "stop"
        tokens = tokens[:limit]
        counted, tokens = len(tokens), self._otherwise(mode, tokens)
        with_ids = self.knows_ids and body.get("return_token_ids")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        prompt_ids = [_QUESTION + ord(letter) for letter in _question(body)] if chat else body["prompt"]
        if chat:
            first = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
            _event(writer, {**first, **({"prompt_token_ids": prompt_ids} if with_ids else {})})
        for number in range(0, len(tokens), self.burst):
            if mode in DURING and number <= self.at < number + self.burst:
                return await self._break(mode, asked, writer)
            part = tokens[number : number + self.burst]
            text = "".join(token.text for token in part)
            if not chat and number == 0 and body["prompt"][-1] >= _HALF and body["prompt"][-1] < _QUESTION:
                text = _question_of(body["prompt"]) + whole[:at] + text  # so does vLLM, after half a character
            said = {"delta": {"content": text}} if chat else {"text": text}
            ids = {"token_ids": [token.id for token in part]} if with_ids else {}
            last = number + self.burst >= len(tokens)
            _event(writer, {"choices": [{"index": 0, **said, **ids, "finish_reason": reason if last else None}]})
            if self.gap:
                await writer.drain()
                await asyncio.sleep(self.gap)
        if not tokens:
            _event(writer, {"choices": [{"index": 0, "delta": {}, "text": "", "finish_reason": reason}]})
        if mode == "late":
            _event(writer, {"choices": [{"index": 0, "delta": {"content": "so"}, "text": "so"}]})
        if self.counts:
            _event(writer, {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": counted}})
        _chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        return None

    def _otherwise(self, mode: str, tokens: list[Token]) -> list[Token]:
        before, after = tokens[: self.at], tokens[self.at :]
        if mode == "twice":
            return [*before, *before[-1:], *after]
        if mode == "restart":
            return [*before, *tokens]
        return [*before, *after[1:]] if mode == "lost" else tokens

    def _where(self, body: dict[str, Any], chat: bool) -> tuple[str, int, int]:
        """The whole answer, from which character on it is to be given, and how many tokens the prompt has."""
        if not chat:
            ids = body["prompt"]
            question = _question_of(ids)
            done = [token - _WHOLE for token in ids if token < _HALF]
            return answer_of(question, self.length), done[-1] if done else 0, len(ids)
        messages = body["messages"]
        whole = answer_of(_question(body), self.length)
        count = sum(len(tokens_of(message["content"])) + 4 for message in messages)
        if not (self.knows_continue and body.get("continue_final_message")):
            return whole, 0, count + 3
        said = messages[-1]["content"]
        kept = said.rstrip() if self.trims else said
        at = len(kept) if whole.startswith(kept) else len(whole)
        return whole, at, count - 2

    async def _break(self, mode: str, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await writer.drain()
        await asyncio.sleep(0.01)
        if mode == "reset":
            writer.transport.abort()
            raise _Enough
        if mode == "cut":  # the connection ends, the reply has not
            raise _Enough
        if mode == "stall":
            await asyncio.to_thread(asked.aborted.wait, 30)
            raise _Enough
        if mode == "error":
            _event(writer, {"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}})
        elif mode == "utf8":
            _chunk(writer, b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n')
        elif mode == "broken":
            _chunk(writer, b'data: {"choices": [{"index": 0, "del\n\n')
        elif mode == "abort":
            _event(writer, {"choices": [{"index": 0, "delta": {"content": ""}, "text": "", "finish_reason": "abort"}]})
        if mode != "eof":
            _chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")


class _Enough(Exception):
    """The connection ends here."""


def _question_of(ids: list[int]) -> str:
    return "".join(chr(token - _QUESTION) for token in ids if token >= _QUESTION)


def _question(body: dict[str, Any]) -> str:
    return str(next(item["content"] for item in reversed(body["messages"]) if item["role"] == "user"))


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (item.split(": ", 1) for item in rest if item)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(line.split(" ")[1], json.loads(body) if body else {}, headers)


async def _left(reader: asyncio.StreamReader, asked: Asked) -> None:
    """The client sends nothing more before the reply is over, unless it leaves."""
    while True:
        if reader.at_eof() or reader.exception() is not None:
            asked.aborted.set()
            return
        await asyncio.sleep(0.005)


def _send(writer: asyncio.StreamWriter, status: int, data: Any, more: str = "") -> None:
    body = json.dumps(data).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


def _raw(writer: asyncio.StreamWriter, kind: str, body: bytes) -> None:
    writer.write(f"HTTP/1.1 200 X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def _event(writer: asyncio.StreamWriter, data: dict[str, Any]) -> None:
    _chunk(writer, f"data: {json.dumps({'id': '1', 'model': MODEL, **data}, ensure_ascii=False)}\n\n".encode())


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


@contextlib.contextmanager
def servers(count: int, **how: Any) -> Iterator[list[FaultServer]]:
    """``count`` of them, alike."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(FaultServer(**how)) for _ in range(count)]
