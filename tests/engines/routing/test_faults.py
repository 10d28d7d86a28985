"""One of the servers fails, in every way there is: no answer is lost, cut off, or has anything twice."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC
from typing import Any

import pytest

from app.engines.routing.faults import Blame, Faults, seconds_of
from app.engines.routing.routes import Route
from app.errors import ContextTooLong, EngineError, EngineTimeout, EngineUnavailable, IncompleteAnswer, ModelMissing
from tests.engines.routing.fault_server import BEFORE, DURING, FaultServer, answer_of, servers
from tests.engines.routing.parts import ask, engine


def fail(server: FaultServer, mode: str) -> None:
    if mode == "refuse":
        server.down()
    server.mode = mode


@pytest.mark.parametrize("mode", [*BEFORE, *DURING])
def test_no_answer_is_lost(mode: str) -> None:
    with servers(3) as three:
        fail(three[0], mode)
        chat = engine(three).chat_model()
        for number in range(6):
            told = ask(chat, f"question {number}")
            assert told.is_whole(f"question {number}"), told
            assert told.routes[-1]["outcome"] == "answered"
            if "a" in told.names:
                assert told.names[0] == "a" and len(told.names) == 2
                assert told.routes[0]["outcome"] != "answered"
        assert len(three[0].questions()) <= 2  # after that it is left alone


@pytest.mark.parametrize("mode", ["hang", "reset", "503"])
def test_the_same_asynchronously_and_at_once(mode: str) -> None:
    async def all_at_once(chat: Any) -> list[str]:
        async def one(number: int) -> str:
            return "".join([chunk.text async for chunk in chat.astream(f"question {number}")])

        return list(await asyncio.gather(*(one(number) for number in range(24))))

    with servers(3) as three:
        fail(three[1], mode)
        routed = engine(three)
        answers = asyncio.run(all_at_once(routed.chat_model()))
        assert answers == [answer_of(f"question {number}") for number in range(24)]
        assert [status.in_flight for status in routed.routes()] == [0, 0, 0]


@pytest.mark.parametrize("mode", ["500", "429", "drop", "reset", "eof", "error"])
def test_a_single_server_that_fails_once_is_asked_again(mode: str) -> None:
    with FaultServer() as server:
        server.mode, server.times = mode, 1
        told = ask(engine([server]).chat_model(), "hello")
        assert told.is_whole("hello"), told
        assert told.names == ["a", "a"]


def test_a_single_server_that_goes_on_failing_is_given_up() -> None:
    with FaultServer() as server:
        server.mode = "500"
        told = ask(engine([server], params={"max_retries": 2}).chat_model(), "hello")
        assert isinstance(told.error, EngineUnavailable) and "500" in told.error.message
        assert len(server.questions()) == 3
        assert told.names == ["a"] * 3


@pytest.mark.parametrize(
    ("code", "message"),
    [(400, "temperature must be non-negative"), (413, "too large"), (422, "no such role")],
)
def test_what_is_the_askers_fault_is_told_at_once_and_held_against_no_route(code: int, message: str) -> None:
    with servers(2) as two:
        for server in two:
            server._refusal = lambda asked: (code, {"error": {"message": message}})  # type: ignore[method-assign]
        routed = engine(two)
        for _ in range(4):
            told = ask(routed.chat_model(), "hello")
            assert told.error is not None and message in told.error.message
            assert len(told.routes) == 1
        assert [status.state for status in routed.routes()] == ["in", "in"]


def test_a_prompt_that_is_too_long_is_named_as_such() -> None:
    with servers(2) as two:
        words = "This model's maximum context length is 4096 tokens."
        for server in two:
            server._refusal = lambda asked: (400, {"error": {"message": words}})  # type: ignore[method-assign]
        assert isinstance(ask(engine(two).chat_model(), "hello").error, ContextTooLong)


def test_a_route_with_a_wrong_key_is_out_named_and_the_question_asked_elsewhere() -> None:
    with servers(2) as two:
        two[0].key = "right"
        routed = engine(two, more={"a": {"api_key": "sk-wrong-1"}})
        for number in range(4):
            assert ask(routed.chat_model(), f"q{number}").is_whole(f"q{number}")
        assert len(two[0].questions()) == 1
        status = routed.routes()[0]
        assert status.state == "misconfigured" and "401" in status.reason
        two[0].key = ""
        two[1].down()
        two[1].mode = "500"
        assert ask(routed.chat_model(), "again").is_whole("again")  # it is the last hope, and has been corrected


def test_a_route_that_serves_another_model_is_out_and_says_what_it_serves() -> None:
    with servers(2) as two:
        two[0].model = "other"
        routed = engine(two)
        assert ask(routed.chat_model(), "hello").is_whole("hello")
        assert routed.routes()[0].state == "misconfigured"
        two[1].down()
        told = ask(routed.chat_model(), "again")
        assert told.error is not None


def test_nobody_is_left() -> None:
    with servers(3) as three:
        three[0].down()
        three[1].mode = "500"
        three[2].mode = "hang"
        told = ask(engine(three, None, default_route="a").chat_model(), "hello")
        assert isinstance(told.error, EngineUnavailable)
        for words in ("a: no server runs there", "b: the server answered 500", "c: it did not begin to answer"):
            assert words in told.error.message
        assert "python -m app health" in told.error.hint
        assert {tried["route"] for tried in told.routes} == {"a", "b", "c"}


def test_all_alike_keep_their_kind() -> None:
    with servers(2) as two:
        for server in two:
            server.mode = "hang"
        told = ask(engine(two, params={"timeout": 0.3}).chat_model(), "hello")
        assert isinstance(told.error, EngineTimeout)
        for server in two:
            server.mode, server.model = "ok", "other"
        told = ask(engine(two).chat_model(), "hello")
        assert isinstance(told.error, ModelMissing)


def test_an_answer_that_cannot_go_on_is_incomplete_and_never_passes_for_whole() -> None:
    with servers(2) as two:
        two[0].gap, two[1].mode = 0.02, "500"
        routed = engine(two, None, default_route="a", params={"max_retries": 0})
        told = ask(routed.chat_model(), "hello", on_text=two[0].down)
        assert isinstance(told.error, IncompleteAnswer)
        assert told.reason is None
        assert told.text and answer_of("hello").startswith(told.text)
        assert "a: no server runs there; b: the server answered 500" in told.error.message


def test_the_total_deadline_ends_everything() -> None:
    limits = {"connect": 1, "first_token": 5, "stall": 5, "total": 0.5}
    for mode in ("hang", "stall"):
        with servers(2) as two:
            for server in two:
                server.mode = mode
            began = time.monotonic()
            told = ask(engine(two, deadlines=limits).chat_model(), "hello")
            assert isinstance(told.error, EngineTimeout if mode == "hang" else IncompleteAnswer)
            assert 0.4 < time.monotonic() - began < 3


def test_where_nobody_else_could_answer_a_slow_server_is_waited_for() -> None:
    with servers(2) as two:
        two[1].down()
        two[0].first = 2.5  # more than the limit for the first token
        assert ask(engine(two, None, default_route="a").chat_model(), "hello").is_whole("hello")


@contextmanager
def full() -> Iterator[str]:
    """An address whose queue of connections is full: one more is not answered at all."""
    with ExitStack() as stack:
        there = stack.enter_context(socket.socket())
        there.bind(("127.0.0.1", 0))
        there.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(there.getsockname())
        yield f"http://127.0.0.1:{there.getsockname()[1]}/v1"


def test_a_connection_that_does_not_come_is_given_up() -> None:
    with full() as url, FaultServer() as well:
        limits = {"connect": 0.5, "first_token": 30, "stall": 30}
        routed = engine([well, well], None, default_route="a", more={"a": {"base_url": url}}, deadlines=limits)
        told = ask(routed.chat_model(), "hello")
        routed.close()
    assert told.is_whole("hello")
    assert [tried["outcome"] for tried in told.routes] == ["the server does not answer", "answered"]


def test_a_busy_server_says_when_to_come_back() -> None:
    with FaultServer() as server:
        server.mode, server.retry_after, server.times = "429", "0.4", 1
        began = time.monotonic()
        assert ask(engine([server]).chat_model(), "hello").is_whole("hello")
        assert time.monotonic() - began >= 0.4
    with servers(2) as two:
        two[0].mode, two[0].retry_after, two[0].times = "503", "30", 1
        routed = engine(two, None, default_route="a")
        for number in range(4):
            assert ask(routed.chat_model(), f"q{number}").is_whole(f"q{number}")
        assert [status.state for status in routed.routes()] == ["busy", "in"]
        assert routed.routes()[0].ejections == 0
        assert len(two[0].questions()) == 1


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("9999", 30.0), ("nan", None), ("soon", None), (None, None), ("", None)],
)
def test_retry_after(given: str | None, seconds: float | None) -> None:
    assert seconds_of(given) == seconds


def test_retry_after_may_be_a_date() -> None:
    from datetime import datetime, timedelta
    from email.utils import format_datetime

    later = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    assert 7 < (seconds_of(later) or 0) <= 10
    assert seconds_of("Sun, 06 Nov 1994 08:49:37 GMT") == 0.0


@pytest.mark.parametrize("code", range(300, 600))
def test_every_status_has_somebody_to_blame(code: int) -> None:
    fault = Faults(Route("a", "http://127.0.0.1:1/v1", key="sk-1"), "m").status(code, '{"error": "no sk-1"}', None)
    assert isinstance(fault.error, EngineError)
    assert fault.error.hint and "sk-1" not in fault.reason + str(fault.error)
    expected = {400: Blame.ASKER, 413: Blame.ASKER, 422: Blame.ASKER, 429: Blame.BUSY, 503: Blame.BUSY,
                401: Blame.SETUP, 403: Blame.SETUP, 404: Blame.SETUP, 408: Blame.ROUTE}  # fmt: skip
    if code in expected:
        assert fault.blame is expected[code]
    elif code >= 500:
        assert fault.blame is Blame.ROUTE and fault.again
