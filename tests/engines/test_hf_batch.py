"""Answers written together are the answers that each would get alone, whoever comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    Qwen3MoeConfig,
    Qwen3NextConfig,
)

from app.engines.hf_answer import Answer, Vocabulary
from app.engines.hf_batch import Batch, can_batch
from app.engines.hf_sampling import Sampler
from app.engines.hf_solo import Solo
from app.engines.local_chat import Piece, Sampling
from app.errors import OutOfMemory

PLAIN = GenerationConfig()  # type: ignore[no-untyped-call]
LONGEST = 12  # tokens of an answer
WORDS = Vocabulary(lambda ids: "".join(f"{token} " for token in ids), frozenset())
SHAPE: dict[str, Any] = {
    "vocab_size": 200,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
GPT2 = GPT2Config(
    vocab_size=200, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3, bos_token_id=None, eos_token_id=None
)
KINDS = {
    "all tokens": LlamaConfig(**SHAPE),
    "the last tokens": MistralConfig(**SHAPE, sliding_window=6),
    "both": Gemma3TextConfig(**SHAPE, head_dim=8, sliding_window=6),
    "experts": Qwen3MoeConfig(**SHAPE, head_dim=8, **EXPERTS),
    "learned positions": GPT2,
}


def build(config: Any) -> Any:
    torch.manual_seed(1)
    return AutoModelForCausalLM.from_config(config).float().eval()


def prompts(count: int) -> list[list[int]]:
    return [torch.randint(1, 200, (1 + 11 * number % 40,)).tolist() for number in range(count)]


def alone(model: Any, prompt: list[int], tokens: int = LONGEST) -> list[int]:
    ids = torch.tensor([prompt])
    found = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, pad_token_id=0
    )
    return [int(token) for token in found[0, len(prompt) :]]


def answer(prompt: list[int], tokens: int = LONGEST, *, vocabulary: Vocabulary = WORDS, **sampling: Any) -> Answer:
    wanted = Sampling(**{"temperature": 0.0, "top_p": 1.0, "max_tokens": tokens, **sampling})
    return Answer(prompt, tokens, wanted, vocabulary)


def read(given: Answer) -> list[Piece]:
    found = []
    while piece := given.feed.next(0):
        found.append(piece)
    return found


def said(given: Answer) -> list[int]:
    return [int(word) for piece in read(given) for word in piece.text.split()]


def run(batch: Batch | Solo) -> None:
    while batch.answers:
        batch.step()


@dataclass(frozen=True)
class Reader:
    """Asks ``prompt`` after ``pause`` steps, for ``tokens`` tokens, and leaves once ``patience`` steps have gone by."""

    prompt: int
    pause: int
    tokens: int
    patience: int


READERS = st.builds(Reader, st.integers(0, 7), st.integers(0, 5), st.integers(1, LONGEST), st.integers(3, 30))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """So small a model is slowed down by several threads, on a busy machine tenfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> Any:
    return build(KINDS["all tokens"])


@pytest.fixture(scope="module")
def known(model: Any) -> list[tuple[list[int], list[int]]]:
    """Prompts and what the model answers to each alone."""
    torch.manual_seed(2)
    return [(prompt, alone(model, prompt)) for prompt in prompts(8)]


@settings(max_examples=60)
@given(readers=st.lists(READERS, min_size=1, max_size=6), limit=st.integers(1, 5), stride=st.integers(3, 40))
def test_whoever_comes_and_goes_each_gets_what_the_model_says_alone(
    model: Any, known: list[tuple[list[int], list[int]]], readers: list[Reader], limit: int, stride: int
) -> None:
    batch = Batch(model, limit=limit, stride=stride)
    waiting, inside = list(readers), list[tuple[Reader, Answer, int]]()
    pause = 0
    while waiting or batch.answers:
        if waiting and pause >= waiting[0].pause and not batch.full:
            reader = waiting.pop(0)
            inside.append((reader, answer(known[reader.prompt][0], reader.tokens), 0))
            batch.add(inside[-1][1])
            pause = 0
        batch.step()
        pause += 1
        for place, (reader, given_answer, steps) in enumerate(inside):
            inside[place] = (reader, given_answer, steps + 1)
            if steps + 1 == reader.patience and not given_answer.ended:
                given_answer.feed.close()

    for reader, given_answer, _ in inside:
        prompt, whole = known[reader.prompt]
        written = given_answer.ids[len(prompt) :]
        assert written == whole[: len(written)]
        if given_answer.left:
            assert given_answer.ended  # left early
        else:
            assert written == whole[: reader.tokens]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_attention_gives_the_answers_that_it_gives_alone(kind: str) -> None:
    model = build(KINDS[kind])
    assert can_batch(model)
    asked = prompts(6)
    batch = Batch(model, limit=4, stride=16)
    answers = [answer(prompt, tokens) for prompt, tokens in zip(asked, (3, 12, 9, 12, 1, 7), strict=True)]
    for given_answer in answers:
        while batch.full:
            batch.step()
        batch.add(given_answer)
        batch.step()
    run(batch)

    for prompt, given_answer in zip(asked, answers, strict=True):
        assert said(given_answer) == alone(model, prompt, given_answer.room)


