"""A second server is asked where the first keeps its reader waiting, and only there."""

from __future__ import annotations

import time

import pytest

from app.engines.routing import hedging
from tests.engines.routing.fault_server import servers
from tests.engines.routing.parts import QUICK, ask, asked, engine, readers


def test_a_second_server_is_asked_where_the_first_keeps_its_reader_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "SOONEST", 0.1)
    limits = {**QUICK, "first_token": 5.0}
    with servers(2) as two:
        two[0].mode = "hang"
        routed = engine(two, None, default_route="a", hedge=True, deadlines=limits)
        routed.check()
        began = time.monotonic()
        told = ask(routed.chat_model(), "hello")
        assert told.is_whole("hello") and time.monotonic() - began < 2
        assert [tried["route"] for tried in told.routes] == ["a", "b"]
        assert two[0].questions()[0].aborted.wait(2)
        assert [status.in_flight for status in routed.routes()] == [0, 0]


def test_without_need_nobody_is_asked_twice() -> None:
    with servers(2) as two:
        routed = engine(two, hedge=True)
        answers = readers(routed.chat_model(), 4, 10)
        assert all(told.is_whole(name) for name, told in answers.items())
        assert sum(asked(two)) == len(answers)


def test_hedging_has_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "SOONEST", 0.02)
    with servers(2) as two:
        for server in two:
            server.first = 0.2
        routed = engine(two, hedge=True)
        routed.check()
        answers = readers(routed.chat_model(), 8, 5)
        assert all(told.is_whole(name) for name, told in answers.items())
        assert len(answers) <= sum(asked(two)) <= len(answers) * 1.05 + 1


def test_both_that_were_asked_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "SOONEST", 0.05)
    with servers(3) as three:
        three[0].mode = three[1].mode = "hang"
        routed = engine(three, None, default_route="a", hedge=True)
        routed.check()
        assert ask(routed.chat_model(), "hello").is_whole("hello")
        assert [status.in_flight for status in routed.routes()] == [0, 0, 0]
