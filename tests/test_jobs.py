"""Background jobs: their order, progress, end, and how they are stopped."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from app.errors import DamagedDocument, HotswapError
from app.jobs import Job, JobBoard
from app.schema import IngestReport, OnProgress, Progress

SOON = 10.0  # seconds; a hanging test fails instead of waiting for ever


@pytest.fixture
def board() -> Iterator[JobBoard]:
    board = JobBoard()
    yield board
    board.close()


def until(gate: threading.Event) -> Callable[[OnProgress], IngestReport]:
    """Work that ends when ``gate`` opens."""

    def work(on_progress: OnProgress) -> IngestReport:
        assert gate.wait(SOON)
        return IngestReport()

    return work


def test_a_job_ends_with_its_report(board: JobBoard) -> None:
    job = board.start("two files", lambda on_progress: IngestReport(added=2))

    assert job.wait(SOON)
    assert (job.state, job.running, job.error) == ("done", False, None)
    assert job.result == IngestReport(added=2)


def test_a_job_that_has_ended_keeps_nothing_of_what_it_was_given(board: JobBoard) -> None:
    class Secret:
        pass

    given = Secret()
    forgotten = weakref.ref(given)

    def work(on_progress: OnProgress, given: Secret = given) -> IngestReport:
        return IngestReport()

    job = board.start("a secret", work)
    assert job.wait(SOON)
    del given, work
    gc.collect()

    assert forgotten() is None


def test_progress_is_seen_while_it_runs(board: JobBoard) -> None:
    told, seen = threading.Event(), threading.Event()

    def work(on_progress: OnProgress) -> IngestReport:
        on_progress(Progress("reading", 1, 3, "guide.md"))
        told.set()
        seen.wait(SOON)
        return IngestReport()

    job = board.start("guide", work)

    assert told.wait(SOON)
    assert (job.state, job.running) == ("running", True)
    assert job.progress == Progress("reading", 1, 3, "guide.md")
    seen.set()
    assert job.wait(SOON)


def test_one_runs_at_a_time_in_the_order_given(board: JobBoard) -> None:
    running: list[str] = []
    ended: list[str] = []

    def work(name: str) -> IngestReport:
        running.append(name)
        assert len(running) == 1
        running.remove(name)
        ended.append(name)
        return IngestReport()

    jobs = [board.start(name, lambda on_progress, name=name: work(name)) for name in "abcdef"]

    assert all(job.wait(SOON) for job in jobs)
    assert [job.state for job in jobs] == ["done"] * 6
    assert ended == list("abcdef")
    assert [job.title for job in board.jobs()] == list("fedcba")


def test_an_expected_error_is_kept_with_its_hint(board: JobBoard) -> None:
    def work(on_progress: OnProgress) -> IngestReport:
        raise DamagedDocument("x.pdf is cut off.", "Get it again.")

    job = board.start("x.pdf", work)

    assert job.wait(SOON)
    assert (job.state, job.result) == ("failed", None)
    assert isinstance(job.error, DamagedDocument)
    assert job.error.hint == "Get it again."


def test_any_other_exception_ends_the_job_with_a_reason_and_not_the_board(
    board: JobBoard, caplog: pytest.LogCaptureFixture
) -> None:
    def work(on_progress: OnProgress) -> IngestReport:
        raise ZeroDivisionError("by zero")

    with caplog.at_level(logging.ERROR):
        job = board.start("odd", work)
        assert job.wait(SOON)

    assert job.state == "failed"
    assert isinstance(job.error, HotswapError)
    assert "ZeroDivisionError: by zero" in job.error.message
    assert "Traceback" in caplog.text  # the log has the details, as the hint says
    assert board.start("next", lambda on_progress: IngestReport()).wait(SOON)


def test_cancel_stops_the_work_at_its_next_progress(board: JobBoard) -> None:
    started, undone = threading.Event(), threading.Event()

    def work(on_progress: OnProgress) -> IngestReport:
        started.set()
        try:
            while True:
                on_progress(Progress("reading"))
        finally:
            undone.set()

    job = board.start("endless", work)
    assert started.wait(SOON)
    job.cancel()

    assert job.wait(SOON)
    assert job.state == "cancelled"
    assert (job.result, job.error) == (None, None)
    assert undone.is_set()


def test_a_job_cancelled_while_it_waits_never_begins(board: JobBoard) -> None:
    first = threading.Event()
    began: list[str] = []
    blocking = board.start("first", until(first))

    def work(on_progress: OnProgress) -> IngestReport:
        began.append("second")
        return IngestReport()

    waiting = board.start("second", work)
    waiting.cancel()
    first.set()

    assert blocking.wait(SOON) and waiting.wait(SOON)
    assert waiting.state == "cancelled"
    assert began == []


def test_closing_ends_what_runs_and_what_waits() -> None:
    board = JobBoard()
    started = threading.Event()

    def endless(on_progress: OnProgress) -> IngestReport:
        started.set()
        while True:
            on_progress(Progress("reading"))

    jobs = [board.start(f"job {number}", endless) for number in range(3)]
    assert started.wait(SOON)
    board.close()

    assert [job.state for job in jobs] == ["cancelled"] * 3
    assert all(job.wait(0) for job in jobs)  # nobody who waits for one of them waits for ever


def test_old_jobs_leave_the_list_and_running_ones_never() -> None:
    board = JobBoard()
    gate = threading.Event()
    jobs: list[Job] = []
    try:
        for _ in range(40):
            jobs.append(board.start("short", lambda on_progress: IngestReport()))
            assert jobs[-1].wait(SOON)
        running = board.start("long", until(gate))
        listed = board.jobs()
        assert listed[0] is running
        assert listed[1] is jobs[-1]
        assert len(listed) < 30
    finally:
        gate.set()
        board.close()


def test_ids_differ(board: JobBoard) -> None:
    jobs = [board.start("same", lambda on_progress: IngestReport()) for _ in range(10)]

    assert len({job.id for job in jobs}) == 10
