"""A model that answers: loaded, warm, with the thread that computes."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from transformers.utils import logging as transformers_logging

from app.engines.chat_template import PromptMaker
from app.engines.hf_answer import Answer, Vocabulary
from app.engines.hf_batch import Batch, can_batch
from app.engines.hf_faults import let_go, while_answering
from app.engines.hf_load import choose_dtype, find_device, load_draft, load_model, load_tokenizer
from app.engines.hf_place import window
from app.engines.hf_solo import Solo
from app.engines.hf_worker import Worker, Writer
from app.engines.local_chat import Sampling

if TYPE_CHECKING:
    from app.config import Settings
    from app.engines.feed import Feed
    from app.engines.local_chat import Piece, Turns
    from app.errors import EngineError
    from app.models import ModelFacts

log = logging.getLogger(__name__)

STRIDE = {"cpu": 256, "mps": 512, "cuda": 2048}
"""Tokens of prompts that one step reads: about what keeps the processor busy; more would only delay the others."""
WARM_UP_SECONDS = 600.0


class Running:
    """``place`` says where and in which number format it computes; ``window`` is its context in tokens."""

    def __init__(self, facts: ModelFacts, tokenizer: Any, model: Any, draft: Any, limit: int) -> None:
        self.name = facts.name
        dtype = str(model.dtype).removeprefix("torch.")
        self.number_format = facts.quantization or dtype
        self.place = f"{model.device}, {dtype}"
        self.window = window(facts, model.device.type)
        self._vocabulary = _vocabulary(tokenizer, model)
        self._prompts = PromptMaker(tokenizer, facts.name, self.window)
        writer: Writer
        if draft is None and can_batch(model):
            writer = Batch(model, limit=limit, stride=STRIDE.get(model.device.type, STRIDE["cpu"]))
        else:
            log.info("%s answers one reader after the other", facts.name)
            writer = Solo(model, ends=self._vocabulary.ends, draft=draft)
        self._worker = Worker(writer, self._explain)

    def begin(self, turns: Turns, sampling: Sampling) -> Feed[Piece]:
        """Begins an answer. Raises EngineError."""
        ids = self._prompts.ids(turns)
        answer = Answer(ids, self._prompts.room(ids, sampling.max_tokens), sampling, self._vocabulary)
        self._worker.begin(answer)
        return answer.feed

    def warm_up(self) -> None:
        """Writes two tokens, so that both ways through the model have been gone. Raises EngineError."""
        feed = self.begin([{"role": "user", "content": "Hello"}], Sampling(temperature=0, top_p=1, max_tokens=2))
        end = time.monotonic() + WARM_UP_SECONDS
        while feed.next(end - time.monotonic()):
            pass

    def close(self) -> None:
        """Ends every answer and the thread."""
        self._worker.close()

    def _explain(self, error: Exception) -> EngineError:
        explained = while_answering(error, self.name)
        let_go(error)
        release_memory()
        return explained


def start(facts: ModelFacts, draft: ModelFacts | None, settings: Settings, step: Callable[[str], None]) -> Running:
    """Loads and warms the model; ``step`` is told what comes next, and may raise to stop it.

    Raises:
        EngineError: it cannot be loaded; nothing of it is kept.
    """
    _set_up_logging()
    try:
        return _start(facts, draft, settings, step)
    except BaseException as error:
        let_go(error)
        release_memory()
        raise


def _start(facts: ModelFacts, draft: ModelFacts | None, settings: Settings, step: Callable[[str], None]) -> Running:
    device = find_device(settings.hf_device)
    step(f"tokenizer of {facts.name}")
    tokenizer = load_tokenizer(facts, settings)
    step(f"weights of {facts.name}")
    model = load_model(facts, settings, device, choose_dtype(facts, settings, device))
    guide = None
    if draft:
        step(f"weights of its draft {draft.name}")
        guide = load_draft(draft, settings, tokenizer, model)
    step("first words")
    running = Running(facts, tokenizer, model, guide, settings.hf_max_batch)
    try:
        running.warm_up()
    except BaseException:
        running.close()
        raise
    return running


def release_memory() -> None:
    """Gives back to the system what nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with contextlib.suppress(OSError, AttributeError):  # only glibc keeps freed memory, and has this to give it back
        ctypes.CDLL(None).malloc_trim(0)


def _vocabulary(tokenizer: Any, model: Any) -> Vocabulary:
    """Answers end where the model's authors or its tokenizer say, as in vLLM."""
    ends = model.generation_config.eos_token_id
    found = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None}
    own = copy.deepcopy(tokenizer)  # the other one may be reading a prompt in another thread

    def decode(ids: list[int]) -> str:
        text: str = own.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    return Vocabulary(decode, frozenset(found))


def _set_up_logging() -> None:
    """transformers' messages go where ours go, and only at DEBUG: what matters of them is in our errors."""
    debug = logging.getLogger("app").isEnabledFor(logging.DEBUG)
    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()
    transformers_logging.set_verbosity(logging.INFO if debug else logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
