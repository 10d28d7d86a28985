"""What a process started dies with it, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from app.config import ROOT
from app.engines import reaper
from app.engines.reaper import Reaper

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Prints its number and its child's, and sleeps.
FAMILY = [
    sys.executable,
    "-c",
    "import os, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(os.getpid(), child.pid, flush=True)\ntime.sleep(600)",
]
# An app: watches a family, says the numbers of all, and sleeps.
APP = f"""
import subprocess, sys, time
from app.engines import reaper
family = subprocess.Popen({FAMILY!r}, stdout=subprocess.PIPE, text=True, start_new_session=SESSION)
reaper.watch(family.pid)
print(family.stdout.readline().strip(), reaper._reaper._helper.pid, flush=True)
THEN
"""


def alive(pid: int) -> bool:
    return pid in reaper.running()


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.02)


def app(then: str = "time.sleep(600)", session: bool = True) -> tuple[subprocess.Popen[str], list[int]]:
    """The app, and the numbers of its watched family and its helper."""
    code = APP.replace("SESSION", str(session)).replace("THEN", then)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [int(number) for number in process.stdout.readline().split()]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("session", [True, False])
def test_a_killed_app_takes_its_processes_with_it(session: bool) -> None:
    process, pids = app(session=session)
    assert len(pids) == 3
    assert all(alive(pid) for pid in pids)
    process.kill()
    with process:
        wait_until(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.parametrize("then", ["sys.exit()", "import os; os._exit(3)", "raise ValueError('meant')"])
def test_so_does_one_that_ends_without_closing(then: str, capfd: pytest.CaptureFixture[str]) -> None:
    process, pids = app(then)
    with process:
        wait_until(lambda: not any(alive(pid) for pid in pids))
    capfd.readouterr()


def test_a_child_whose_parent_died_first_is_found_by_its_group() -> None:
    process, (leader, child, helper) = app()
    os.kill(leader, signal.SIGKILL)
    assert alive(child)
    process.kill()
    with process:
        wait_until(lambda: not alive(child) and not alive(helper))


def test_the_death_is_noticed_although_a_fork_keeps_the_pipe_open() -> None:
    then = "import os\nif os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)\ntime.sleep(600)"
    process, pids = app(then)
    wait_until(lambda: len(reaper.family(process.pid, reaper.started(process.pid))) >= 4)
    fork = reaper.family(process.pid, reaper.started(process.pid)) - {process.pid, *pids}
    process.kill()
    process.wait()
    wait_until(lambda: not any(alive(pid) for pid in pids))
    assert any(alive(pid) for pid in fork)
    for pid in fork:
        os.kill(pid, signal.SIGKILL)
    with process:
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_helper_outlives_what_ends_the_app(number: signal.Signals) -> None:
    process, (leader, child, helper) = app()
    assert os.getsid(helper) != os.getsid(process.pid)
    wait_until(lambda: signals_ignored(helper, number) != 0)
    os.kill(helper, number)
    process.kill()
    with process:
        wait_until(lambda: not alive(leader) and not alive(child) and not alive(helper))


def signals_ignored(pid: int, number: signal.Signals) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        mask = next(line.split()[1] for line in file if line.startswith("SigIgn"))
    return int(mask, 16) & (1 << (number - 1))


def test_it_costs_nothing_while_nothing_is_watched(sleeper: subprocess.Popen[bytes]) -> None:
    own = Reaper()
    assert own._helper is None
    for _ in range(2):  # engines come and go
        own.watch(sleeper.pid)
        own.watch(os.getppid())
        assert own._helper is not None
        helper = own._helper.pid
        assert alive(helper)
        own.forget(os.getppid())
        assert alive(helper)
        own.forget(sleeper.pid)
        assert own._helper is None
        assert not alive(helper)
    own.forget(sleeper.pid)
    assert alive(sleeper.pid)
    assert alive(os.getppid())


def test_a_helper_that_was_killed_is_started_again_and_told_everything() -> None:
    then = (
        "helper = reaper._reaper._helper\nhelper.kill()\nhelper.wait()\n"
        f"other = subprocess.Popen({SLEEP!r})\nreaper.watch(other.pid)\n"
        "print(other.pid, reaper._reaper._helper.pid, flush=True)\ntime.sleep(600)"
    )
    process, pids = app(then)
    assert process.stdout is not None
    pids += [int(number) for number in process.stdout.readline().split()]
    process.kill()
    with process:
        wait_until(lambda: not any(alive(pid) for pid in pids))


def test_a_later_process_of_the_same_number_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    assert reaper.family(sleeper.pid, "another time") == set()
    reaper.kill(sleeper.pid, "another time")
    assert sleeper.poll() is None
    assert reaper.family(sleeper.pid, reaper.started(sleeper.pid)) == {sleeper.pid}
    reaper.kill(sleeper.pid, reaper.started(sleeper.pid))
    assert sleeper.wait(5) == -signal.SIGKILL
    assert reaper.started(sleeper.pid) == ""
    reaper.kill(sleeper.pid, "long ago")


def test_what_ps_lists_is_what_proc_holds(sleeper: subprocess.Popen[bytes]) -> None:
    """Systems without /proc ask ps."""
    listed, table = reaper._listed(), reaper.running()
    for pid in (os.getpid(), sleeper.pid):
        assert listed[pid][:2] == table[pid][:2]
        assert listed[pid].started
