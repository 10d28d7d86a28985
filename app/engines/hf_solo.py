"""One answer after the other, by transformers' ``generate``: for models that cannot be batched, and with a draft."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from app.engines.hf_answer import Answer
from app.engines.hf_sampling import Sampler
from app.errors import EngineError

_NO_TOKEN = [-1]
"""An end mark that never comes; where there is none, ``generate`` takes the model's."""


class Solo:
    """``draft`` is a smaller model whose guesses the model confirms several at a time (assisted decoding)."""

    def __init__(self, model: Any, *, ends: frozenset[int], draft: Any = None) -> None:
        self._model = model
        self._draft = {"assistant_model": draft} if draft is not None else {}
        self._ends = sorted(ends)
        self._sampler = Sampler(model.generation_config)
        self._answer: Answer | None = None

    @property
    def answers(self) -> list[Answer]:
        """The one that it writes."""
        return [self._answer] if self._answer else []

    @property
    def full(self) -> bool:
        """Whether another one has to wait."""
        return self._answer is not None

    def add(self, answer: Answer) -> None:
        """``answer`` is the next."""
        self._answer = answer

    @torch.inference_mode()
    def step(self) -> None:
        """Writes the answer to its end. After an exception only :meth:`fail` may follow."""
        answer = self._answer
        if answer and not answer.ended:
            ids = torch.tensor([answer.ids], device=self._model.device)
            self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=self._config(answer),
                streamer=_Streamer(answer),
                stopping_criteria=StoppingCriteriaList([_Ended(answer)]),
                **self._draft,
            )
        self._answer = None

    def fail(self, error: EngineError) -> None:
        """The answer ends with ``error``."""
        answer, self._answer = self._answer, None
        if answer:
            answer.fail(error)

    def _config(self, answer: Answer) -> GenerationConfig:
        ends = _NO_TOKEN if answer.sampling.ignore_eos else self._ends
        return GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=answer.left,
            eos_token_id=ends or None,
            pad_token_id=self._ends[0] if self._ends else 0,
            **self._sampler.options(answer.sampling),
        )


class _Streamer(BaseStreamer):
    """Passes the tokens on as they come; the first that ``generate`` puts is the prompt."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._prompt = True

    def put(self, value: torch.Tensor) -> None:
        if self._prompt:
            self._prompt = False
            return
        for token in value.flatten().tolist():
            if not self._answer.ended:
                self._answer.take(token)

    def end(self) -> None:
        pass


class _Ended(StoppingCriteria):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._answer.ended, device=input_ids.device)
