"""Engines as targets: real transformers, Ollama's recorded answers, and every fault that an engine can have."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from app.benchmark.engine_target import EngineTarget, has_fixed_length
from app.benchmark.prompts import Length, Prompt
from app.benchmark.target import Hearing, TargetFault
from app.config import load_settings
from app.engines.extractive import ExtractiveEngine
from app.engines.feed import Feed
from app.engines.hf import HfEngine
from app.engines.local_chat import LocalChatModel, Piece, Sampling, Turns
from app.engines.ollama import OllamaEngine
from app.engines.registry import ORDER
from app.engines.vllm_openai import VllmOpenAIEngine
from app.errors import (
    ContextTooLong,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    IncompleteAnswer,
    ModelDamaged,
    ModelMissing,
    OutOfMemory,
)
from app.schema import EngineStatus
from tests.engines.fakes import FakeChat, World
from tests.engines.hf_models import lively
from tests.engines.servers import Server, chunked, json_reply, recorded, unused_url
from tests.engines.tiny_model import SAYS, make

ASKED = Prompt("p", ({"role": "system", "content": "Answer."}, {"role": "user", "content": "灯塔在哪里？"}))
CHAT = "POST /api/chat"


def heard(target: EngineTarget, length: Length, prompt: Prompt = ASKED) -> Hearing:
    """The whole answer."""
    hearing = Hearing(time.perf_counter)
    asyncio.run(target.answer(prompt, length, hearing))
    return hearing


def fault(target: EngineTarget, length: Length | None = None, prompt: Prompt = ASKED) -> TargetFault:
    with pytest.raises(TargetFault) as caught:
        heard(target, length or Length(16), prompt)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is slowed down by several threads, on a busy machine tenfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def hf(folder: Path) -> HfEngine:
    engine = HfEngine(load_settings(hf_model_path=str(folder), hf_device="cpu", hf_dtype="float32", hf_max_batch=2))
    engine.load(lambda progress: None)
    return engine


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HfEngine]:
    """Much of what it says is a part of a character only."""
    engine = hf(lively(tmp_path_factory.mktemp("models") / "lively"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HfEngine]:
    engine = hf(make(tmp_path_factory.mktemp("models") / "speaker", says=SAYS))
    yield engine
    engine.close()


def test_every_token_of_a_real_engine_is_heard_when_it_comes(noisy: HfEngine) -> None:
    target = EngineTarget(noisy, "hf=lively")
    began = time.perf_counter()
    hearing = heard(target, Length(40))

    assert (target.name, target.model) == ("hf=lively", "lively")
    assert hearing.output_tokens == hearing.ids == len(hearing.times) == 40
    assert hearing.input_tokens is not None and hearing.input_tokens > 10
    assert 0 < hearing.pieces < 40, "tokens of half characters have no text"
    assert hearing.finish_reason == "length" and not hearing.late
    assert began < hearing.times[0] < hearing.times[-1]
    assert sorted(hearing.times) == hearing.times


def test_a_fixed_length_goes_past_the_end_mark_and_another_ends_there(speaker: HfEngine) -> None:
    target = EngineTarget(speaker)
    fixed, free = heard(target, Length(60)), heard(target, Length(60, fixed=False))

    assert fixed.text.startswith(SAYS) and free.text == SAYS
    assert (fixed.output_tokens, fixed.finish_reason) == (60, "length")
    assert free.finish_reason == "stop"
    assert free.output_tokens == free.ids == len(free.times) < 60
    assert len(fixed.times) == 60, "past its end, where tokens may be no text, they are heard all the same"


def test_several_are_heard_at_once(noisy: HfEngine) -> None:
    async def all_of_them() -> list[Hearing]:
        target, hearings = EngineTarget(noisy), [Hearing(time.perf_counter) for _ in range(4)]
        await asyncio.gather(*(target.answer(ASKED, Length(20 + at), each) for at, each in enumerate(hearings)))
        await target.close()
        return hearings

    assert [hearing.output_tokens for hearing in asyncio.run(all_of_them())] == [20, 21, 22, 23]


def test_who_is_cancelled_leaves_the_engine_nothing_to_do(noisy: HfEngine) -> None:
    async def leave() -> Hearing:
        hearing = Hearing(time.perf_counter)
        reading = asyncio.create_task(EngineTarget(noisy).answer(ASKED, Length(1900), hearing))
        while not hearing.times:
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        return hearing

    hearing = asyncio.run(leave())
    assert noisy._running is not None
    writer = noisy._running._worker._writer
    end = time.monotonic() + 60
    while any(not answer.ended for answer in writer.answers):
        assert time.monotonic() < end, "the engine writes on for nobody"
        time.sleep(0.01)
    assert len(hearing.times) < 1900 and hearing.output_tokens is None


def test_a_prompt_beyond_the_window_is_too_long(noisy: HfEngine) -> None:
    assert (
        fault(EngineTarget(noisy), prompt=Prompt("p", ({"role": "user", "content": "灯塔" * 4000},))).kind == "too_long"
    )


def test_a_closed_engine_is_a_refusal(tmp_path: Path) -> None:
    engine = hf(make(tmp_path / "closed"))
    target = EngineTarget(engine)
    engine.close()

    assert fault(target).kind == "refused"


def test_an_engine_that_is_not_loaded_is_loaded_by_the_first_question(tmp_path: Path) -> None:
    engine = HfEngine(load_settings(hf_model_path=str(make(tmp_path / "late")), hf_device="cpu"))
    try:
        assert heard(EngineTarget(engine), Length(3)).output_tokens == 3
    finally:
        engine.close()
    assert fault(EngineTarget(HfEngine(load_settings(hf_model_path=str(tmp_path / "no"))))).kind == "model_missing"


# Ollama, by what one really sent


def ollama(url: str) -> OllamaEngine:
    return OllamaEngine(load_settings(model="tiny", ollama_base_url=url, llm={"params": {"max_retries": 0}}))


@pytest.mark.parametrize(
    ("name", "input_tokens", "output_tokens", "reason"),
    [("chat_stream_warm", 9, 20, "stop"), ("chat_options", 14, 12, "length"), ("chat_stream_chinese", 17, 24, "stop")],
)
def test_ollamas_own_counts_hold_and_it_is_not_asked_for_what_it_lacks(
    name: str, input_tokens: int, output_tokens: int, reason: str
) -> None:
    with Server({**recorded("tags", "ps_loaded"), **recorded(name)}) as there:
        target = EngineTarget(ollama(there.url))
        hearing = heard(target, Length(20))
        body = there.asked(CHAT)[0].body

    assert (hearing.input_tokens, hearing.output_tokens, hearing.finish_reason) == (input_tokens, output_tokens, reason)
    assert 1 < hearing.pieces <= output_tokens and hearing.ids is None
    assert hearing.text and hearing.times[0] > 0
    assert (body["options"]["num_predict"], body["options"]["temperature"]) == (20, 0.0)
    assert not {"ignore_eos", "return_token_ids"} & (body.keys() | body["options"].keys())
    assert not target.has_fixed_length


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("runner_killed_midstream", "cut"),
        ("server_sigkill_midstream", "cut"),
        ("chat_loop_no_done_stream", "cut"),
        ("chat_missing_model", "model_missing"),
        ("chat_overlong_truncate_false_stream", "too_long"),
        ("queue_other_model_2", "refused"),
    ],
)
def test_what_went_wrong_with_ollama_is_told_by_its_kind(name: str, kind: str) -> None:
    with Server({**recorded("tags", "ps_loaded"), **recorded(name)}) as there:
        assert fault(EngineTarget(ollama(there.url))).kind == kind


def test_a_server_that_is_down_refuses() -> None:
    assert fault(EngineTarget(ollama(unused_url()))).kind == "refused"
    assert fault(EngineTarget(VllmOpenAIEngine(load_settings()))).kind == "refused"


# a server with OpenAI's API


def served(*events: dict[str, Any]) -> Server:
    lines = [f"data: {json.dumps({'model': 'tiny', **event})}\n\n" for event in events]
    chat = chunked("text/event-stream", [*lines, "data: [DONE]\n\n"])
    models = json_reply(200, {"data": [{"id": "tiny"}]})
    return Server({"POST /v1/chat/completions": chat, "GET /v1/models": models})


def word(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}


@pytest.mark.parametrize(("usage", "counts"), [((USAGE,), (7, 5)), ((), (None, None))])
def test_tokens_are_what_the_server_counted_and_never_the_pieces(
    usage: tuple[dict[str, Any], ...], counts: tuple[int | None, int | None]
) -> None:
    with served(word("The "), word("tower."), END, *usage) as there:
        hearing = heard(EngineTarget(VllmOpenAIEngine(load_settings(vllm_base_url=there.url))), Length(5))
        body = there.asked("POST /v1/chat/completions")[0].body

    assert (hearing.input_tokens, hearing.output_tokens) == counts
    assert (hearing.text, hearing.pieces, hearing.finish_reason) == ("The tower.", 2, "length")
    assert (body["ignore_eos"], body["max_tokens"], body["temperature"]) == (True, 5, 0.0)


# the engine without a model


def test_extractive_quotes_what_it_is_given_and_else_refuses() -> None:
    passages = [{"n": 1, "doc": "a.md", "heading": "", "text": "The tower is 40 m high."}]
    given: Any = {"role": "user", "content": "?", "additional_kwargs": {"question": "How high?", "passages": passages}}
    target = EngineTarget(ExtractiveEngine(load_settings()))

    assert fault(target).kind == "refused"
    assert heard(target, Length(64), Prompt("p", (given,))).text == "The tower is 40 m high. [1]"


# faults


class Scripted:
    """An engine that says ``pieces`` and then ends, or fails with ``error``."""

    name = "hf"
    in_process = takes_memory = loaded = True

    def __init__(self, *pieces: Piece, error: Exception | None = None) -> None:
        self.pieces, self.error = pieces, error
        self.asked: list[tuple[Turns, Sampling]] = []

    def check(self) -> EngineStatus:
        return EngineStatus(self.name, True, "tiny")

    def chat_model(self) -> LocalChatModel:
        return LocalChatModel(
            model_name="tiny", begin=self.begin, temperature=1.0, top_p=1.0, max_tokens=9, patience=0.2
        )

    def begin(self, said: Turns, sampling: Sampling) -> Feed[Piece]:
        self.asked.append((said, sampling))
        feed: Feed[Piece] = Feed(lambda: None)
        for piece in self.pieces:
            feed.put(piece)
        if not isinstance(self.error, EngineTimeout):  # whose writer says nothing at all
            feed.end(self.error)
        return feed


def scripted(*pieces: Piece, error: Exception | None = None) -> EngineTarget:
    engine: Any = Scripted(*pieces, error=error)
    return EngineTarget(engine)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EngineUnavailable("It is down.", "Start it."), "refused"),
        (ModelMissing("It is not there."), "model_missing"),
        (ModelDamaged("It is damaged."), "model_damaged"),
        (ContextTooLong("Too long."), "too_long"),
        (OutOfMemory("Too large."), "out_of_memory"),
        (EngineTimeout("Too slow."), "timeout"),
        (IncompleteAnswer("Broke off."), "cut"),
        (EngineError("Something else."), "refused"),
        (RuntimeError("nobody thought of this"), "refused"),
        (None, "refused"),  # it ends without a word
    ],
)
def test_each_fault_before_the_first_token_has_its_kind(error: Exception | None, kind: str) -> None:
    assert fault(scripted(error=error)).kind == kind


@pytest.mark.parametrize("error", [EngineUnavailable("It died."), EngineTimeout("It stands still."), None])
def test_what_ends_after_its_first_token_is_cut(error: Exception | None) -> None:
    target = scripted(Piece("The "), error=error)
    hearing = Hearing(time.perf_counter)
    with pytest.raises(TargetFault) as caught:
        asyncio.run(target.answer(ASKED, Length(16), hearing))

    assert caught.value.kind == "cut"
    assert (hearing.text, hearing.finish_reason, hearing.output_tokens) == ("The ", None, None)


def test_the_question_goes_in_as_it_is_and_is_asked_for_the_likeliest_tokens() -> None:
    engine: Any = Scripted(Piece("灯", ids=(3, 4)), Piece("", ids=(5,)), Piece("", "length", 9, 4, (6,)))
    hearing = heard(EngineTarget(engine), Length(4))

    assert engine.asked == [
        ([dict(turn) for turn in ASKED.messages], Sampling(0.0, 1.0, 4, ignore_eos=True, return_token_ids=True))
    ]
    assert (hearing.ids, hearing.pieces, len(hearing.times), hearing.text) == (4, 1, 3, "灯")


def test_an_answer_without_a_word_of_how_it_ended_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(words: Callable[[Any], Any]) -> EngineTarget:
        world = World()
        engine: Any = world.make("hf", load_settings())
        monkeypatch.setattr(FakeChat, "_stream", words)
        engine.load(lambda progress: None)
        return EngineTarget(engine)

    def some(self: Any, *args: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk("The "))

    def none(self: Any, *args: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(""))

    assert fault(build(some)).kind == "cut"
    assert fault(build(none)).kind == "empty"


def test_which_engines_have_fixed_lengths() -> None:
    assert {name for name in ORDER if has_fixed_length(name)} == {"hf", "vllm", "vllm_openai"}
