"""A vLLM server as a process: awaited, watched, started again, ended; a script stands in for it and its faults."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from app.engines import reaper, vllm_server
from app.engines.http import fetch
from app.engines.vllm_server import VllmServer
from app.engines.vllm_server_plan import ServerPlan
from app.engines.vllm_supervisor import RESTARTS, Supervisor
from app.errors import EngineTimeout, EngineUnavailable, HotswapError
from app.schema import Progress
from tests.product import free_port

FAKE = Path(__file__).with_name("vllm_server_fake.py")
KEY = "sk-geheim-123"
SECONDS = 60.0  # generous: the machine may do much else

Make = Callable[..., ServerPlan]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A plan for the script, which goes wrong as the arguments say."""

    def build(**faults: Any) -> ServerPlan:
        port = free_port()
        given = {"record": str(tmp_path / "record.json"), **faults}
        return ServerPlan(
            name="tiny",
            url=f"http://127.0.0.1:{port}/v1",
            key=KEY,
            command=(sys.executable, str(FAKE), "--host=127.0.0.1", f"--port={port}", "--served-model-name=tiny"),
            environment={**os.environ, "VLLM_API_KEY": KEY, "FAKE_VLLM": json.dumps(given)},
            values={},
            fit=None,
            converses=True,
            log_file=tmp_path / "logs" / "server.log",
        )

    return build


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def record(tmp_path: Path) -> dict[str, Any]:
    """What the script was started with."""
    data: dict[str, Any] = json.loads((tmp_path / "record.json").read_text())
    return data


def gone(tmp_path: Path) -> bool:
    """Whether neither the script nor its child runs."""
    told = record(tmp_path)
    return not {told["pid"], told["child"]} & reaper.running().keys()


def started(plan: ServerPlan, **options: Any) -> tuple[bool, list[Progress]]:
    """Start it, wait, end it."""
    steps: list[Progress] = []
    server = VllmServer(plan)
    try:
        return server.wait_until_ready(steps.append, lambda: False, **options), steps
    finally:
        server.end()


def failure(plan: ServerPlan, **options: Any) -> HotswapError:
    with pytest.raises(HotswapError) as raised:
        started(plan, **options)
    return raised.value


def test_a_server_is_ready_once_it_has_written_a_token_and_leaves_nothing_behind(make: Make, tmp_path: Path) -> None:
    ready, steps = started(make(says=["INFO 11-21 03:46:40 [x.py:1] Loading weights took 1 s"], slow=1))

    assert ready
    assert {step.item for step in steps} == {"tiny"}
    assert any(step.detail.startswith("loading the weights, ") for step in steps)
    assert gone(tmp_path)
    assert "Loading weights took" in (tmp_path / "logs" / "server.log").read_text()


def test_the_key_is_neither_in_the_command_line_nor_in_the_log(make: Make, tmp_path: Path) -> None:
    started(make())

    told = record(tmp_path)
    assert told["environment"]["VLLM_API_KEY"] == KEY
    assert KEY not in json.dumps(told["argv"])
    assert KEY not in (tmp_path / "logs" / "server.log").read_text()


def test_a_server_that_dies_says_why(make: Make, tmp_path: Path) -> None:
    error = failure(
        make(says=["Traceback", "(EngineCore pid=1) ERROR 11-21 03:4 [c.py:1] x", "ValueError: no"], dies=1)
    )

    assert "ValueError: no" in error.message
    assert gone(tmp_path)


def test_a_server_that_never_gets_ready_is_given_up(make: Make, tmp_path: Path) -> None:
    error = failure(make(health=503), patience=1.5)

    assert isinstance(error, EngineTimeout)
    assert "did not answer within 1.5 seconds" in error.message
    assert gone(tmp_path)


def test_a_server_that_takes_requests_and_never_answers_is_given_up(make: Make, tmp_path: Path) -> None:
    assert isinstance(failure(make(mute=True), patience=1.0), EngineTimeout)
    assert gone(tmp_path)


def test_a_server_whose_first_token_never_comes_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_server, "FIRST_TOKEN_SECONDS", 0.5)

    assert "first token of tiny did not come" in failure(make(thinks=True)).message


def test_a_server_that_writes_no_text_says_why(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_server, "_ENDING_SECONDS", 0.1)

    error = failure(make(refuses=f"no completions with {KEY} here"))

    assert isinstance(error, EngineUnavailable)
    assert "writes no text (400): no completions with … here" in error.message


def test_a_server_that_has_another_model_is_not_ready(make: Make) -> None:
    assert isinstance(failure(replace(make(), name="other"), patience=1.0), EngineTimeout)


def test_a_server_that_will_not_end_is_killed(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_server, "END_SECONDS", 0.3)

    assert started(make(stubborn=True))[0]
    assert gone(tmp_path)


def test_ending_a_server_twice_is_harmless(make: Make, tmp_path: Path) -> None:
    server = VllmServer(make())
    wait_for((tmp_path / "record.json").exists)
    server.end()
    server.end()

    assert gone(tmp_path)


