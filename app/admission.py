"""Who may be answered now: so many at once, so many more in line, and nobody beyond them.

A machine that begins every answer at once finishes none in time, and its memory grows with everybody who waits. So
the page and other programs stand in one line, first come, first served; who finds it full is sent away with the time
after which another try is worth it.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from concurrent.futures import Future

from app.errors import ServerStopping, TooBusy

_SMOOTHING = 0.2  # weight of the newest answer in the mean time that one takes
_LONGEST_PAUSE = 60  # seconds that are asked for at most


class Admission:
    """``at_once`` may work, ``in_line`` may wait. Safe from any thread."""

    def __init__(self, at_once: int, in_line: int) -> None:
        self._at_once = at_once
        self._in_line = in_line
        self._line: deque[Turn] = deque()
        self._closed = False
        self._seconds = 1.0  # that an answer takes
        self._changed = threading.Condition()
        self.active = 0
        """How many are at work."""

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    def enter(self) -> Turn:
        """A place; whoever has it must leave it.

        Raises:
            TooBusy: the line is full.
            ServerStopping: nobody is let in any more.
        """
        with self._changed:
            if self._closed:
                raise ServerStopping
            turn = Turn(self)
            if self.active < self._at_once:
                self._call(turn)
            elif len(self._line) < self._in_line:
                self._line.append(turn)
            else:
                raise self._full()
            return turn

    def close(self, patience: float) -> bool:
        """Let nobody in any more, and wait for those at work and in line; whether all ended within ``patience`` s."""
        with self._changed:
            self._closed = True
            done = self._changed.wait_for(lambda: not self.active and not self._line, patience)
            for turn in self._line:
                turn.called.set_exception(ServerStopping())
            self._line.clear()
            return done

    def place(self, turn: Turn) -> int:
        """See :attr:`Turn.place`."""
        with self._changed:
            return self._line.index(turn) + 1 if turn in self._line else 0

    def give_up(self, turn: Turn) -> None:
        """See :meth:`Turn.give_up`."""
        with self._changed:
            if turn in self._line:
                self._line.remove(turn)
                turn.called.set_result(False)
                self._changed.notify_all()

    def leave(self, turn: Turn) -> None:
        """See :meth:`Turn.leave`."""
        self.give_up(turn)
        with self._changed:
            if turn.begun is None:
                return
            self._seconds += _SMOOTHING * (time.monotonic() - turn.begun - self._seconds)
            turn.begun = None
            self.active -= 1
            if self._line:
                self._call(self._line.popleft())
            self._changed.notify_all()

    def _call(self, turn: Turn) -> None:
        self.active += 1
        turn.begun = time.monotonic()
        turn.called.set_result(True)

    def _full(self) -> TooBusy:
        error = TooBusy(
            f"{self.active} questions are being answered and {len(self._line)} wait.",
            "Ask again in a moment, or raise MAX_CONCURRENT_TASKS or MAX_QUEUED_TASKS.",
        )
        error.retry_after = min(_LONGEST_PAUSE, max(1, math.ceil(self._seconds / self._at_once)))
        return error


class Turn:
    """One who wants an answer; see :class:`app.conversation.request.Turn`."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.called: Future[bool] = Future()
        self.begun: float | None = None  # since when it is at work

    @property
    def place(self) -> int:
        """How many are before it, itself included; 0 once it is its turn."""
        return self._admission.place(self)

    def wait(self) -> bool:
        """Until it is its turn; whether it came, or was given up. Raises ServerStopping."""
        return self.called.result()

    async def wait_async(self) -> bool:
        """:meth:`wait` for an event loop."""
        return await asyncio.shield(asyncio.wrap_future(self.called))  # cancelled alone: the line still calls it

    def give_up(self) -> None:
        """Wait no longer; without effect once it is its turn."""
        self._admission.give_up(self)

    def leave(self) -> None:
        """Done, or gone: the next one may come."""
        self._admission.leave(self)
