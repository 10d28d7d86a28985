"""What a vLLM server's words mean, as vLLM 0.32 prints them."""

from __future__ import annotations

import logging
import os
import re
import signal
from pathlib import Path

import pytest

from app.engines import vllm_server_log
from app.engines.vllm_server_faults import died, ending, not_started
from app.engines.vllm_server_log import ServerLog, failure
from app.errors import (
    ConfigError,
    DataFolderError,
    EngineUnavailable,
    HotswapError,
    ModelDamaged,
    OutOfMemory,
    PortInUse,
)

CORE = "(EngineCore pid=12682) ERROR 11-21 03:57:43 [core.py:1510] "
API = "(APIServer pid=12229) "
USELESS = [
    "(EngineCore pid=12682) ERROR 11-21 03:57:49 [multiproc_executor.py:315] Worker proc VllmWorker-0 died",
    f"{API}Traceback (most recent call last):",
    f"{API}RuntimeError: Engine core initialization failed. See root cause above."
    " Failed core proc(s): {'EngineCore': 1}",
]
CACHE = (
    "To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is needed, which is larger"
    " than the available KV cache memory (5.1 GiB). Based on the available memory, the estimated maximum model length"
    " is 41984. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."
)
LENGTH = (
    "  Value error, User-specified max_model_len (100000) is greater than the derived max_model_len"
    " (max_position_embeddings=2048.0 or model_max_length=None in model's config.json). To allow overriding this"
    " maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1. [type=value_error, input_value=ArgsKwargs((), {})]"
)
PYDANTIC = "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig"
VISIT = "    For further information visit https://errors.pydantic.dev/2.14/v/value_error"
ARCHITECTURE = (
    "  Value error, Model architectures ['NoSuchForCausalLM'] are not supported for now. Supported architectures:"
    " dict_keys(['LlamaForCausalLM']) [type=value_error, input_value=ArgsKwargs((), {}), input_type=ArgsKwargs]"
)


def read(path: Path, lines: list[str]) -> ServerLog:
    """The log of a server that has printed these lines and ended."""
    kept = ServerLog(path)
    reading, writing = os.pipe()
    kept.read(os.fdopen(reading, encoding="utf-8"))
    with open(writing, "w", encoding="utf-8") as server:
        server.writelines(f"{line}\n" for line in lines)
    kept.wait(20)
    return kept


