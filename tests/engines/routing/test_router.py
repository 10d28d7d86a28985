"""The router as a whole: who is asked, who is left alone and for how long, and what a reader notices of it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.config import load_settings
from app.engines.routing import hedging, prober
from app.engines.vllm_openai import VllmOpenAIEngine
from tests.engines.routing.fault_server import FaultServer, answer_of, servers
from tests.engines.routing.parts import QUICK, Told, ask, engine, wait_until
from tests.engines.servers import unused_url


def asked(three: list[FaultServer]) -> list[int]:
    return [len(server.questions()) for server in three]


def readers(chat: Any, count: int, each: int = 1, prefix: str = "q") -> dict[str, Told]:
    """``count`` readers at a time, who ask ``each`` questions one after the other."""

    def read(number: int) -> dict[str, Told]:
        return {name: ask(chat, name) for name in (f"{prefix} {number} {turn}" for turn in range(each))}

    with ThreadPoolExecutor(count) as pool:
        return {name: told for found in pool.map(read, range(count)) for name, told in found.items()}


# ---- who is asked


def test_round_robin_shares_by_weight() -> None:
    with servers(3) as three:
        chat = engine(three, more={"a": {"weight": 2}}).chat_model()
        for number in range(8):
            assert ask(chat, f"q{number}").is_whole(f"q{number}")
        assert asked(three) == [4, 2, 2]


def test_without_a_policy_the_default_route_answers_and_the_others_stand_by() -> None:
    with servers(3) as three:
        chat = engine(three, None, default_route="b").chat_model()
        for number in range(4):
            ask(chat, f"q{number}")
        assert asked(three) == [0, 4, 0]
        three[1].down()
        assert ask(chat, "again").is_whole("again")


def test_tiers_and_the_fallback_route_are_asked_in_their_order() -> None:
    with servers(3) as three:
        more = {"b": {"tier": 1}}
        chat = engine(three, more=more, fallback_route="c").chat_model()
        for number in range(4):
            ask(chat, f"q{number}")
        assert asked(three) == [4, 0, 0]
        three[0].down()
        for number in range(4):
            assert ask(chat, f"r{number}").is_whole(f"r{number}")
        assert (len(three[1].questions()), len(three[2].questions())) == (4, 0)
        three[1].down()
        told = ask(chat, "last")
        assert told.is_whole("last") and told.names[-1] == "c"


def test_a_conversation_stays_with_one_server() -> None:
    with servers(3) as three:
        chat = engine(three, "affinity").chat_model()
        for conversation in range(6):
            before = asked(three)
            for turn in range(3):
                question = f"turn {turn} of {conversation}"
                config = {"metadata": {"conversation_id": f"conversation {conversation}"}}
                assert "".join(c.text for c in chat.stream(question, config)) == answer_of(question)
            used = [after - was for after, was in zip(asked(three), before, strict=True)]
            assert sorted(used) == [0, 0, 3]
        assert len([count for count in asked(three) if count]) > 1


def test_of_many_conversations_at_once_nearly_all_turns_stay() -> None:
    with servers(3) as three:
        for server in three:
            server.gap = 0.001
        patient = {"connect": 5, "first_token": 30, "stall": 30}
        chat = engine(three, "affinity", deadlines=patient).chat_model()

        def talk(number: int) -> None:
            for turn in range(10):
                question = f"turn {turn} of {number}"
                config = {"metadata": {"conversation_id": f"conversation {number}"}}
                assert "".join(c.text for c in chat.stream(question, config)) == answer_of(question)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(talk, range(24)))
        turns = Counter(
            (one.body["messages"][-1]["content"].partition(" of ")[2], number)
            for number, server in enumerate(three)
            for one in server.questions()
        )
        stayed = sum(max(turns[str(talk), number] for number in range(3)) for talk in range(24))
        assert stayed >= 0.9 * 240
        assert min(asked(three)) > 30


def test_without_a_name_a_conversation_is_known_by_its_first_question() -> None:
    with servers(3) as three:
        chat = engine(three, "affinity").chat_model()
        said: list[Any] = []
        for turn in range(4):
            said.append(("user", f"the first question, then {turn}" if turn else "the first question"))
            said.append(("assistant", chat.invoke(said).text))
        assert sorted(asked(three)) == [0, 0, 4]


def test_a_slow_server_is_asked_far_less() -> None:
    """How much less is simulated in test_policies.py, where no busy machine makes the quick ones slow."""
    with servers(3) as three:
        for server, slowness in zip(three, (1, 1, 20), strict=True):
            server.first, server.gap = 0.02 * slowness, 0.002
        chat = engine(three, "least_latency", deadlines={"connect": 5, "first_token": 30, "stall": 30}).chat_model()
        answers = readers(chat, 9, 20)
        assert all(told.is_whole(name) for name, told in answers.items())
        assert asked(three)[2] < sum(asked(three)) / 6


def test_least_busy_looks_at_answers_under_way() -> None:
    with servers(2) as two:
        for server in two:
            server.gap = 0.05
        chat = engine(two, "least_busy").chat_model()
        slow = chat.stream("long")
        next(slow)
        idle = next(server for server in two if not server.questions())
        idle.gap = 0.0
        for number in range(6):
            ask(chat, f"q{number}")
        slow.close()  # type: ignore[attr-defined]
        assert len(idle.questions()) == 6


def test_every_way_of_asking_sees_the_same_counts() -> None:
    with servers(2) as two:
        for server in two:
            server.gap = 0.01
        routed = engine(two)
        chat = routed.chat_model()
        sync = chat.stream("one")
        next(sync)

        async def other() -> list[int]:
            stream = chat.astream("two")
            await anext(stream)
            counts = [status.in_flight for status in routed.routes()]
            await stream.aclose()  # type: ignore[attr-defined]
            return counts

        assert asyncio.run(other()) == [1, 1]
        sync.close()  # type: ignore[attr-defined]
        wait_until(lambda: [status.in_flight for status in routed.routes()] == [0, 0])
        assert [status.reason for status in routed.routes()] == ["", ""]  # who leaves blames nobody


# ---- out and back


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


# ---- hedging


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
