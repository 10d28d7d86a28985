"""Starting vLLM in this process: its settings for a library inside an app, the build, the first token."""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING, Any

from app.engines.local_chat import Sampling
from app.engines.vllm_errors import again, start_error, words
from app.engines.vllm_runtime import VllmRuntime
from app.engines.workers import Workers
from app.errors import EngineError, EngineUnavailable, ModelDamaged
from app.imports import IMPORTING

if TYPE_CHECKING:
    from app.models import ModelFacts

log = logging.getLogger(__name__)

WARM_SECONDS = 300.0
_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # else it asks the network for this machine's address
}


def start(facts: ModelFacts, arguments: dict[str, Any], workers: Workers, *, verbose: bool) -> VllmRuntime:
    """Builds and warms the model, in this thread; ``workers.end()`` from another one breaks it off.

    Raises:
        EngineError: it cannot be loaded; its processes are gone.
    """
    try:
        return _started(facts, arguments, workers, verbose)
    except BaseException as error:  # some of vLLM's checks end with SystemExit
        log.debug("vLLM did not start", exc_info=True)
        failure = _failure(facts.name, error, workers)
    gc.collect()
    raise failure  # out here it is tied to nothing that would keep the failed engine in memory


def _started(facts: ModelFacts, arguments: dict[str, Any], workers: Workers, verbose: bool) -> VllmRuntime:
    _prepare(verbose)
    tokenizer = _tokenizer(facts, arguments)
    runtime = VllmRuntime(_build(arguments, workers), tokenizer, workers, facts.name)
    try:
        _warm(runtime)
    except BaseException:
        runtime.close()
        raise
    return runtime


def _failure(name: str, error: BaseException, workers: Workers) -> EngineError:
    workers.log.close_our_end()
    cause = workers.log.cause()
    broken_off = workers.ended
    workers.end()
    if broken_off:
        return EngineUnavailable(f"The loading of {name} was broken off.", "Load it again.")
    return again(start_error(name, error, cause))


def _prepare(verbose: bool) -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if "VLLM_LOGGING_CONFIG_PATH" not in os.environ:  # who writes such a file wants vLLM to use it
        os.environ.setdefault("VLLM_CONFIGURE_LOGGING", "0")  # else it writes to stdout, past our logging
    # A fork of a process with threads can hang in the child; the user's main script is kept out by `spawning`.
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    # Its errors reach the reader in one line of ours.
    logging.getLogger("vllm").setLevel(logging.INFO if verbose else logging.CRITICAL)


def _tokenizer(facts: ModelFacts, arguments: dict[str, Any]) -> Any:
    """One of our own: vLLM uses its copy at the same time, on another thread."""
    with IMPORTING:
        from transformers import AutoTokenizer
        from transformers.utils import logging as transformers_logging
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        return AutoTokenizer.from_pretrained(
            arguments.get("tokenizer", arguments["model"]),
            local_files_only=True,
            trust_remote_code=arguments["trust_remote_code"],
        )
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise start_error(facts.name, error, "") from error
        raise ModelDamaged(
            f"The tokenizer of {facts.name} cannot be read: {words(error)}", "Download or copy the model again."
        ) from error


def _build(arguments: dict[str, Any], workers: Workers) -> Any:
    with IMPORTING:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

    if workers.ended:
        raise EngineUnavailable("The loading was broken off.")
    config = AsyncEngineArgs(**arguments)
    with workers.starting():
        # Not on the engines' loop: the answers of another engine go on there while this one is built.
        return AsyncLLM.from_engine_args(config)


def _warm(runtime: VllmRuntime) -> None:
    """The first token takes longest: kernels are chosen, caches filled."""
    feed = runtime.begin([{"role": "user", "content": "Hello"}], Sampling(0.0, 1.0, 1))
    try:
        while (piece := feed.next(WARM_SECONDS)) is not None and piece.finish_reason is None:
            pass
    except TimeoutError:
        raise EngineUnavailable(
            f"The first token did not come within {WARM_SECONDS:g} seconds.", "Choose a smaller model."
        ) from None
    finally:
        feed.close()
