"""Starting the engine ``vllm``: what is refused and why, from a user's script, and after that script's death."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.benchmark.engine_target import EngineTarget
from app.benchmark.prompts import Length, Prompt
from app.benchmark.target import Hearing
from app.config import load_settings
from app.engines import reaper
from app.engines.vllm import VllmEngine
from app.errors import EngineError, EngineUnavailable, ModelDamaged, ModelMissing, OutOfMemory
from tests.engines import tiny_model
from tests.plugins.sockets import Record
from tests.real.conftest import ARGUMENTS, Folder, children, engine_for, script, wait_until

CHINESE = "灯塔的光。水🎈"  # the last two are in no token as a whole
# What a newcomer writes: no `if __name__ == "__main__"`, nothing closed. THEN is what comes last.
SCRIPT = """
import threading
from app.config import load_settings
from app.engines.vllm import VllmEngine

threading.Thread(target=threading.Event().wait, daemon=True).start()
chat = VllmEngine(load_settings(vllm_model_path=MODEL, vllm_config=ARGUMENTS)).chat_model()
print(*[chunk.text for chunk in chat.stream("?")], sep="|", flush=True)
THEN
"""


def fault(engine: VllmEngine) -> EngineError:
    """Why it does not load; then it is not ready for that reason, and nothing of it runs."""
    with pytest.raises(EngineError) as caught:
        engine.load(lambda progress: None)
    error = caught.value
    assert "\n" not in str(error)
    assert len(error.message) < 400
    assert error.hint
    assert not engine.loaded
    status = engine.check()
    assert (status.ready, status.detail) == (False, error.message)
    assert children() == set()
    return error


def test_a_wrong_path_is_refused(tmp_path: Path) -> None:
    error = fault(engine_for(tmp_path / "no-such-model"))
    assert isinstance(error, ModelMissing)
    assert "no-such-model" in error.message


def test_an_unknown_architecture_is_refused_by_its_name(broken: Folder) -> None:
    engine = engine_for(broken(architectures=["NoSuchForCausalLM"]))
    error = fault(engine)
    assert isinstance(error, EngineUnavailable)
    assert "NoSuchForCausalLM" in error.message
    with pytest.raises(EngineUnavailable, match="NoSuchForCausalLM"):
        engine.chat_model()
    engine.close()
    assert engine.check().ready


def test_a_model_type_that_nobody_knows_is_refused(broken: Folder) -> None:
    assert "nosuch" in fault(engine_for(broken(model_type="nosuch"))).message


def test_a_broken_tokenizer_is_refused(broken: Folder) -> None:
    folder = broken()
    (folder / "tokenizer.json").write_text("{}")
    error = fault(engine_for(folder))
    assert isinstance(error, ModelDamaged)
    assert "tokenizer" in error.message


@pytest.mark.soak
def test_weights_that_do_not_fit_their_description_are_refused_and_nothing_stays(broken: Folder) -> None:
    """vLLM sees it in a process below its own; the reason comes up to us all the same."""
    error = fault(engine_for(broken(intermediate_size=512)))
    assert isinstance(error, ModelDamaged)
    assert "dimension" in error.message


@pytest.mark.soak
def test_too_little_room_for_the_context_is_a_matter_of_memory(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE")
    assert isinstance(fault(engine_for(tiny, kv_cache_memory_bytes=1024)), OutOfMemory)


@pytest.mark.soak
def test_speculation_by_ngrams_has_several_tokens_come_at_once(tiny: Path) -> None:
    """That its arguments are vLLM's, the shorter tests tell; this one, that vLLM guesses with them."""

    def guessed(what: str) -> float:
        name = f"vllm:spec_decode_num_{what}_tokens_total"
        return REGISTRY.get_sample_value(name, {"model_name": "tiny", "engine": "0"}) or 0.0

    given = {"vllm_model_path": str(tiny), "vllm_config": ARGUMENTS, "llm": {"params": {"timeout": 120}}}
    engine = VllmEngine(load_settings(inference_method="speculative", vllm_disable_log_stats=False, **given))
    try:
        target, hearing = EngineTarget(engine), Hearing(time.perf_counter)
        asyncio.run(target.answer(Prompt("p", ({"role": "user", "content": "Hello " * 20},)), Length(200), hearing))
        assert hearing.output_tokens == hearing.ids == 200
        assert len(hearing.times) < 200, "several tokens come at once"
        assert 0 < guessed("accepted") <= guessed("draft")
    finally:
        engine.close()


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "speaker", says=CHINESE)


def user_script(folder: Path, model: Path, then: str) -> Path:
    path = folder / "script.py"
    text = SCRIPT.replace("MODEL", repr(str(model))).replace("ARGUMENTS", json.dumps(ARGUMENTS).replace("true", "True"))
    path.write_text(text.replace("THEN", then))
    return path


def noise(printed: str) -> list[str]:
    """Lines of a library's log; Python's own words about a killed process aside."""
    return [line for line in printed.splitlines() if re.search(r"INFO|WARNING|ERROR|%\||Traceback", line)]


def pieces(line: str) -> Any:
    return line.rstrip("\n").split("|")


def test_a_killed_script_leaves_no_engine_process_behind_and_vllm_reaches_for_no_other_machine(
    speaker: Path, tmp_path: Path
) -> None:
    record = Record(tmp_path)
    process = script(str(user_script(tmp_path, speaker, "threading.Event().wait()")), record, cwd=tmp_path)
    assert process.stdout is not None and process.stderr is not None
    said = pieces(process.stdout.readline())
    assert "".join(said) == CHINESE, process.stderr.read()
    family = reaper.family(process.pid, reaper.started(process.pid)) - {process.pid}
    assert len(family) >= 3  # the engine, its worker, the reaper
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not family & reaper.running().keys())
    assert process.stdout.read() == ""
    assert noise(process.stderr.read()) == []
    assert len(record.processes() & (family | {process.pid})) >= 3
    assert record.foreign() == []
    with process:
        pass


@pytest.mark.soak
def test_a_script_that_just_ends_ends(speaker: Path, tmp_path: Path) -> None:
    process = script(str(user_script(tmp_path, speaker, "")), Record(tmp_path), cwd=tmp_path)
    printed, errors = process.communicate(timeout=600)
    assert "".join(pieces(printed)) == CHINESE
    assert process.returncode == 0
    assert noise(errors) == []
