"""The response and the writing beneath it, through get_response, which is how anybody meets them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from app.conversation.request import Request, Writer
from app.conversation.response import Response
from app.errors import ContextTooLong, EngineError, EngineTimeout, EngineUnavailable, IncompleteAnswer
from app.llm_utils import get_response
from app.schema import Answer, Message
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


class Narrow(Scripted):
    """Takes ``takes`` characters, which nobody is told."""

    takes: int

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self._weigh(messages)
        yield from super()._stream(messages, *args, **kwargs)

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self._weigh(messages)
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk

    def _weigh(self, messages: list[BaseMessage]) -> None:
        if sum(len(message.text) for message in messages) > self.takes:
            self.seen.append(messages)
            raise ContextTooLong("Too many tokens.", "Ask less.")


def whole(response: Response, in_a_loop: bool) -> Answer:
    return asyncio.run(response.wait_async()) if in_a_loop else response.wait()


FOUND = [
    Document(f"Passage {number} tells of towers. " + "It goes on. " * 20, metadata={"doc": f"{number}.md"})
    for number in range(1, 9)
]
SAID = [("user", "Which towers are there? " * 5), ("assistant", "There are many towers. " * 20)]


@pytest.mark.parametrize("in_a_loop", [False, True])
@pytest.mark.parametrize("takes", [1900, 2300, 2700])
def test_a_prompt_that_was_too_long_after_all_is_tried_shorter(takes: int, in_a_loop: bool) -> None:
    model = Narrow(takes=takes, pieces=["Here [1]. There [8]."], reply="Where are the towers?")
    response = get_response("Where are they?", SAID, retriever=Given(documents=FOUND), llm=model)
    answer = whole(response, in_a_loop)
    assert answer.complete and response.error is None
    prompts = [prompt for prompt in model.seen if "passages" in prompt[-1].additional_kwargs]
    told = prompts[-1][-1].additional_kwargs["passages"]
    sizes = [sum(len(message.text) for message in prompt) for prompt in prompts]
    assert sizes == sorted(set(sizes), reverse=True) and len(sizes) > 1
    assert all("Where are they?" in prompt[-1].text for prompt in prompts)
    # what can be cited is what stood in the last prompt, no more
    assert [passage.doc for passage in response.passages] == [data["doc"] for data in told]
    assert 0 < len(told) < 8
    assert [(citation.n, citation.doc) for citation in answer.citations] == [(1, "1.md")]


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_plain_chat_leaves_its_oldest_turns_out(in_a_loop: bool) -> None:
    model = Narrow(takes=1000, pieces=["Yes."])
    response = get_response("Still there?", SAID * 3, documents=False, llm=model)
    assert whole(response, in_a_loop).answer == "Yes."
    assert len(model.seen[-1]) < len(model.seen[0]) and model.seen[-1][-1].text == "Still there?"


@pytest.mark.parametrize("in_a_loop", [False, True])
@pytest.mark.parametrize(("documents", "tries"), [(True, 5), (False, 1)])
def test_where_no_prompt_is_short_enough_the_engine_says_why(documents: bool, tries: int, in_a_loop: bool) -> None:
    model = Narrow(takes=10)
    retriever = Given(documents=FOUND) if documents else None
    response = get_response("Where are they?", retriever=retriever, documents=documents, llm=model)
    with pytest.raises(ContextTooLong, match="Too many tokens"):
        whole(response, in_a_loop)
    assert len(model.seen) == tries


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_who_takes_over_from_too_narrow_a_model_gets_all_that_fits(in_a_loop: bool) -> None:
    fallback, errors = line(Writer(Scripted(pieces=["Yes. [2]"]), "second"))
    response = Response(request(Narrow(takes=10), fallback))
    assert whole(response, in_a_loop).engine == "second"
    assert len(response.passages) == 2 and [type(error) for error in errors] == [ContextTooLong]


def test_a_question_beyond_the_window_is_not_tried_at_all() -> None:
    model = Narrow(takes=10)
    with pytest.raises(ContextTooLong, match="too few for this question"):
        get_response("why? " * 3000, documents=False, llm=model, context_window=2048).wait()
    assert model.seen == []


def test_a_model_that_has_spoken_is_not_asked_again() -> None:
    response = ask(Scripted(pieces=["One"], error=ContextTooLong("Full.")))
    assert response.wait().answer == "One"
    assert isinstance(response.error, ContextTooLong)


class Kept:
    """Writers that are kept open until they are released."""

    def __init__(self) -> None:
        self.released: list[str] = []

    def writer(self, llm: BaseChatModel, name: str) -> Writer:
        return Writer(llm, name, context_window=450, release=lambda: self.released.append(name))

    def request(self, *writers: Writer) -> Request:
        fallback, _ = line(*writers[1:])
        return replace(request(Scripted(), fallback), writer=lambda: writers[0])


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_a_writer_is_released_when_it_writes_no_more(in_a_loop: bool) -> None:
    kept = Kept()
    gone, good = Scripted(error=EngineUnavailable("Gone.")), Scripted(pieces=["One ", "two"])
    response = Response(kept.request(kept.writer(gone, "first"), kept.writer(good, "second")))
    assert whole(response, in_a_loop).engine == "second"
    assert kept.released == ["first", "second"]
    alone = Response(kept.request(kept.writer(gone, "third")))
    with pytest.raises(EngineUnavailable):
        whole(alone, in_a_loop)
    assert kept.released == ["first", "second", "third"]


def test_a_writer_is_released_when_its_reader_leaves() -> None:
    kept = Kept()
    response = Response(kept.request(kept.writer(Scripted(pieces=["One ", "two"]), "first")))
    for _ in response:
        assert kept.released == []
        break
    gc.collect()
    assert kept.released == ["first"]


def test_a_writer_that_comes_after_its_reader_has_left_is_released_at_once() -> None:
    kept, arriving, gone = Kept(), threading.Event(), threading.Event()

    def late() -> Writer:
        arriving.set()
        gone.wait(5)
        return kept.writer(Scripted(pieces=["x"]), "late")

    async def leave() -> None:
        reader = asyncio.ensure_future(response.wait_async())
        await asyncio.to_thread(arriving.wait, 5)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert kept.released == []
        gone.set()

    response = Response(replace(kept.request(kept.writer(Scripted(), "unused")), writer=late))
    asyncio.run(leave())
    assert kept.released == ["late"]
