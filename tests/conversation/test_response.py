"""The response and the writing beneath it, through get_response, which is how anybody meets them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel

from app.conversation.response import Response
from app.conversation.writing import Request, Writer
from app.errors import EngineError, EngineTimeout, EngineUnavailable, IncompleteAnswer
from app.llm_utils import get_response
from app.schema import Message
from tests.conversation.parts import INSTALL, MEMORY, Given, Scripted, cuts

ANSWER = "It needs Python. [1] A model of seven billion parameters needs 16 GB of memory. [2]"


def ask(model: Scripted, question: str = "How much memory does it need?") -> Response:
    return get_response(question, retriever=Given(documents=[INSTALL, MEMORY]), llm=model, engine="e", model="m")


async def collect(response: Response) -> list[str]:
    return [piece async for piece in response]


def test_nothing_is_done_before_someone_listens() -> None:
    retriever = Given(documents=[INSTALL])
    model = Scripted(pieces=["x"])
    response = get_response("Why?", retriever=retriever, llm=model)
    assert (retriever.queries, model.seen) == ([], [])
    assert (response.answer.answer, response.complete, response.citations) == ("", False, ())
    assert response.timings.total_ms == 0
    response.wait()
    assert (retriever.queries, len(model.seen)) == (["Why?"], 1)


def test_afterwards_the_answer_is_whole() -> None:
    response = ask(Scripted(pieces=["It needs Python. [1]", ANSWER[20:]]))
    assert list(response) == ["It needs Python. [1]", ANSWER[20:]]
    answer = response.answer
    assert (answer.answer, answer.engine, answer.model) == (ANSWER, "e", "m")
    assert (answer.complete, answer.refused, answer.query) == (True, False, "How much memory does it need?")
    assert [(c.n, c.supported) for c in response.citations] == [(1, None), (2, True)]
    assert answer.citations[1].text == "A model of seven billion\nparameters needs 16 GB of memory."
    timings = response.timings
    assert timings.ttft_ms is not None and 0 < timings.retrieval_ms <= timings.ttft_ms <= timings.total_ms
    time.sleep(0.01)
    assert response.timings == timings and response.wait() is response.answer


def test_passages_are_known_before_the_first_word() -> None:
    response = ask(Scripted(pieces=["One", "two"]))
    for _ in response:
        assert [passage.doc for passage in response.passages] == ["install.md", "memory.md"]
        assert not response.complete


def test_a_second_reading_repeats_the_first_without_the_engine() -> None:
    model = Scripted(pieces=["One ", "two"])
    response = ask(model)
    assert list(response) == list(response) == ["One ", "two"]
    assert asyncio.run(collect(response)) == ["One ", "two"]
    assert len(model.seen) == 1


def test_who_leaves_early_stops_the_engine() -> None:
    model = Scripted(pieces=["One ", "two ", "three"])
    response = ask(model)
    for piece in response:
        if piece == "two ":
            break
    gc.collect()
    assert model.closed == [2]
    answer = response.answer
    assert (answer.answer, answer.complete) == ("One two ", False)
    assert list(response) == ["One ", "two "] and response.answer is answer


def test_close_before_the_start_and_after_the_end() -> None:
    unread = ask(Scripted(pieces=["x"]))
    unread.close()
    assert list(unread) == [] and not unread.complete
    read = ask(Scripted(pieces=["x"]))
    list(read)
    read.close()
    assert read.complete


def test_stop_from_another_thread_does_not_wait_for_the_engine() -> None:
    model = Scripted(pieces=["One ", "two ", "three"], pause=0.3)
    response = ask(model)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(response))
    reader.start()
    while not response.answer.answer:
        time.sleep(0.01)
    began = time.perf_counter()
    response.close()
    assert time.perf_counter() - began < 0.2
    assert (response.answer.answer, response.complete) == ("One ", False)
    reader.join(5)
    assert not reader.is_alive() and got == ["One "]
    assert model.closed == [2]  # the word that was waited for is the last, and nobody sees it
    assert response.answer.answer == "One "


def test_several_threads_read_the_same() -> None:
    model = Scripted(pieces=list("abcdefgh"), pause=0.005)
    response = ask(model)
    heard: list[list[str]] = []
    readers = [threading.Thread(target=lambda: heard.append(list(response))) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(10)
    assert heard == [list("abcdefgh")] * 4 and len(model.seen) == 1 and response.complete


def test_an_event_loop_gets_the_same_answer() -> None:
    response = ask(Scripted(pieces=[ANSWER]))
    answer = asyncio.run(response.wait_async())
    assert (answer.answer, answer.complete) == (ANSWER, True)
    assert [(c.n, c.supported) for c in answer.citations] == [(1, None), (2, True)]
    assert list(response) == [ANSWER]


def test_an_event_loop_may_stop_early() -> None:
    model = Scripted(pieces=["One ", "two ", "three"])
    response = ask(model)

    async def leave() -> None:
        async for _ in response:
            break
        await response.aclose()

    asyncio.run(leave())
    assert model.closed == [1]
    assert (response.answer.answer, response.complete) == ("One ", False)


def test_an_unfinished_response_is_read_in_one_way() -> None:
    response = ask(Scripted(pieces=["One ", "two"]))

    async def both() -> None:
        async for piece in response:
            if piece == "One ":
                with pytest.raises(RuntimeError, match="event loop"):
                    list(response)

    asyncio.run(both())
    assert response.complete and list(response) == ["One ", "two"]
    other = ask(Scripted(pieces=["One ", "two"]))
    pieces = iter(other)
    assert next(pieces) == "One "
    with pytest.raises(RuntimeError, match="thread"):
        asyncio.run(collect(other))
    assert list(pieces) == ["two"] and other.complete


@pytest.mark.parametrize("error", [IncompleteAnswer("It broke off."), EngineTimeout("Nothing came.")])
def test_an_answer_that_breaks_off_keeps_its_text(error: Exception) -> None:
    for response in (ask(Scripted(pieces=["One [1]"], error=error)), ask(Scripted(pieces=["One [1]"], error=error))):
        assert list(response) == ["One [1]"]
        assert not response.complete and response.error is error
        assert response.answer.answer == "One [1]" and response.citations[0].n == 1
    later = ask(Scripted(pieces=["One"], error=error))
    assert asyncio.run(collect(later)) == ["One"] and later.error is error


@pytest.mark.parametrize("pieces", [[], ["<think>half a thought"]])
def test_an_error_before_the_first_word_is_the_readers(pieces: list[str]) -> None:
    response = ask(Scripted(pieces=pieces, error=EngineUnavailable("Not running.")))
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="Not running"):
            list(response)
    assert not response.complete and response.answer.answer == "" and response.citations == ()
    assert response.timings.ttft_ms is None
    with pytest.raises(EngineUnavailable):
        asyncio.run(ask(Scripted(error=EngineUnavailable("Not running."))).wait_async())


def test_a_foreign_error_passes_through_and_leaves_a_consistent_answer() -> None:
    response = ask(Scripted(pieces=["One"], error=ValueError("foreign")))
    with pytest.raises(ValueError, match="foreign"):
        list(response)
    assert response.answer.answer == "One" and not response.complete


def line(*writers: Writer) -> tuple[Callable[[EngineError], Writer | None], list[EngineError]]:
    """A fallback that gives ``writers`` one by one, and the errors that it was told."""
    waiting, errors = list(writers), list[EngineError]()

    def following(error: EngineError) -> Writer | None:
        errors.append(error)
        return waiting.pop(0) if waiting else None

    return following, errors


def request(first: BaseChatModel, fallback: Callable[[EngineError], Writer | None], *history: Message) -> Request:
    return Request(
        "and the memory?",
        history,
        lambda: Given(documents=[INSTALL, MEMORY]),
        lambda: Writer(first, "first", "f", 450),
        fallback,
    )


@pytest.mark.parametrize("pieces", [[], ["<think>half a thought"]])
@pytest.mark.parametrize("in_a_loop", [False, True])
def test_another_engine_takes_over_before_the_first_word(pieces: list[str], in_a_loop: bool) -> None:
    fallback, errors = line(
        Writer(Scripted(error=EngineTimeout("Slow.")), "second"), Writer(Scripted(pieces=["Yes. [2]"]), "third", "t")
    )
    response = Response(request(Scripted(pieces=pieces, error=EngineUnavailable("Gone.")), fallback))
    answer = asyncio.run(response.wait_async()) if in_a_loop else response.wait()
    assert (answer.answer, answer.engine, answer.model, answer.complete) == ("Yes. [2]", "third", "t", True)
    assert [str(error) for error in errors] == ["Gone.", "Slow."]
    assert len(response.passages) == 2  # the first engine's window had room for fewer
    assert response.error is None


def test_nobody_takes_over_from_an_engine_that_has_spoken() -> None:
    fallback, errors = line(Writer(Scripted(pieces=["x"]), "second"))
    response = Response(request(Scripted(pieces=["One"], error=IncompleteAnswer("It broke off.")), fallback))
    assert response.wait().engine == "first" and not response.complete and errors == []


def test_when_nobody_is_left_the_last_error_is_the_readers() -> None:
    fallback, _ = line(Writer(Scripted(error=EngineTimeout("Slow.")), "second"))
    with pytest.raises(EngineTimeout, match="Slow"):
        Response(request(Scripted(error=EngineUnavailable("Gone.")), fallback)).wait()


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_an_engine_that_is_gone_when_it_shall_rewrite_is_not_waited_for_again(in_a_loop: bool) -> None:
    gone = Scripted(reply_error=EngineTimeout("Slow."), pieces=["unwanted"])
    fallback, _ = line(Writer(Scripted(pieces=["Yes. [2]"]), "second"))
    response = Response(request(gone, fallback, Message("user", "What does Hotswap need?")))
    answer = asyncio.run(response.wait_async()) if in_a_loop else response.wait()
    assert (answer.engine, len(gone.seen)) == ("second", 1)
    assert answer.query.startswith("What does Hotswap need? and the memory?")


@pytest.mark.parametrize("pieces", [[], ["", " \n"], ["<think>only thoughts</think>"]])
def test_an_answer_without_a_word_is_an_error(pieces: list[str]) -> None:
    with pytest.raises(IncompleteAnswer, match="without a word"):
        ask(Scripted(pieces=pieces)).wait()


def test_an_answer_cut_at_its_length_is_incomplete_and_says_why() -> None:
    response = ask(Scripted(pieces=["One"], finish_reason="length"))
    assert list(response) == ["One"]
    assert not response.complete and "max_tokens" in str(response.error)


def test_thinking_is_not_shown() -> None:
    response = ask(Scripted(pieces=["<thi", "nk>Hmm [2].</th", "ink>\n\n", "Short. [1]"]))
    assert list(response) == ["Short. [1]"]
    assert [citation.n for citation in response.citations] == [1]
    tag = ask(Scripted(pieces=["<thin"]))
    assert list(tag) == ["<thin"] and tag.complete


@given(st.lists(st.integers(0, 12), max_size=12))
def test_any_way_of_streaming_gives_the_same_answer(sizes: list[int]) -> None:
    whole = ask(Scripted(pieces=[f"<think>well [1]</think>\n{ANSWER}"])).wait()
    response = ask(Scripted(pieces=cuts(f"<think>well [1]</think>\n{ANSWER}", sizes)))
    assert "".join(response) == whole.answer == ANSWER
    assert response.citations == whole.citations
