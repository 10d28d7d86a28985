"""Readers hold conversations: each question comes after the real answers, and whoever gets none leaves."""

from __future__ import annotations

import asyncio

from app.benchmark.comparisons.conversations import conversations
from app.benchmark.comparisons.prompt_source import carry_on
from app.benchmark.loading.clock import RealClock
from app.benchmark.prompts import Length, Prompt
from app.benchmark.sample import Sample
from app.benchmark.target import Hearing, TargetFault
from tests.benchmark.parts import FakeTarget, prompts, say


def hold(target: FakeTarget, readers: int, turns: int) -> list[Sample]:
    return asyncio.run(
        conversations(
            target, prompts(readers * turns), readers=readers, turns=turns, length=Length(8), clock=RealClock(),
            follow=carry_on,
        )
    )  # fmt: skip


def answering(heard: dict[str, list[str]], failing: str = "") -> FakeTarget:
    def say(prompt: Prompt, hearing: Hearing) -> None:
        said = [message["content"] for message in prompt.messages]
        heard[prompt.id] = said
        if failing and failing in said[-1]:
            raise TargetFault("refused", "Not now.")
        hearing.piece(f"answer to {said[-1]}")
        hearing.usage(9, 1)
        hearing.finish_reason = "stop"

    return FakeTarget(say)


def test_every_turn_has_the_real_answers_before_it() -> None:
    heard: dict[str, list[str]] = {}
    samples = hold(answering(heard), readers=2, turns=3)

    assert len(samples) == 6 and all(sample.ok for sample in samples)
    one, two, three = ("What is number 4?", "What is number 5?", "What is number 6?")
    assert heard["6 (2.3)"] == [one, f"answer to {one}", two, f"answer to {two}", three]
    assert [sample.index for sample in samples] == list(range(6))


def test_all_readers_ask_at_once() -> None:
    async def slowly(hearing: Hearing) -> None:
        await asyncio.sleep(0)
        say(hearing)

    target = FakeTarget(lambda prompt, hearing: slowly(hearing))
    hold(target, readers=5, turns=2)

    assert (target.most_at_once, len(target.lengths)) == (5, 10)


def test_who_gets_no_answer_leaves_and_the_others_go_on() -> None:
    samples = hold(answering({}, failing="number 2?"), readers=2, turns=3)

    assert [sample.prompt for sample in samples if not sample.ok] == ["2 (1.2)"]
    assert sorted(sample.prompt for sample in samples if sample.ok) == [
        "1 (1.1)", "4 (2.1)", "5 (2.2)", "6 (2.3)"
    ]  # fmt: skip
