"""The client of a benchmark against servers that fail in every way: each failure is counted as what it is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from app.benchmark.loading.clock import RealClock
from app.benchmark.loading.http_target import COMPLETIONS, HttpTarget
from app.benchmark.loading.loops import closed_loop
from app.benchmark.prompt_file import user
from app.benchmark.prompts import Length, Prompt
from app.benchmark.sample import Sample
from app.engines.routing.routes import Route
from tests.engines.routing.fault_server import MODEL, FaultServer, answer_of, tokens_of

LONG = Length(1000)


def asked(server: FaultServer, count: int = 1, *, length: Length = LONG, **how: Any) -> list[Sample]:
    """Of so many questions, two at a time; silence is given up after a short while."""
    found = [Prompt(str(number), user(f"What is number {number}?")) for number in range(count)]
    return asyncio.run(_asked(server.url, found, length, **how))


async def _asked(url: str, prompts: list[Prompt], length: Length, patience: float = 20.0, **how: Any) -> list[Sample]:
    target = HttpTarget(Route("server", url), MODEL, **how)
    try:
        return await closed_loop(
            target, prompts, readers=2, requests=len(prompts), length=length, clock=RealClock(), patience=patience
        )
    finally:
        await target.close()


@pytest.mark.parametrize("burst", [1, 5])
def test_a_whole_answer_is_counted_by_the_servers_usage(burst: int) -> None:
    with FaultServer() as server:
        server.burst = burst
        (sample,) = asked(server)

    tokens = tokens_of(answer_of("What is number 0?"))
    assert sample.ok
    assert sample.output_tokens == len(tokens)
    assert sample.input_tokens
    assert 0 < sample.pieces <= -(-len(tokens) // burst)
    assert sample.first is not None and sample.last is not None
    assert 0 < sample.sent < sample.first <= sample.last <= sample.end
    assert len(sample.gaps) == sample.pieces - 1


@pytest.mark.parametrize(
    ("mode", "outcome", "kind"),
    [
        ("500", "failed", "http_500"),
        ("503", "failed", "http_503"),
        ("429", "failed", "http_429"),
        ("408", "failed", "http_408"),
        ("hang", "failed", "timeout"),
        ("drop", "failed", "dropped"),
        ("html", "failed", "unreadable"),
        ("plain", "failed", "empty"),
        ("json", "failed", "unreadable"),
        ("garbage", "failed", "empty"),
        ("empty", "failed", "empty"),
        ("reset", "truncated", "cut"),
        ("cut", "truncated", "cut"),
        ("eof", "truncated", "cut"),
        ("done", "truncated", "cut"),
        ("stall", "truncated", "stalled"),
        ("abort", "truncated", "cut"),
        ("error", "failed", "error"),
        ("utf8", "failed", "unreadable"),
        ("broken", "failed", "unreadable"),
        ("restart", "duplicated", "extra_tokens"),
        ("late", "duplicated", "after_end"),
    ],
)
def test_each_failure_is_counted_as_what_it_is(mode: str, outcome: str, kind: str) -> None:
    with FaultServer() as server:
        server.mode, server.times = mode, 1
        first, second = asked(server, 2, patience=1.5 if mode in ("hang", "stall") else 20.0)
        samples = sorted((first, second), key=lambda sample: sample.ok)

    assert (samples[0].outcome, samples[0].kind) == (outcome, kind)
    assert samples[0].error
    assert samples[1].ok


def test_a_server_that_is_down_is_said_to_be() -> None:
    with FaultServer() as server:
        server.down()
        (sample,) = asked(server)

    assert (sample.outcome, sample.kind) == ("failed", "unreachable")


def test_lost_tokens_are_found_where_the_server_tells_all_of_them() -> None:
    with FaultServer() as server:
        server.mode, server.burst = "lost", 4
        (unseen,) = asked(server)
        (found,) = asked(server, check_tokens=True)

    assert unseen.ok
    assert (found.outcome, found.kind) == ("truncated", "missing_tokens")


def test_repeated_tokens_are_found_among_others_of_one_event_by_their_ids() -> None:
    with FaultServer() as server:
        server.mode, server.burst = "twice", 4
        (found,) = asked(server, check_tokens=True)

    assert (found.outcome, found.kind) == ("duplicated", "extra_tokens")


def test_what_readers_were_told_differently_is_compared() -> None:
    """Without counts a restart shows by what others got."""
    with FaultServer() as server:
        server.counts = False
        known = [Prompt("1", user("Why?"), expected=answer_of("Why?"))]
        server.mode, server.times = "restart", 1
        first = asyncio.run(_asked(server.url, known, LONG))
        second = asyncio.run(_asked(server.url, known, LONG))

    assert [first[0].outcome, second[0].outcome] == ["duplicated", "ok"]


def test_fixed_length_is_asked_for_and_left_where_the_server_minds() -> None:
    with FaultServer() as server:
        asked(server, length=Length(9, fixed=True))
        asked(server, length=Length(9, fixed=False))

    fixed, natural = (question.body for question in server.questions())
    assert fixed["ignore_eos"] is True and fixed["max_tokens"] == 9
    assert "ignore_eos" not in natural
    assert fixed["temperature"] == 0


def test_completions_have_no_messages() -> None:
    with FaultServer() as server:
        sent: list[dict[str, Any]] = []
        server._where = lambda body, chat: (sent.append(body), ("abc", 0, 3))[1]  # type: ignore[assignment,method-assign,func-returns-value]
        server._stream = _plain  # type: ignore[assignment,method-assign]
        (sample,) = asked(server, path=COMPLETIONS)

    assert sample.ok
    assert server.questions()[0].path == "/v1/completions"
    assert server.questions()[0].body["prompt"] == "What is number 0?"


async def _plain(mode: str, asked: Any, writer: Any) -> None:
    body = (
        b'data: {"choices": [{"index": 0, "text": "a lamp", "finish_reason": "stop"}]}\n\n'
        b'data: {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}}\n\ndata: [DONE]\n\n'
    )
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def event(**said: Any) -> bytes:
    return f"data: {json.dumps(said)}\n\n".encode()


def choice(text: str = "", reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason, **more}]}


COUNTED = event(choices=[], usage={"prompt_tokens": 4, "completion_tokens": 2})
ONE, TWO, END = event(**choice("a")), event(**choice(" lamp")), event(**choice(reason="stop"))


def streamed(*parts: bytes) -> Sample:
    """What became of an answer of these bytes, of which the end of the connection is the end."""
    with FaultServer() as server:

        async def say(mode: str, asked: Any, writer: Any) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            writer.write(b"".join(parts))
            await writer.drain()
            writer.close()

        server._stream = say  # type: ignore[method-assign]
        (sample,) = asked(server)
    return sample


@pytest.mark.parametrize(
    ("parts", "counted"),
    [
        ((b": hello\n\n", event(choices=[]), ONE, b"data:\n\n", TWO, b"data: \n\n", END, COUNTED), 2),
        ((ONE, event(**choice(" lamp", "stop"), usage={"prompt_tokens": 4, "completion_tokens": 2})), 2),
        ((ONE, TWO, END, event(choices=[], usage={"total_tokens": 6})), None),
        ((ONE, TWO, END, event(choices=[], usage={"prompt_tokens": None, "completion_tokens": None})), None),
        ((ONE, TWO, event(choices=[{"delta": {}, "message": {"content": "a lamp"}, "finish_reason": "stop"}])), None),
        ((ONE, TWO, END.rstrip()), None),
    ],
)
def test_what_servers_do_otherwise_is_read_all_the_same(parts: tuple[bytes, ...], counted: int | None) -> None:
    sample = streamed(*parts)

    assert (sample.outcome, sample.pieces, sample.output_tokens) == ("ok", 2, counted)


def test_an_answer_that_comes_at_once_has_no_time_per_token() -> None:
    whole = event(**choice("a lamp", "stop"), usage={"prompt_tokens": 4, "completion_tokens": 2})
    sample = streamed(whole)

    assert sample.ok and sample.ttft is not None and sample.tpot is None


@pytest.mark.parametrize(
    ("parts", "outcome", "kind"),
    [
        ((ONE, TWO[:20]), "truncated", "cut"),
        ((TWO[:20],), "failed", "empty"),
        ((END, b"data: [DONE]\n\n"), "failed", "empty"),
        ((ONE, event(**choice(reason="error"), error={"message": "it died"})), "failed", "error"),
        ((event(choices=[{"delta": {"content": [{"type": "text"}]}}]), END), "failed", "unreadable"),
    ],
)
def test_what_is_no_whole_answer_is_told_apart(parts: tuple[bytes, ...], outcome: str, kind: str) -> None:
    sample = streamed(*parts)

    assert (sample.outcome, sample.kind) == (outcome, kind)


def test_what_is_no_http_is_unreadable() -> None:
    with FaultServer() as server:

        async def say(mode: str, asked: Any, writer: Any) -> None:
            writer.write(b"SSH-2.0-OpenSSH_8.9\r\n")

        server._stream = say  # type: ignore[method-assign]
        (sample,) = asked(server)

    assert (sample.outcome, sample.kind) == ("failed", "unreadable")


def test_a_server_that_minds_several_options_is_asked_without_them() -> None:
    with FaultServer() as server:
        usual = server._refusal

        def strict(request: Any) -> Any:
            minded = [name for name in ("ignore_eos", "stream_options") if name in request.body]
            return (422, {"detail": [{"loc": ["body", minded[0]]}]}) if minded else usual(request)

        server._refusal = strict  # type: ignore[method-assign]
        samples = asked(server, 4, length=Length(9, fixed=True))

    assert [sample.outcome for sample in samples] == ["ok"] * 4


def test_hanging_up_aborts_the_request_at_the_server() -> None:
    with FaultServer() as server:
        server.gap = 0.05

        async def leave() -> None:
            target = HttpTarget(Route("server", server.url), MODEL)
            loop = closed_loop(
                target, [Prompt("1", user("Why?"))], readers=1, requests=1, length=LONG, clock=RealClock()
            )
            task = asyncio.ensure_future(loop)
            while not server.questions():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await target.close()

        asyncio.run(leave())

        assert server.questions()[0].aborted.wait(10)
