"""Readers who each hold a conversation: every question comes after the real answers to those before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from app.benchmark.loading.asking import PATIENCE, Asker, OnSample
from app.benchmark.loading.loops import noting, together

if TYPE_CHECKING:
    from app.benchmark.comparisons.prompt_source import Follow
    from app.benchmark.loading.clock import Clock
    from app.benchmark.prompts import Length, Prompt
    from app.benchmark.sample import Sample
    from app.benchmark.target import Target


async def conversations(
    target: Target,
    prompts: Sequence[Prompt],
    *,
    readers: int,
    turns: int,
    length: Length,
    clock: Clock,
    follow: Follow,
    on_sample: OnSample = lambda sample, text: None,
    patience: float = PATIENCE,
) -> list[Sample]:
    """``readers`` conversations at once, each over ``turns`` consecutive ones of ``prompts``.

    Who gets no whole answer leaves: what would come after it is another conversation. Otherwise as ``closed_loop``.
    """
    samples: list[Sample] = []
    heard: dict[str, tuple[Sample, str]] = {}  # by the prompt's id, which is told apart by reader and turn

    def took(sample: Sample, text: str) -> None:
        heard[sample.prompt] = sample, text
        on_sample(sample, text)

    asker = Asker(target, length, clock, noting(samples, took), patience=patience)

    async def hold(reader: int) -> None:
        said = prompts[reader * turns : (reader + 1) * turns]
        answers: list[str] = []
        for turn in range(turns):
            name = f"{said[turn].id} ({reader + 1}.{turn + 1})"
            await asker.ask(replace(said[turn], id=name, messages=follow(said[: turn + 1], answers)), clock.now())
            sample, text = heard.pop(name)
            if not sample.ok:
                return
            answers.append(text)

    async with together(asker) as group:
        for reader in range(readers):
            group.create_task(hold(reader))
    return sorted(samples, key=lambda sample: sample.index)
