"""Out and back: two failures put a route out, a probe brings it back, and nobody is probed for nothing."""

from __future__ import annotations

import gc
import time
import weakref

import pytest

from app.engines.routing import prober
from tests.engines.routing.fault_server import FaultServer, servers
from tests.engines.routing.parts import ask, engine, wait_until


def test_a_route_goes_out_after_two_failures_and_is_back_soon_after_its_recovery() -> None:
    with servers(3) as three:
        three[1].mode = "reset"
        routed = engine(three)
        chat = routed.chat_model()
        for number in range(9):
            assert ask(chat, f"q{number}").is_whole(f"q{number}")
        status = routed.routes()[1]
        assert (status.state, status.ejections) == ("out", 1)
        assert "connection was lost" in status.reason
        assert len(three[1].questions()) == 2
        three[1].mode = "500"
        time.sleep(2.5)
        assert len([one for one in three[1].asked if one.is_probe]) >= 1
        assert routed.routes()[1].state == "out"
        three[1].mode = "ok"
        began = time.monotonic()
        wait_until(lambda: routed.routes()[1].state == "in", 5)
        assert time.monotonic() - began < 3
        for number in range(40):
            ask(chat, f"again {number}")
        share = len(three[1].questions()) - 2
        assert 0 < share < 12  # a cold server is not met with its full third at once
        routed.close()


def test_a_route_that_was_corrected_is_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engines.routing.health.PROBE_SETUP", 0.3)
    with servers(2) as two:
        two[0].key = "right"
        routed = engine(two)
        for number in range(3):
            ask(routed.chat_model(), f"q{number}")
        assert routed.routes()[0].state == "misconfigured"
        two[0].key = ""
        wait_until(lambda: routed.routes()[0].state == "in", 5)
        routed.close()


def test_a_route_that_nobody_asks_is_probed_and_goes_out_before_a_reader_meets_it() -> None:
    with servers(2) as two:
        routed = engine(two, None, default_route="a", probe=0.3)
        ask(routed.chat_model(), "hello")
        wait_until(lambda: any(one.is_probe for one in two[1].asked), 5)
        two[1].mode = "500"
        wait_until(lambda: routed.routes()[1].state == "out", 10)
        assert two[1].questions() == []
        routed.close()


def test_a_single_server_is_never_probed_and_never_out() -> None:
    with FaultServer() as server:
        routed = engine([server], probe=0.1, params={"max_retries": 0})
        server.mode = "500"
        for number in range(5):
            assert ask(routed.chat_model(), f"q{number}").error is not None
        assert routed.routes()[0].state == "in"
        time.sleep(0.6)
        assert not [one for one in server.asked if one.is_probe]
        server.mode = "ok"
        assert ask(routed.chat_model(), "hello").is_whole("hello")


def test_the_last_one_is_not_thrown_out() -> None:
    with servers(2) as two:
        for server in two:
            server.mode = "500"
        routed = engine(two, params={"max_retries": 1})
        for number in range(6):
            ask(routed.chat_model(), f"q{number}")
        states = [status.state for status in routed.routes()]
        assert states.count("in") == 1
        for server in two:
            server.mode = "ok"
        assert ask(routed.chat_model(), "hello").is_whole("hello")
        routed.close()


def test_where_the_last_one_fails_the_others_are_no_worse() -> None:
    with servers(3) as three:
        three[1].mode = three[2].mode = "500"  # for a moment
        routed = engine(three, params={"max_retries": 0})
        chat = routed.chat_model()
        for number in range(6):
            assert ask(chat, f"q{number}").is_whole(f"q{number}")
        assert [status.state for status in routed.routes()] == ["in", "out", "out"]
        three[1].mode = three[2].mode = "ok"
        three[0].mode = "error"
        for number in range(12):  # at once, before a probe could find out
            assert ask(chat, f"r{number}").is_whole(f"r{number}")
        routed.close()


def test_probing_rests_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "REST", 0.5)
    with servers(2) as two:
        routed = engine(two, probe=0.1)
        ask(routed.chat_model(), "hello")
        time.sleep(1.5)
        before = len(two[0].asked) + len(two[1].asked)
        time.sleep(1.0)
        assert len(two[0].asked) + len(two[1].asked) == before
        ask(routed.chat_model(), "again")
        wait_until(lambda: len(two[0].asked) + len(two[1].asked) > before + 2, 5)
        routed.close()


def test_a_router_that_nobody_keeps_ends() -> None:
    with servers(2) as two:
        routed = engine(two, probe=0.1)
        ask(routed.chat_model(), "hello")
        router = weakref.ref(routed.router())
        del routed
        deadline = time.monotonic() + 10
        while router() is not None and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.1)
        assert router() is None
