"""Several answers written together: who comes joins at the next step, who ends makes room at once.

Each step is one forward pass that gives every answer its next token, and a part of the newcomers' prompts. The keys
and values of all answers lie in one cache, aligned at their ends: shorter ones are padded on the left, and masked.
"""

from __future__ import annotations

import inspect
from collections import deque
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from app.engines.hf_answer import Answer
from app.engines.hf_sampling import Sampler
from app.errors import EngineError


class Batch:
    """At most ``limit`` answers at once. A step reads at most ``stride`` tokens of prompts, so that none waits long."""

    def __init__(self, model: Any, *, limit: int, stride: int) -> None:
        self._model = model
        self._limit = limit
        self._stride = stride
        self._sampler = Sampler(model.generation_config)
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in _arguments(model) else {}
        self._rows: list[Answer] = []
        self._cache = DynamicCache()  # of the rows: all but the last token of each
        self._coming: deque[Answer] = deque()  # their prompts are still to be read
        self._partial = DynamicCache()  # of the first of them

    @property
    def answers(self) -> list[Answer]:
        """Those that it writes."""
        return [*self._rows, *self._coming]

    @property
    def full(self) -> bool:
        """Whether another one has to wait."""
        return len(self.answers) >= self._limit

    def add(self, answer: Answer) -> None:
        """``answer`` gets its first token as soon as its prompt is read."""
        self._coming.append(answer)

    @torch.inference_mode()
    def step(self) -> None:
        """One more token for each answer. After an exception only :meth:`fail` may follow."""
        self._drop_ended()
        if self._rows:
            self._write()
        budget = self._stride
        while self._coming and budget > 0:
            budget -= self._read(budget)

    def fail(self, error: EngineError) -> None:
        """The longest answer, which takes most memory, ends with ``error``; the others begin again where they are."""
        answers = [answer for answer in self.answers if not answer.ended]
        self._rows, self._cache, self._partial = [], DynamicCache(), DynamicCache()
        if answers:
            longest = max(answers, key=lambda answer: len(answer.ids))
            answers.remove(longest)
            longest.fail(error)
        self._coming = deque(answers)

    def _write(self) -> None:
        lengths = torch.tensor([[len(answer.ids)] for answer in self._rows])
        width = int(lengths.max())
        tokens = torch.tensor([[answer.ids[-1]] for answer in self._rows])
        mask = torch.arange(width) >= width - lengths
        logits = self._forward(tokens, lengths - 1, mask, self._cache)
        for answer, token in zip(self._rows, self._sampler.choose(logits, self._rows), strict=True):
            answer.take(token)

    def _read(self, budget: int) -> int:
        """Reads on in the first prompt; how many tokens that took."""
        answer = self._coming[0]
        if answer.ended:
            self._coming.popleft()
            self._partial = DynamicCache()
            return 0
        begin = self._partial.get_seq_length()
        end = min(begin + budget, len(answer.ids))
        tokens = torch.tensor([answer.ids[begin:end]])
        mask = torch.ones(1, end, dtype=torch.bool)
        logits = self._forward(tokens, torch.arange(begin, end)[None], mask, self._partial)
        if end == len(answer.ids):
            answer.take(self._sampler.choose(logits, [answer])[0])
            self._join()
        return end - begin

    def _forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: DynamicCache
    ) -> torch.Tensor:
        """``[rows, tokens]`` in, the logits after the last token out: ``[rows, vocabulary]``."""
        device = self._model.device
        output = self._model(
            input_ids=tokens.to(device),
            position_ids=positions.to(device),
            attention_mask=mask.to(device, torch.long),
            past_key_values=cache,
            use_cache=True,
            **self._last_only,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _join(self) -> None:
        """The first newcomer, whose prompt is read, becomes the last row."""
        answer, cache = self._coming.popleft(), self._partial
        if self._rows:
            for layer, new in zip(_layers(self._cache), _layers(cache), strict=True):
                layer.keys, layer.values = _stacked(layer.keys, new.keys), _stacked(layer.values, new.values)
        else:
            self._cache = cache
        self._rows.append(answer)
        self._partial = DynamicCache()

    def _drop_ended(self) -> None:
        keep = [row for row, answer in enumerate(self._rows) if not answer.ended]
        if len(keep) == len(self._rows):
            return
        self._rows = [self._rows[row] for row in keep]
        if not keep:
            self._cache = DynamicCache()
            return
        width = max(len(answer.ids) for answer in self._rows) - 1
        for layer in _layers(self._cache):
            layer.keys, layer.values = layer.keys[keep, :, -width:], layer.values[keep, :, -width:]


def can_batch(model: Any) -> bool:
    """Whether padding on the left leaves an answer as it is: attention alone, and positions that can be told.

    A model with a state of another kind (Mamba, hybrids) would take the padding for text.
    """
    layers = DynamicCache(config=model.config).layers
    plain = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
    return plain and not model._is_stateful and "position_ids" in _arguments(model)


def _layers(cache: DynamicCache) -> list[Any]:
    """Of a cache made without a config each is a DynamicLayer, which keeps all keys and values."""
    return cache.layers


def _arguments(model: Any) -> frozenset[str]:
    return frozenset(inspect.signature(model.forward).parameters)


def _stacked(rows: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """``[rows, heads, tokens, width]`` and one row more, both padded on the left to the longer one."""
    length = max(rows.shape[-2], new.shape[-2])
    padded = [torch.nn.functional.pad(part, (0, 0, length - part.shape[-2], 0)) for part in (rows, new)]
    return torch.cat(padded)
