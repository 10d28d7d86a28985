"""vLLM's AsyncLLM in this process: one model, running. Imported only where one is started."""

from __future__ import annotations

import atexit
import gc
import logging
import threading
import uuid
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from app.engines.chat_template import PromptMaker
from app.engines.feed import Feed
from app.engines.local_chat import Piece, Sampling, Turns
from app.engines.loop import engine_loop, submit
from app.engines.vllm_errors import again, answer_error, death
from app.engines.workers import Workers
from app.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
"""How long the worker processes may take to end by themselves before they are killed."""


class VllmRuntime:
    """A model that answers; made by ``vllm_start``. Safe from several threads."""

    def __init__(self, llm: Any, tokenizer: Any, workers: Workers, name: str) -> None:
        self.window: int = llm.model_config.max_model_len
        self.number_format = str(llm.model_config.quantization or llm.model_config.dtype).removeprefix("torch.")
        self._llm = llm
        self._prompts = PromptMaker(tokenizer, name, self.window)
        self._workers = workers
        self.name = name
        self._over: EngineError | None = None
        self._closed = False
        self._answers: dict[Future[None], Feed[Piece]] = {}
        self._lock = threading.Lock()
        atexit.register(self.close)  # before multiprocessing waits for its children

    @property
    def over(self) -> EngineError | None:
        """Why it answers no more: it was closed, or its processes ended."""
        with self._lock:
            if self._over is None and self._llm.errored:
                self._over = death(self.name, self._workers.log.cause())
            return again(self._over) if self._over else None

    def begin(self, turns: Turns, sampling: Sampling) -> Feed[Piece]:
        """See ``local_chat.Begin``."""
        if (over := self.over) is not None:
            raise over
        ids = self._prompts.ids(turns)

        def leave() -> None:
            answer.cancel()

        feed: Feed[Piece] = Feed(leave)
        with self._lock:
            if self._over is not None:  # closed meanwhile
                raise again(self._over)
            answer = submit(self._write(feed, ids, sampling))
            self._answers[answer] = feed
        answer.add_done_callback(lambda ended: self._answers.pop(ended, None))
        return feed

    async def _write(self, feed: Feed[Piece], ids: list[int], sampling: Sampling) -> None:
        from vllm.inputs.engine import tokens_input
        from vllm.sampling_params import RequestOutputKind, SamplingParams
        from vllm.v1.engine.exceptions import EngineDeadError

        written = 0
        try:
            params = SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=self._prompts.room(ids, sampling.max_tokens),
                stop=list(sampling.stop),
                ignore_eos=sampling.ignore_eos,
                output_kind=RequestOutputKind.DELTA,
            )
            async for output in self._llm.generate(tokens_input(ids), params, uuid.uuid4().hex):
                new = output.outputs[0]
                written += len(new.token_ids)
                told = tuple(new.token_ids) if sampling.return_token_ids else ()
                if new.finish_reason in ("stop", "length"):
                    feed.put(Piece(new.text, new.finish_reason, len(ids), written, told))
                elif new.finish_reason is not None:
                    raise EngineUnavailable(f"{self.name} stopped the answer ({new.finish_reason}).", "Ask again.")
                elif new.text or told:  # a character of several tokens comes with its last
                    feed.put(Piece(new.text, ids=told))
            feed.end()
        except EngineDeadError:
            engine_loop().run_in_executor(None, lambda: feed.end(self.over))  # its last words may take a moment
        except EngineError as error:
            feed.end(error)
        except Exception as error:
            log.debug("answer failed", exc_info=True)
            feed.end(answer_error(self.name, error))

    def unfinished(self) -> int:
        """How many answers vLLM is working on."""
        return int(self._llm.get_num_unfinished_requests())

    def close(self) -> None:
        """Break off every answer, end the processes, give the memory back. Never raises; a second time does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._over = EngineUnavailable(f"{self.name} was closed.", "Ask again.")
            answers = list(self._answers.items())
        atexit.unregister(self.close)
        for answer, feed in answers:
            answer.cancel()
            feed.end(again(self._over))
        with suppress(Exception):
            submit(_stop_listening(self._llm)).result(CLOSE_SECONDS)
        try:
            self._llm.shutdown(timeout=CLOSE_SECONDS)
        except Exception:
            log.debug("vLLM's own end failed", exc_info=True)
        self._workers.end()
        self._llm = None
        gc.collect()


async def _stop_listening(llm: Any) -> None:
    """Else vLLM logs the end of its processes as a failure."""
    if llm.output_handler is not None:
        llm.output_handler.cancel()
