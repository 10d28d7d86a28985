"""An answer that broke off goes on elsewhere: at every token, in every way, no character twice and none missing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engines.routing.seams import Diverged, SkipBlank, SkipSaid
from app.errors import IncompleteAnswer
from tests.engines.routing.fault_server import DURING, FaultServer, answer_of, servers, tokens_of
from tests.engines.routing.parts import ask, engine

QUESTION = "灯塔 in the night"
WHOLE = answer_of(QUESTION)
TOKENS = len(tokens_of(WHOLE))


def cut_then_well(first: FaultServer, mode: str, at: int) -> None:
    first.mode, first.at, first.times = mode, at, 1


def knows(server: FaultServer, way: str) -> None:
    server.knows_ids = server.knows_completions = way == "tokens"
    server.knows_continue = way == "text"


@pytest.mark.parametrize("way", ["tokens", "text", "scratch"])
def test_cut_at_every_token(way: str) -> None:
    with servers(2) as two:
        for server in two:
            knows(server, way)
        for at in range(TOKENS):
            mode = DURING[at % len(DURING)]
            cut_then_well(two[0], "cut" if mode == "stall" else mode, at)
            told = ask(engine(two, None, default_route="a").chat_model(), QUESTION, temperature=0)
            assert told.is_whole(QUESTION), (way, at, told)
            assert told.names[:1] == ["a"] and len(told.names) == 2
            if answered_before(at):
                assert how(two[1].questions()[-1].body) == way, (way, at)


@pytest.mark.parametrize("burst", [2, 3, 5])
@pytest.mark.parametrize("temperature", [0, 0.7])
def test_cut_where_tokens_come_in_bursts_that_may_end_in_half_a_character(burst: int, temperature: float) -> None:
    with servers(2) as two:
        for server in two:
            server.burst = burst
        two[1].burst = 1
        for at in range(0, TOKENS, 3):
            cut_then_well(two[0], "cut", at)
            told = ask(engine(two, None, default_route="a").chat_model(), QUESTION, temperature=temperature)
            assert told.is_whole(QUESTION), (burst, at, told)


def answered_before(at: int) -> bool:
    return any(token.text.strip() for token in tokens_of(WHOLE)[:at])


def how(body: dict[str, Any]) -> str:
    if "prompt" in body:
        return "tokens"
    return "text" if body.get("continue_final_message") else "scratch"


@pytest.mark.parametrize("way", ["tokens", "text", "scratch"])
def test_cut_several_times(way: str) -> None:
    with servers(3) as three:
        for server in three:
            knows(server, way)
            server.mode, server.at, server.times = "reset", 9, 2
        told = ask(engine(three).chat_model(), QUESTION)
        assert told.is_whole(QUESTION), told


def test_white_space_that_a_template_takes_away_comes_once() -> None:
    with servers(2) as two:
        for server in two:
            knows(server, "text")
            server.trims = True
        for at in range(1, TOKENS):
            cut_then_well(two[0], "reset", at)
            routed = engine(two, None, default_route="a")
            told = ask(routed.chat_model(), QUESTION)
            assert told.is_whole(QUESTION), (at, told)


@pytest.mark.parametrize("way", ["tokens", "text"])
def test_with_a_temperature_too(way: str) -> None:
    with servers(2) as two:
        for server in two:
            knows(server, way)
        cut_then_well(two[0], "reset", 12)
        assert ask(engine(two, None, default_route="a").chat_model(), QUESTION, temperature=0.7).is_whole(QUESTION)


def test_what_no_server_can_go_on_with_is_incomplete() -> None:
    with servers(2) as two:
        for server in two:
            knows(server, "scratch")
        cut_then_well(two[0], "reset", 12)
        told = ask(engine(two, None, default_route="a").chat_model(), QUESTION, temperature=0.7)
        assert isinstance(told.error, IncompleteAnswer)
        assert len(two[1].questions()) == 0
        cut_then_well(two[0], "reset", 12)
        two[1].length = 41  # it says something else
        routed = engine([two[0], two[1]], None, default_route="a", params={"max_retries": 0, "max_tokens": 4000})
        told = ask(routed.chat_model(), "another question", temperature=0)
        assert told.error is None or answer_of("another question").startswith(told.text)


@pytest.mark.parametrize("option", [{"response_format": {"type": "json_object"}}, {"n": 2}, {"logprobs": True}])
def test_answers_that_must_be_in_one_piece(option: dict[str, Any]) -> None:
    with servers(2) as two:
        cut_then_well(two[0], "reset", 12)
        told = ask(engine(two, None, default_route="a").chat_model(), QUESTION, **option)
        assert isinstance(told.error, IncompleteAnswer)


def test_another_model_or_another_context_does_not_go_on() -> None:
    with FaultServer() as first, FaultServer(model="other") as other:
        routed = engine([first, other], None, default_route="a", more={"b": {"model": "other"}})
        first.gap = 0.02
        told = ask(routed.chat_model(), QUESTION, on_text=first.down)
        assert isinstance(told.error, IncompleteAnswer)
        assert other.questions() == []
        assert ask(routed.chat_model(), QUESTION).is_whole(QUESTION)  # but it answers from the beginning
    with FaultServer() as first, FaultServer(window=1024) as other:
        routed = engine([first, other], None, default_route="a")
        routed.check()
        first.gap = 0.02
        assert isinstance(ask(routed.chat_model(), QUESTION, on_text=first.down).error, IncompleteAnswer)


def test_stop_strings_go_by_the_text() -> None:
    with servers(2) as two:
        cut_then_well(two[0], "reset", 12)
        assert ask(engine(two, None, default_route="a").chat_model(), QUESTION, stop=["never"]).is_whole(QUESTION)
        assert how(two[1].questions()[-1].body) == "text"


def test_the_rest_has_what_is_left_of_the_length_and_the_tokens_are_counted_once() -> None:
    with servers(2) as two:
        cut_then_well(two[0], "reset", 12)
        chat = engine(two, None, default_route="a").chat_model()
        told = ask(chat, QUESTION, max_tokens=30)
        assert told.reason == "length"
        assert told.text == "".join(token.text for token in tokens_of(WHOLE)[:30])
        assert two[1].questions()[-1].body["max_tokens"] < 30
        assert told.usage is not None and told.usage[1] == 30
        whole = ask(chat, QUESTION, max_tokens=30)
        assert whole.usage is not None and whole.usage[1] == 30


def test_an_answer_that_lacks_its_end_mark_alone_is_at_its_length() -> None:
    with servers(2) as two:
        chat = engine(two, None, default_route="a").chat_model()
        limit = next(n for n in range(20, 40) if tokens_of(WHOLE)[n - 1].text)
        two[0].mode, two[0].at, two[0].times = "eof", limit, 1
        two[0].length = 40
        told = ask(chat, QUESTION, max_tokens=limit + 1)
        assert told.reason == "length" and told.error is None


def test_tokens_that_a_server_refuses_are_not_asked_for_again() -> None:
    with servers(2) as two:
        two[0].knows_ids = two[1].knows_ids = False
        chat = engine(two).chat_model()
        for number in range(6):
            told = ask(chat, f"q{number}")
            assert told.is_whole(f"q{number}") and len(told.names) == 1
        assert sum("return_token_ids" in asked.body for server in two for asked in server.questions()) == 2


# ---- seams

letters = st.text("ab \n灯", max_size=30)


def cuts(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in at)})
    return [text[a:b] for a, b in pairwise(places)]


@given(letters, letters, st.lists(st.integers(0, 60)))
def test_what_is_written_again_from_the_beginning_is_left_out(said: str, rest: str, at: list[int]) -> None:
    seam = SkipSaid(said)
    assert "".join(seam.feed(piece) for piece in cuts(said + rest, at)) == rest
    assert seam.passed
    seam.end()


@given(letters.filter(bool), letters, st.lists(st.integers(0, 60)))
def test_another_text_is_noticed(said: str, other: str, at: list[int]) -> None:
    if other.startswith(said):
        return
    seam = SkipSaid(said)
    with pytest.raises(Diverged):
        for piece in cuts(other, at):
            assert seam.feed(piece) == ""
        seam.end()


@given(st.text(" \n\t", max_size=6), letters, st.lists(st.integers(0, 40)), st.booleans())
@settings(max_examples=200)
def test_white_space_comes_once(blank: str, rest: str, at: list[int], again: bool) -> None:
    rest = f"x{rest}"
    seam = SkipBlank(blank)
    assert "".join(seam.feed(piece) for piece in cuts((blank if again else "") + rest, at)) == rest
