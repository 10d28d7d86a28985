"""The router as a whole: many readers while a server goes bad, readers who leave, what is odd at the start."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from app.config import load_settings
from app.engines.vllm_openai import VllmOpenAIEngine
from tests.engines.routing.fault_server import FaultServer, servers
from tests.engines.routing.parts import ask, asked, engine, readers, wait_until
from tests.engines.servers import unused_url

# ---- many readers


@pytest.mark.parametrize("mode", ["refuse", "500", "hang", "reset", "eof", "stall", "error"])
def test_many_readers_while_one_of_three_goes_bad_and_gets_well(mode: str) -> None:
    with servers(3) as three:
        for server in three:
            server.gap, server.first = 0.002, 0.01
        routed = engine(three, "least_latency")
        chat = routed.chat_model()
        ask(chat, "warm up")
        ends = [threading.Timer(0.4, lambda: worsen(three[0], mode)), threading.Timer(2.0, lambda: heal(three[0]))]
        for end in ends:
            end.start()
        answers = readers(chat, 16, 16)
        lost = [name for name, told in answers.items() if not told.is_whole(name)]
        for end in ends:
            end.join()
        assert lost == [], answers[lost[0]]
        assert sum(len(told.names) > 1 for told in answers.values()) > 0, "nobody met the fault"
        wait_until(lambda: all(status.in_flight == 0 for status in routed.routes()))
        wait_until(lambda: routed.routes()[0].state == "in", 10)
        routed.close()


def worsen(server: FaultServer, mode: str) -> None:
    if mode == "refuse":
        server.down()
    else:
        server.mode = mode


def heal(server: FaultServer) -> None:
    if server.mode == "ok":
        server.up()
    server.mode = "ok"


def test_where_everything_fails_the_servers_are_not_stormed() -> None:
    with servers(3) as three:
        for server in three:
            server.mode = "500"
        routed = engine(three)
        answers = readers(routed.chat_model(), 20, 5)
        assert all(told.error is not None for told in answers.values())
        assert sum(asked(three)) < 2.5 * len(answers)
        routed.close()


# ---- leaving


@pytest.mark.parametrize("mode", ["ok", "hang", "stall"])
def test_who_leaves_ends_the_servers_work(mode: str) -> None:
    with servers(2) as two:
        for server in two:
            server.mode, server.gap = mode, 0.02
        routed = engine(two, deadlines={"connect": 1, "first_token": 20, "stall": 20})
        chat = routed.chat_model()

        async def leave() -> None:
            task = asyncio.create_task(chat.ainvoke("hello"))
            while not sum(asked(two)):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(leave())
        server = next(server for server in two if server.questions())
        assert server.questions()[0].aborted.wait(2)
        wait_until(lambda: [status.in_flight for status in routed.routes()] == [0, 0])
        assert all(status.state == "in" and not status.reason for status in routed.routes())


# ---- at the start


def test_what_is_odd_about_a_route_is_named_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer() as first, FaultServer(model="other") as other, FaultServer(window=1024) as short:
        routed = engine([first, other, short])
        routed.load(lambda progress: None)
        assert "route b" in caplog.text and "it serves other, not mock" in caplog.text
        assert "route c" in caplog.text and "1024 tokens of context" in caplog.text
        assert routed.context_window() == 1024
        assert ["1024" in status.problem for status in routed.routes()] == [False, False, True]
        assert "2 of 3 routes" in routed.check().detail
        routed.close()


def test_addresses_with_commas_are_several_routes_and_find_their_model() -> None:
    with servers(2) as two:
        there = ",".join([two[0].url, unused_url(), two[1].url])
        routed = VllmOpenAIEngine(load_settings(vllm_base_url=there, llm={"lb_policy": "round_robin", "probe": 0}))
        assert routed.check().ready
        for number in range(4):
            assert ask(routed.chat_model(), f"q{number}").is_whole(f"q{number}")
        names = Counter(status.state for status in routed.routes())
        assert len(routed.routes()) == 3 and names["in"] >= 2
        routed.close()


def test_a_route_without_a_model_takes_what_is_served_also_when_that_changes() -> None:
    with servers(2) as two:
        routed = engine(two, more={"a": {"model": ""}, "b": {"model": ""}})
        assert ask(routed.chat_model(), "one").is_whole("one")
        for server in two:
            server.model = "newer"
        for number in range(4):
            assert ask(routed.chat_model(), f"q{number}").is_whole(f"q{number}")
        assert {status.model for status in routed.routes()} == {"newer"}