@dataclass
class Kept:
    """A supervisor that runs in a thread, and what it told."""

    plan: ServerPlan
    supervisor: Supervisor
    ready: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: HotswapError | None = None

    def run(self) -> None:
        try:
            self.supervisor.run(
                lambda progress: None, lambda pid, seconds: self.ready.append(pid), lambda note: self.notes.append(note)
            )
        except HotswapError as error:
            self.error = error

    def die(self, code: int, says: str) -> None:
        """Have the server end with these last words."""
        url = self.plan.url.removesuffix("/v1") + "/die"
        with pytest.raises(Exception, match=r"disconnected|reset|closed"):
            fetch("POST", url, body={"code": code, "says": says}, seconds=20)


Keep = Callable[..., Kept]


@pytest.fixture
def keep() -> Iterator[Keep]:
    begun: list[tuple[Kept, threading.Thread]] = []

    def keep_running(plan: ServerPlan) -> Kept:
        kept = Kept(plan, Supervisor(plan, first_pause=0.01))
        thread = threading.Thread(target=kept.run)
        thread.start()
        begun.append((kept, thread))
        return kept

    yield keep_running
    for kept, thread in begun:
        kept.supervisor.stop()
        thread.join(SECONDS)
        assert not thread.is_alive()


def test_stopping_ends_the_server_and_is_no_error(make: Make, keep: Keep, tmp_path: Path) -> None:
    kept = keep(make())
    wait_for(lambda: kept.ready)

    kept.supervisor.stop()
    wait_for(lambda: gone(tmp_path))

    assert (kept.error, kept.notes, len(kept.ready)) == (None, [], 1)


def test_stopping_while_it_loads_ends_it_at_once(make: Make, keep: Keep, tmp_path: Path) -> None:
    kept = keep(make(slow=1000))
    wait_for((tmp_path / "record.json").exists)

    kept.supervisor.stop()
    wait_for(lambda: gone(tmp_path))

    assert (kept.error, kept.ready) == (None, [])


def test_stopping_while_the_first_token_is_awaited_ends_it_at_once(make: Make, keep: Keep, tmp_path: Path) -> None:
    kept = keep(make(thinks=True))
    log = tmp_path / "logs" / "server.log"
    wait_for(lambda: log.exists() and "thinking" in log.read_text())

    kept.supervisor.stop()
    wait_for(lambda: gone(tmp_path))

    assert (kept.error, kept.ready) == (None, [])


def test_a_server_that_dies_is_started_again_and_the_cause_is_told(make: Make, keep: Keep) -> None:
    kept = keep(make())
    wait_for(lambda: len(kept.ready) == 1)

    kept.die(1, "RuntimeError: the engine broke")
    wait_for(lambda: len(kept.ready) == 2)

    assert len(kept.notes) == 1
    assert "RuntimeError: the engine broke" in kept.notes[0]
    assert f"(1 of {RESTARTS} times)" in kept.notes[0]
    assert kept.ready[0] != kept.ready[1]


def test_a_server_that_is_killed_is_started_again(make: Make, keep: Keep) -> None:
    kept = keep(make())
    wait_for(lambda: len(kept.ready) == 1)

    os.kill(kept.ready[0], 9)
    wait_for(lambda: len(kept.ready) == 2)

    assert "SIGKILL" in kept.notes[0]


def test_a_server_that_dies_again_and_again_is_given_up(make: Make, keep: Keep, tmp_path: Path) -> None:
    kept = keep(make())
    for life in range(1, RESTARTS + 2):
        wait_for(lambda life=life: len(kept.ready) == life)
        kept.die(3, f"RuntimeError: death {life}")
    wait_for(lambda: kept.error)

    assert isinstance(kept.error, EngineUnavailable)
    assert "started again 3 times" in kept.error.message
    assert f"death {RESTARTS + 1}" in kept.error.message
    assert str(tmp_path / "logs" / "server.log") in kept.error.hint
    assert [note.split(" in ")[-1].split(" s ")[0] for note in kept.notes] == ["0.01", "0.02", "0.04"]
    assert gone(tmp_path)


def test_a_restart_that_fails_counts_as_one(make: Make, keep: Keep, tmp_path: Path) -> None:
    kept = keep(make(once=str(tmp_path / "once")))
    wait_for(lambda: kept.ready)

    kept.die(1, "first")
    wait_for(lambda: kept.error)

    assert len(kept.ready) == 1
    assert len(kept.notes) == RESTARTS
    assert "it only went well once" in str(kept.error)


def test_a_first_start_that_fails_is_not_tried_again(make: Make, keep: Keep) -> None:
    kept = keep(make(says=["ValueError: no luck"], dies=1))
    wait_for(lambda: kept.error)

    assert "no luck" in str(kept.error)
    assert kept.notes == []
    assert kept.supervisor.tail(5) == ["ValueError: no luck"]
