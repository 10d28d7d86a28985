"""What vLLM says (recorded from 0.32 and what it is built on) and what it means for the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engines.vllm_errors import answer_error, death, start_error, words
from app.errors import (
    ContextTooLong,
    DataFolderError,
    EngineError,
    EngineUnavailable,
    ModelDamaged,
    ModelMissing,
    OutOfMemory,
)

CORE_FAILED = RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", OutOfMemory),
        ("RuntimeError: [enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory", OutOfMemory),
        (
            "ValueError: Free memory on device cuda:0 (3.1/23.6 GiB) on startup is less than desired GPU memory"
            " utilization (0.9, 21.3 GiB).",
            OutOfMemory,
        ),
        ("ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`.", OutOfMemory),
        (
            "ValueError: To serve at least one request with the models's max seq len (131072), (16.0 GiB KV cache is"
            " needed, which is larger than the available KV cache memory (3.2 GiB).",
            OutOfMemory,
        ),
        ("ValueError: Available memory on node 0 (3.1/23.4 GiB) on startup is less than desired", OutOfMemory),
        ("SafetensorError: Error while deserializing header: incomplete metadata", ModelDamaged),
        ("RuntimeError: start (0) + length (512) exceeds dimension size (256).", ModelDamaged),
        ("KeyError: 'layers.0.mlp.gate.weight'", ModelDamaged),
        ("ValueError: There is no module or parameter named 'x' in LlamaForCausalLM", ModelDamaged),
        ("ValueError: Model architectures ['NoSuch'] are not supported for now.", EngineUnavailable),
        ("ValueError: Something that nobody knew of.", EngineUnavailable),
    ],
)
def test_why_a_model_could_not_be_loaded(cause: str, kind: type[EngineError]) -> None:
    error = start_error("tiny", CORE_FAILED, cause)
    assert type(error) is kind
    assert "tiny" in error.message
    assert cause.split(". ")[0].rstrip(".") in error.message
    assert error.hint


def test_a_process_that_was_killed_ran_out_of_memory() -> None:
    killed = RuntimeError(f"{CORE_FAILED}".replace("{}", "{'EngineCore': -9}"))
    assert isinstance(start_error("tiny", killed, ""), OutOfMemory)
    assert isinstance(start_error("tiny", CORE_FAILED, ""), EngineUnavailable)


def test_code_of_the_model_is_a_setting_of_its_own() -> None:
    error = start_error("tiny", ValueError("Please pass the argument `trust_remote_code=True` to allow it."), "")
    assert "TRUST_REMOTE_CODE" in error.hint


def test_an_error_of_ours_stays_what_it_is() -> None:
    missing = ModelMissing("No such model.", "Correct it.")
    assert start_error("tiny", missing, "ValueError: other") is missing
    assert start_error("tiny", DataFolderError("Full.", "Make room."), "").hint == "Make room."


def test_of_several_complaints_the_first_is_told() -> None:
    from pydantic import BaseModel, field_validator

    class Checked(BaseModel):
        size: int

        @field_validator("size")
        @classmethod
        def _never(cls, value: int) -> int:
            raise ValueError("Model architectures ['NoSuch'] are not supported for now.")

    with pytest.raises(ValueError) as caught:
        Checked(size=1)
    assert words(caught.value) == "Model architectures ['NoSuch'] are not supported for now."


def test_an_answer_that_fails() -> None:
    too_long = ValueError("The decoder prompt (length 3000) is longer than the maximum model length of 2048.")
    wrapped = RuntimeError("")
    wrapped.__cause__ = too_long
    assert isinstance(answer_error("tiny", too_long), ContextTooLong)
    assert isinstance(answer_error("tiny", wrapped), ContextTooLong)
    assert isinstance(answer_error("tiny", RuntimeError("odd")), EngineUnavailable)


def test_a_death_says_its_last_words() -> None:
    assert isinstance(death("tiny", "OutOfMemoryError: CUDA out of memory."), OutOfMemory)
    assert "illegal memory access" in death("tiny", "AcceleratorError: CUDA error: an illegal memory access").message
    assert "killed" in death("tiny", "").message


@given(st.text(), st.text(max_size=2000))
def test_whatever_is_said_becomes_one_line_that_is_not_long(said: str, cause: str) -> None:
    for error in (start_error("tiny", ValueError(said), cause), answer_error("tiny", ValueError(said))):
        assert "\n" not in str(error)
        assert len(error.message) < 400
        assert error.hint
