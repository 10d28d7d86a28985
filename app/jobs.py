"""Long work in the background: one job after another, each with its progress, its end, and a way to stop it."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Literal, TypeVar

from app.errors import HotswapError
from app.schema import OnProgress, Progress

log = logging.getLogger(__name__)
T = TypeVar("T")

State = Literal["waiting", "running", "done", "failed", "cancelled"]
_KEPT = 20  # ended jobs that are still listed


class Cancelled(Exception):
    """Raised inside the work when its job is cancelled."""


class Job(Generic[T]):
    """One piece of background work, safe to read from any thread."""

    def __init__(self, title: str, work: Callable[[OnProgress], T]) -> None:
        self.id = secrets.token_urlsafe(8)
        self.title = title
        self.begun = time.monotonic()
        self.state: State = "waiting"
        self.progress = Progress("waiting")
        self.result: T | None = None
        self.error: HotswapError | None = None
        self._work: Callable[[OnProgress], T] | None = work
        self._stop = threading.Event()
        self._ended = threading.Event()

    @property
    def running(self) -> bool:
        """Whether the end is still to come."""
        return not self._ended.is_set()

    def cancel(self) -> None:
        """Ask the work to stop; the file at hand is undone, the files before it stay."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the end, at most ``timeout`` seconds; whether it came."""
        return self._ended.wait(timeout)

    def run(self) -> None:
        """Do the work in this thread."""
        try:
            self._on_progress(Progress("starting"))
            self.state = "running"
            work, self._work = self._work, None  # what it was given, such as a token, is kept no longer than needed
            self.result = work(self._on_progress) if work else None
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except HotswapError as error:
            self.error, self.state = error, "failed"
        except Exception as error:  # a job must end with a reason, whatever a library raised
            log.exception("%s failed", self.title)
            self.error = HotswapError(
                f"{self.title} failed: {type(error).__name__}: {error}", "The log has the details."
            )
            self.state = "failed"
        finally:
            self._ended.set()

    def _on_progress(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise Cancelled
        self.progress = progress


class JobBoard(Generic[T]):
    """Runs jobs one at a time, in order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job")
        self._jobs: list[Job[T]] = []
        self._lock = threading.Lock()

    def start(self, title: str, work: Callable[[OnProgress], T]) -> Job[T]:
        """Queue ``work``."""
        job = Job(title, work)
        with self._lock:
            ended = [item for item in self._jobs if not item.running]
            for item in ended[: max(0, len(ended) - _KEPT)]:
                self._jobs.remove(item)
            self._jobs.append(job)
        self._pool.submit(job.run)
        return job

    def jobs(self) -> list[Job[T]]:
        """Running and recent jobs, newest first."""
        with self._lock:
            return list(reversed(self._jobs))

    def close(self) -> None:
        """Cancel what runs and wait for it."""
        for job in self.jobs():
            job.cancel()
        self._pool.shutdown(wait=True)  # those that still wait end as cancelled, one after the other