CASES: dict[str, tuple[list[str], type[HotswapError], str, str]] = {
    "a context too large for the memory, with the number that fits": (
        [f"{CORE}Traceback (most recent call last):", f"{CORE}ValueError: {CACHE}", *USELESS],
        OutOfMemory, "does not fit into memory", "Set VLLM_MAX_MODEL_LEN to 41984 or less",
    ),
    "a context longer than the model's, with its own number": (
        [API + PYDANTIC, API + LENGTH, API + VISIT], ConfigError, "takes 2048 tokens at most", "to 2048 or less",
    ),
    "an unknown architecture": (
        [PYDANTIC, ARCHITECTURE, VISIT], EngineUnavailable, "NoSuchForCausalLM.* not supported", "Choose another model",
    ),
    "no memory on the GPU": (
        [
            f"{CORE}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.96 GiB.",
            *USELESS,
        ],
        OutOfMemory, "CUDA out of memory", "VLLM_GPU_MEMORY_UTILIZATION",
    ),
    "less free memory than it shall take": (
        [f"{CORE}ValueError: Free memory on device cuda:0 (3.1/24.0 GiB) on startup is less than desired GPU memory."],
        OutOfMemory, "Free memory on device", "close other programs",
    ),
    "damaged weights": (
        [f"{CORE}safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata", *USELESS],
        ModelDamaged, "deserializing header", "Download or copy",
    ),
    "the port is taken": (
        [f"{API}OSError: [Errno 98] Address already in use"], PortInUse, "Port 8000 cannot be used", "--port 8001",
    ),
    "an option that vLLM has no more": (
        ["usage: api_server.py [-h]", "api_server.py: error: unrecognized arguments: --swap-space=4"],
        ConfigError, "unrecognized arguments: --swap-space=4", "Correct VLLM_CONFIG",
    ),
    "an option's value": (
        ["api_server.py: error: argument --max-num-seqs: invalid int value: 'abc'"],
        ConfigError, "--max-num-seqs: invalid int value", "Correct VLLM_CONFIG",
    ),
    "a field that is wrong": (
        [
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for CacheConfig", "block_size",
            "  Input should be greater than 0 [type=greater_than, input_value=-1, input_type=int]", VISIT,
        ],
        EngineUnavailable, "block_size: Input should be greater than 0$", "Correct VLLM_CONFIG",
    ),
    "its engine was killed": (
        [USELESS[-1].replace("1}", "-9}")], OutOfMemory, "killed by the system", "Choose a smaller model",
    ),
    "no word at all": ([], EngineUnavailable, r"exit code 1\) and did not say why", "See the server's log"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_true_cause_of_a_failed_start_is_found(tmp_path: Path, case: str) -> None:
    lines, kind, message, hint = CASES[case]

    error = not_started("tiny", 1, read(tmp_path / "a.log", lines).cause(), 8000)

    assert type(error) is kind
    assert re.search(message, error.message), error.message
    assert hint in error.hint
    assert len(error.message) < 600


def test_a_server_that_the_system_killed_ran_out_of_memory_whatever_it_said() -> None:
    assert isinstance(not_started("tiny", -signal.SIGKILL, "ValueError: of a request", 8000), OutOfMemory)


def test_the_death_of_a_server_has_its_last_words_or_its_signal() -> None:
    assert "RuntimeError: the engine broke" in died("tiny", 1, "RuntimeError: the engine broke")
    assert died("tiny", -9, "ValueError: an old one") == "The server of tiny ended (SIGKILL)."
    dead = "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above)."
    assert "most likely the system killed it" in died("tiny", 0, failure([dead]))
    assert died("tiny", 0, "") == "The server of tiny ended (exit code 0)."
    assert ending(-250) == "signal 250"


def test_the_step_comes_from_what_vllm_prints(tmp_path: Path) -> None:
    steps = [
        ("", "starting vLLM"),
        ("(EngineCore pid=1) INFO 11-21 03:45:50 [core.py:133] Initializing a V1 LLM engine (v0.32.0)", "the engine"),
        ("(Worker pid=2) INFO 11-21 03:46:40 [runner.py:68] Starting to load model /m...", "loading the weights"),
        ("(Worker pid=2) INFO 11-21 03:46:43 [runner.py:87] Warming up model for the compilation", "compiling"),
        ("Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  12%|#  | 8/67", "capturing CUDA graphs"),
        ("(EngineCore pid=1) INFO 11-21 [cache.py:2327] GPU KV cache size: 2,097,152 tokens", "room for the context"),
        ("(APIServer pid=3) INFO 11-21 03:47:54 [entry.py:140] Starting vLLM server on http://x:1", "opening the port"),
    ]  # fmt: skip

    for number in range(len(steps)):
        said = [line for line, _ in steps[: number + 1]]
        assert read(tmp_path / f"{number}.log", said).step.endswith(steps[number][1])


def test_the_tail_is_the_last_lines_that_say_something(tmp_path: Path) -> None:
    assert read(tmp_path / "a.log", ["a", "", "  b", "\t", "c"]).tail(2) == ["  b", "c"]


def test_a_progress_bar_counts_as_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "a.log", ["shards 0%\rshards 50%\rshards 100%"]).tail(2) == ["shards 50%", "shards 100%"]


def test_the_file_keeps_every_line_of_several_starts_and_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "logs" / "a.log"
    read(path, ["青屿灯塔"])
    read(path, ["second"])
    assert path.read_text(encoding="utf-8").splitlines() == ["青屿灯塔", "second"]

    monkeypatch.setattr(vllm_server_log, "LARGEST", 1000)
    read(path, ["x" * 99] * 100)

    assert sorted(file.name for file in path.parent.iterdir()) == ["a.log", "a.log.1"]
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 2000


def test_the_words_are_shown_live_where_the_log_level_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "app.engines.vllm_server_log")

    read(tmp_path / "a.log", ["INFO one", "INFO two"])

    assert [record.getMessage() for record in caplog.records] == ["INFO one", "INFO two"]


def test_a_log_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")

    with pytest.raises(DataFolderError, match="cannot be written"):
        ServerLog(tmp_path / "logs" / "a.log")


def test_a_full_disk_does_not_stop_the_reading(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():  # no such device on this system: nothing can be tried
        return
    kept = read(Path("/dev/full"), ["one", "two"])

    assert kept.tail(5) == ["one", "two"]
