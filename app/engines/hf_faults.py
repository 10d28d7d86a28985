"""What torch, transformers and safetensors raise, as one line of ours."""

from __future__ import annotations

import errno
import logging
import pickle
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from app.errors import EngineError, EngineUnavailable, ModelDamaged, OutOfMemory

log = logging.getLogger(__name__)

_NO_MEMORY = re.compile(r"out of memory|not enough memory|(?:can't|cannot|failed to|unable to) allocate", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"does not recognize this architecture|unrecognized (?:configuration|model)|model type", re.IGNORECASE
)
_LONGEST = 200  # characters of another library's words
_SEE_LOG = "See the log (LOG_LEVEL=DEBUG tells more)."


@contextmanager
def explained(name: str) -> Iterator[None]:
    """What other libraries raise while they load ``name``, as :func:`while_loading` has it."""
    try:
        yield
    except Exception as error:
        let_go(error)
        raise while_loading(error, name) from None


def let_go(error: BaseException | None) -> None:
    """Has ``error`` no longer hold what was in memory where it was raised, such as half a model."""
    while error:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says so, of RAM or of a GPU's memory."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))


def while_loading(error: Exception, name: str) -> EngineError:
    """Why the model ``name`` cannot be loaded."""
    if isinstance(error, EngineError):
        return error
    log.debug("%s could not be loaded", name, exc_info=error)
    words = first_line(error)
    if out_of_memory(error):
        return OutOfMemory(
            f"{name} does not fit into the free memory.", "Choose a smaller model, or close what takes the memory."
        )
    if "trust_remote_code" in str(error):
        return EngineUnavailable(
            f"{name} brings code of its own, which is not run unasked.", "Set TRUST_REMOTE_CODE=true if you trust it."
        )
    if isinstance(error, ImportError):
        return EngineUnavailable(
            f"{name} needs a package that is not installed: {words}", "Install it, then try again."
        )
    if isinstance(error, pickle.UnpicklingError):
        return ModelDamaged(
            f"The weights of {name} hold more than numbers, or are damaged.", "Take its safetensors edition."
        )
    if isinstance(error, KeyError | ValueError) and _UNKNOWN.search(str(error)):
        import transformers

        return EngineUnavailable(
            f"transformers {transformers.__version__} has no text model for the architecture of {name}.",
            "Choose another model, or another engine.",
        )
    if type(error).__module__.startswith("safetensors") or isinstance(error, OSError):
        return ModelDamaged(f"The files of {name} cannot be loaded: {words}", "Download or copy the model again.")
    return EngineUnavailable(f"{name} could not be loaded: {type(error).__name__}: {words}", _SEE_LOG)


def while_answering(error: Exception, name: str) -> EngineError:
    """Why an answer of ``name`` ends here."""
    if isinstance(error, EngineError):
        return error
    if out_of_memory(error):
        return OutOfMemory(
            f"{name} ran out of memory while answering.",
            "Ask a shorter question in a new conversation, or lower HF_MAX_BATCH.",
        )
    log.error("%s failed while answering", name, exc_info=error)
    return EngineUnavailable(f"{name} failed while answering: {type(error).__name__}: {first_line(error)}", _SEE_LOG)


def incomplete(wrong: Iterable[str], name: str) -> ModelDamaged:
    """For weights that the files lack, or have in another shape than config.json says; ``wrong`` are their names."""
    first, *others = sorted(wrong)
    more = f" and {len(others)} others" if others else ""
    return ModelDamaged(
        f"The weights of {name} are no whole language model: {first}{more} are missing or misshapen.",
        "Download or copy the model again, or choose one that writes text.",
    )


def first_line(error: BaseException) -> str:
    """What matters of the words of another library."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
