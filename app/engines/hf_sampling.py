"""Which token comes next, by transformers' own logits processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

if TYPE_CHECKING:
    from app.engines.hf_answer import Answer
    from app.engines.local_chat import Sampling

GREEDY_BELOW = 1e-5
"""Temperatures under it take the likeliest token, as in vLLM; dividing by less gives no numbers any more."""


class Sampler:
    """``config`` is the model's: its authors' repetition penalty and top_k hold, all else is what the reader asks."""

    def __init__(self, config: GenerationConfig) -> None:
        self._penalty = float(config.repetition_penalty or 1)
        self._top_k = int(config.top_k or 0)

    def choose(self, logits: torch.Tensor, answers: list[Answer]) -> list[int]:
        """The next token of each answer; ``logits`` is ``[answers, vocabulary]``."""
        found: list[int] = logits.argmax(dim=-1).tolist()
        return [self._choose(logits[row], answers[row], likeliest) for row, likeliest in enumerate(found)]

    def options(self, sampling: Sampling) -> dict[str, Any]:
        """The same choice in the words of ``generate``."""
        options: dict[str, Any] = {"do_sample": _draws(sampling), "repetition_penalty": self._penalty}
        if _draws(sampling):
            options |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": self._top_k}
        return options

    def _choose(self, logits: torch.Tensor, answer: Answer, likeliest: int) -> int:
        processors = self._processors(answer.sampling)
        if not processors:
            return likeliest
        ids = cast("torch.LongTensor", torch.tensor([answer.ids], device=logits.device))
        scores = processors(ids, cast("torch.FloatTensor", logits[None].float()))
        if not _draws(answer.sampling):
            return int(scores.argmax())
        return int(torch.multinomial(scores.softmax(dim=-1), 1))

    def _processors(self, sampling: Sampling) -> LogitsProcessorList:
        found = LogitsProcessorList()
        if self._penalty != 1:
            found.append(RepetitionPenaltyLogitsProcessor(self._penalty))
        if _draws(sampling):
            found.append(TemperatureLogitsWarper(sampling.temperature))
            if self._top_k:
                found.append(TopKLogitsWarper(self._top_k))
            if sampling.top_p < 1:
                found.append(TopPLogitsWarper(sampling.top_p))
        return found


def _draws(sampling: Sampling) -> bool:
    return sampling.temperature >= GREEDY_BELOW