@pytest.mark.parametrize(
    "config",
    [
        MambaConfig(vocab_size=200, hidden_size=32, num_hidden_layers=2, bos_token_id=None, eos_token_id=None),
        Qwen3NextConfig(**{**SHAPE, "num_hidden_layers": 4}, head_dim=8, **EXPERTS),
    ],
    ids=["mamba", "hybrid"],
)
def test_a_model_with_a_state_of_another_kind_is_not_batched_and_answers_one_by_one(config: Any) -> None:
    model = build(config)
    assert not can_batch(model)
    prompt = prompts(2)[1]
    solo = Solo(model, ends=frozenset())
    given_answer = answer(prompt, 8)
    solo.add(given_answer)
    assert solo.full
    run(solo)

    assert said(given_answer) == alone(model, prompt, 8)


def test_an_answer_says_how_it_ended_and_what_it_took(model: Any, known: list[tuple[list[int], list[int]]]) -> None:
    prompt, whole = known[1]
    end = next(token for token in whole if token != whole[0])
    before = whole.index(end)
    batch = Batch(model, limit=2, stride=64)
    short, stopped = answer(prompt, 5), answer(prompt, vocabulary=Vocabulary(WORDS.decode, frozenset({end, 7_000})))
    batch.add(short)
    batch.add(stopped)
    run(batch)

    assert read(short)[-1] == Piece(f"{whole[4]} ", "length", len(prompt), 5)
    assert read(stopped)[-1] == Piece("", "stop", len(prompt), before + 1)


def test_a_reader_who_leaves_makes_room_within_one_step(model: Any, known: list[tuple[list[int], list[int]]]) -> None:
    batch = Batch(model, limit=2, stride=64)
    leaving, staying = answer(known[3][0]), answer(known[1][0])
    batch.add(leaving)
    batch.add(staying)
    batch.step()
    assert batch.full
    leaving.feed.close()
    batch.step()

    assert batch.answers == [staying]
    assert len(leaving.ids) == len(known[3][0]) + 1
    run(batch)
    assert said(staying) == known[1][1]


def test_a_reader_who_leaves_before_its_prompt_is_read_costs_nothing(
    model: Any, known: list[tuple[list[int], list[int]]]
) -> None:
    batch = Batch(model, limit=2, stride=2)
    leaving, staying = answer(known[3][0]), answer(known[1][0])
    batch.add(leaving)
    batch.add(staying)
    batch.step()
    leaving.feed.close()
    run(batch)

    assert leaving.ids == known[3][0]
    assert said(staying) == known[1][1]


def test_a_long_prompt_does_not_keep_the_others_waiting(model: Any, known: list[tuple[list[int], list[int]]]) -> None:
    batch = Batch(model, limit=2, stride=4)
    quick = answer(known[0][0])
    batch.add(quick)
    batch.step()
    batch.add(answer(known[7][0] * 4))
    written = len(quick.ids)
    for _ in range(5):
        batch.step()

    assert len(quick.ids) == written + 5


def test_when_memory_runs_out_the_longest_answer_ends_and_the_others_go_on(
    model: Any, known: list[tuple[list[int], list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch(model, limit=3, stride=100)
    asked = (1, 3, 2)
    answers = [answer(known[number][0]) for number in asked]
    longest = answers[1]
    for given_answer in answers:
        batch.add(given_answer)
    forward, room = model.forward, 2

    def cramped(input_ids: torch.Tensor, **options: Any) -> Any:
        if len(input_ids) > room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(model, "forward", cramped)
    batch.step()
    with pytest.raises(RuntimeError):
        batch.step()
    batch.fail(OutOfMemory("There is too little memory."))
    run(batch)

    assert len(longest.feed.next(0).text.split()) == 1  # type: ignore[union-attr]
    with pytest.raises(OutOfMemory):
        longest.feed.next(0)
    for number, given_answer in zip(asked, answers, strict=True):
        assert given_answer is longest or said(given_answer) == known[number][1]


@pytest.mark.parametrize("options", [{"temperature": 1e-9}, {"temperature": 1.5, "top_p": 1e-6}])
def test_no_temperature_or_a_tiny_top_p_takes_the_likeliest_token(options: dict[str, float]) -> None:
    logits = torch.randn(4, 50)
    answers = [answer([1, 2], **options) for _ in range(4)]

    assert Sampler(PLAIN).choose(logits, answers) == logits.argmax(dim=-1).tolist()


def test_temperature_varies_the_words_and_top_p_cuts_the_unlikely_ones() -> None:
    logits = torch.tensor([[4.0, 3.5, 3.0, -2.0]] * 400)
    sampler = Sampler(PLAIN)
    warm = sampler.choose(logits, [answer([1], temperature=1.0)] * 400)
    hot = sampler.choose(logits, [answer([1], temperature=50.0)] * 400)
    cut = sampler.choose(logits, [answer([1], temperature=50.0, top_p=0.5)] * 400)

    assert warm.count(0) > warm.count(1) > warm.count(2) > warm.count(3)
    assert min(map(hot.count, range(4))) > 50
    assert set(cut) == {0, 1}
