"""One vLLM server as a process: begun, awaited until it answers, ended with everything that it started."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

from app.engines import reaper
from app.engines.http import error_text, fetch
from app.engines.routing.served import SEE_LOG, hidden
from app.engines.vllm_server_faults import not_started
from app.engines.vllm_server_log import ServerLog
from app.engines.vllm_server_plan import ServerPlan
from app.errors import EngineTimeout, EngineUnavailable, HotswapError
from app.schema import OnProgress, Progress

PATIENCE = 3600.0
"""Seconds that a server may take until it answers; large models come from slow disks."""
FIRST_TOKEN_SECONDS = 300.0
END_SECONDS = 5.0
"""How long a server may take to end by itself."""
LOOK_SECONDS = 0.2
_LAST_WORDS_SECONDS = 2.0
_ENDING_SECONDS = 10.0  # a server whose engine has died fails its requests, and ends some seconds later


class VllmServer:
    """Runs from the beginning; whoever makes one has to call :meth:`end`."""

    def __init__(self, plan: ServerPlan) -> None:
        """Raises DataFolderError where its log cannot be written."""
        self._plan = plan
        self.log = ServerLog(plan.log_file)
        self._process = subprocess.Popen(
            plan.command,
            env=dict(plan.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # its group can be killed as one, and Ctrl-C is ours alone
        )
        self.pid = self._process.pid
        self._began = reaper.started(self.pid)
        reaper.watch(self.pid)
        assert self._process.stdout is not None
        self.log.read(self._process.stdout)

    @property
    def ended(self) -> int | None:
        """The exit status, as ``subprocess`` has it; None while it runs."""
        return self._process.poll()

    def wait_until_ready(
        self, on_progress: OnProgress, cancelled: Callable[[], bool], patience: float = PATIENCE
    ) -> bool:
        """Until it has written one token, or until ``cancelled``; whether it has.

        Raises:
            HotswapError: why it ended, or why it never answers.
            EngineTimeout: it did not answer within ``patience`` seconds.
        """
        begun = time.monotonic()
        while not cancelled():
            if self.ended is not None:
                raise self._failure()
            if self._serves():
                if self._writes() and not cancelled():
                    return True
                continue
            passed = time.monotonic() - begun
            if passed > patience:
                raise EngineTimeout(
                    f"The server of {self._plan.name} did not answer within {patience:g} seconds ({self.log.step}).",
                    SEE_LOG,
                )
            on_progress(Progress("loading", item=self._plan.name, detail=f"{self.log.step}, {passed:.0f} s"))
            time.sleep(LOOK_SECONDS)
        return False

    def terminate(self) -> None:
        """Ask it to end; returns at once."""
        with suppress(OSError):
            self._process.terminate()

    def end(self) -> None:
        """End it, in :data:`END_SECONDS` or by force, and all that it started; returns when they are gone."""
        try:
            if self.ended is None:
                self.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_SECONDS)
        finally:
            reaper.kill(self.pid, self._began)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(reaper.KILL_SECONDS)
            reaper.forget(self.pid)
            self.log.wait(_LAST_WORDS_SECONDS)

    def _serves(self) -> bool:
        """Whether it answers, and has the model."""
        try:
            if fetch("GET", self._plan.url.removesuffix("/v1") + "/health").status_code != 200:
                return False
            served = fetch("GET", f"{self._plan.url}/models", headers=self._headers()).json()["data"]
            return any(item["id"] == self._plan.name for item in served)
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False

    def _writes(self) -> bool:
        """Whether one token comes; not while it is about to end. Raises EngineUnavailable where it refuses."""
        body: dict[str, Any] = {"model": self._plan.name, "prompt": "Hi", "max_tokens": 1}
        url = f"{self._plan.url}/completions"
        try:
            reply = fetch("POST", url, seconds=FIRST_TOKEN_SECONDS, headers=self._headers(), body=body)
        except httpx.TimeoutException:
            raise EngineTimeout(
                f"The first token of {self._plan.name} did not come within {FIRST_TOKEN_SECONDS:g} seconds.", SEE_LOG
            ) from None
        except httpx.HTTPError:
            return False
        if reply.status_code == 200:
            return True
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_SECONDS)
            return False
        words = hidden(error_text(reply.text), self._plan.key) or "no reason given"
        raise EngineUnavailable(
            f"The server of {self._plan.name} runs, but writes no text ({reply.status_code}): {words}", SEE_LOG
        )

    def _headers(self) -> dict[str, str] | None:
        return {"Authorization": f"Bearer {self._plan.key}"} if self._plan.key else None

    def _failure(self) -> HotswapError:
        reaper.kill(self.pid, self._began)  # what it leaves behind could hold the log open
        self.log.wait(_LAST_WORDS_SECONDS)
        port = httpx.URL(self._plan.url).port or 80
        return not_started(self._plan.name, self._process.wait(), self.log.cause(), port)
