"""Processes that a library starts by multiprocessing: apart from the script, the terminal and other threads'."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import spawn as spawning
from multiprocessing import util
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import ROOT
from app.engines import reaper
from app.engines.worker_log import WorkerLog, cause
from app.engines.workers import Workers

spawn = multiprocessing.get_context("spawn")


def talk(folder: str) -> None:
    """What a worker does here: says where it is, in a file and on its output."""
    facts = f"{os.getsid(0)} {os.environ.get('HF_HUB_OFFLINE')} {'never' in dir(sys.modules['__main__'])}"
    Path(folder, str(os.getpid())).write_text(facts)
    logging.getLogger("library").info("Loading model weights took 1 second")
    print("said", flush=True)
    raise ValueError("no such layer")


def wait_for_another(folder: str) -> None:
    """As vLLM's processes do."""
    end, before = time.monotonic() + 0.5, time.process_time()
    while time.monotonic() < end:
        os.sched_yield()
    Path(folder, "seconds").write_text(str(time.process_time() - before))


def have_a_child_wait(folder: str) -> None:
    child = start(wait_for_another, Path(folder))
    child.join(60)


def sleep(_: str) -> None:
    time.sleep(600)


def start(target: object, folder: Path) -> BaseProcess:
    process = spawn.Process(target=target, args=(str(folder),))  # type: ignore[arg-type]
    process.start()
    return process


def test_they_begin_in_a_session_of_their_own_with_their_output_in_our_hands(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workers = Workers()
    with workers.starting():
        process = start(talk, tmp_path)
    process.join(60)
    assert process.exitcode == 1
    assert (tmp_path / str(process.pid)).read_text() == f"{process.pid} 1 False"
    assert workers.log.cause(10) == "ValueError: no such layer"
    assert workers.log.step == "loading the weights"
    assert capfd.readouterr() == ("", "")
    workers.end()


def test_another_threads_children_are_left_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    workers = Workers()
    with workers.starting():
        thread = threading.Thread(target=lambda: start(talk, tmp_path).join(60))
        thread.start()
        thread.join()
    assert [path.read_text().split()[0] for path in tmp_path.iterdir()] == [str(os.getsid(0))]
    assert "said" in capfd.readouterr().out
    assert workers.log.cause(10) == ""
    workers.end()


def test_outside_nothing_is_changed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    workers = Workers()
    with pytest.raises(InterruptedError), workers.starting():
        raise InterruptedError
    process = start(talk, tmp_path)
    process.join(60)
    assert (tmp_path / str(process.pid)).read_text().split()[0] == str(os.getsid(0))
    assert "said" in capfd.readouterr().out
    workers.end()


@pytest.mark.parametrize("work", [wait_for_another, have_a_child_wait])
def test_who_waits_leaves_the_processor_to_others(work: Callable[[str], None], tmp_path: Path) -> None:
    workers = Workers()
    with workers.starting():
        process = start(work, tmp_path)
    process.join(60)
    workers.end()
    assert float((tmp_path / "seconds").read_text()) < 0.4


def test_two_engines_started_at_once_come_one_after_the_other() -> None:
    before = util.spawnv_passfds, spawning.get_preparation_data
    first, second = Workers(), Workers()
    entered = threading.Event()

    def enter() -> None:
        with second.starting():
            entered.set()

    thread = threading.Thread(target=enter)
    with first.starting():
        thread.start()
        assert not entered.wait(0.2)
    thread.join(10)
    assert entered.is_set()
    assert (util.spawnv_passfds, spawning.get_preparation_data) == before
    first.end()
    second.end()


def test_the_end_takes_them_all_and_their_watch(tmp_path: Path) -> None:
    workers = Workers()
    with workers.starting():
        processes = [start(sleep, tmp_path) for _ in range(2)]
    assert all(process.is_alive() for process in processes)
    assert reaper._reaper._helper is not None
    workers.end()
    assert not any(process.is_alive() for process in processes)
    assert reaper._reaper._helper is None
    assert workers.log.cause(10) == ""
    workers.end()


def test_what_begins_after_the_end_ends_at_once(tmp_path: Path) -> None:
    workers = Workers()
    workers.end()
    with workers.starting():
        process = spawn.Process(target=sleep, args=(str(tmp_path),))
        try:
            process.start()
        except BrokenPipeError:  # it was gone before it was told what to do
            return
    process.join(10)
    assert not process.is_alive()


def test_a_script_without_a_main_guard_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing, sys\nfrom app.engines.workers import Workers\nprint('once', flush=True)\n"
        "workers = Workers()\nwith workers.starting():\n"
        "    process = multiprocessing.get_context('spawn').Process(target=sys.exit, args=(7,))\n    process.start()\n"
        "process.join()\nprint(process.exitcode)\nworkers.end()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=100)
    assert (done.stdout, done.stderr, done.returncode) == ("once\n7\n", "", 0)


def test_the_log_ends_with_the_last_who_could_write() -> None:
    log = WorkerLog()
    other = os.dup(log.write_end)
    log.close_our_end()
    log.close_our_end()
    os.write(other, b"(EngineCore pid=1) INFO Capturing CUDA graphs: 3 %\n\xff\nOSError: gone")
    os.close(other)
    assert log.cause(10) == "OSError: gone"
    assert log.step == "capturing CUDA graphs"


VLLM_FAILED = """\
(Worker pid=177) WorkerProc failed to start.
(Worker pid=177) Traceback (most recent call last):
(Worker pid=177)   File "worker.py", line 1, in load
(Worker pid=177)     raise ValueError("No module named 'x' in model")
(Worker pid=177) torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.
(EngineCore pid=103) ERROR EngineCore failed to start.
(EngineCore pid=103) Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""  # noqa: E501


def test_the_cause_is_the_last_error_that_does_not_point_at_another() -> None:
    log = WorkerLog()
    os.write(log.write_end, VLLM_FAILED.encode())
    log.close_our_end()
    assert log.cause(10) == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."


@given(st.lists(st.text()))
def test_any_output_has_a_cause_or_none(lines: list[str]) -> None:
    assert cause(lines) == "" or ": " in cause(lines)
    assert "\n" not in cause([line.replace("\n", " ") for line in lines])
