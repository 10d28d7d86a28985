"""Who is asked: the policies with real servers, tiers, the fallback, and counts that everybody shares."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.engines.routing.fault_server import answer_of, servers
from tests.engines.routing.parts import ask, asked, engine, readers, wait_until


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
