"""The engines, which of them answers, and who is reading from it: an engine is closed only when nobody does."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from app.engines.registry import AUTO, ENGINES, Choice, check_name, choose, create
from app.errors import EngineUnavailable
from app.schema import OnProgress, Progress

if TYPE_CHECKING:
    from app.config import Settings
    from app.engines.base import Engine

log = logging.getLogger(__name__)

CHOICE_SECONDS = 5.0
"""How long a look at the engines is believed."""


class Lease:
    """An engine that stays open until :meth:`release`; as a context manager too."""

    def __init__(self, choice: Choice, release: Callable[[], None]) -> None:
        self.engine = choice.engine
        self.skipped = choice.reasons
        self._release: Callable[[], None] | None = release
        self._lock = threading.Lock()

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        with self._lock:
            release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Engine:
        return self.engine

    def __exit__(self, *exc: object) -> None:
        self.release()


class EnginePool:
    """All engines by name, one of them live. Safe from several threads.

    An answer holds a :class:`Lease` on its engine from its first step to its last.
    """

    def __init__(self, settings: Settings, make: Callable[[str, Settings], Engine] = create) -> None:
        self._settings = settings
        self._make = make
        self._engines = {name: make(name, settings) for name in ENGINES}
        self._wanted: str = settings.llm_engine
        self._models: dict[str, str | None] = {}  # those that use() named
        self._choices: dict[str, tuple[float, Choice]] = {}
        self._readers: Counter[int] = Counter()  # by id() of the engine
        self._retired: dict[int, Engine] = {}  # closed when their last reader leaves
        self._paused: set[int] = set()  # being drained: nobody new gets in
        self._changes = 0  # of the live engine: a choice from before one is stale
        self._progress: Progress | None = None
        self._closed = False
        self._changed = threading.Condition(threading.RLock())

    @property
    def wanted(self) -> str:
        """The engine that is to answer: ``auto`` or a name."""
        return self._wanted

    @property
    def wanted_model(self) -> str | None:
        """Its model, where a switch named one; None for that of the settings."""
        with self._changed:
            return next(iter(self._models.values()), None)

    @property
    def engines(self) -> dict[str, Engine]:
        """Each engine by its name, as it is now."""
        with self._changed:
            return dict(self._engines)

    @property
    def progress(self) -> Progress | None:
        """What is being loaded now, whoever asked for it."""
        return self._progress

    def readers(self, name: str) -> int:
        """How many answers the engine ``name`` is writing."""
        with self._changed:
            return self._readers[id(self._engines[name])]

    def choice(self, name: str | None = None) -> Choice:
        """The engine that would answer now, ``name`` before the live one, and why others were skipped.

        Raises:
            ConfigError: no engine has this name.
            EngineUnavailable: none is ready.
        """
        return self._choose(name)[0]

    @property
    def answering(self) -> str:
        """The name of the engine that would answer now; empty where none is ready."""
        try:
            return self.choice().engine.name
        except EngineUnavailable:
            return ""

    def _choose(self, name: str | None) -> tuple[Choice, int]:
        """The choice, and after how many changes of the live engine it was made."""
        with self._changed:
            wanted, changes = check_name(name) if name else self._wanted, self._changes
            at, choice = self._choices.get(wanted, (0.0, None))
            if choice is not None and time.monotonic() - at < CHOICE_SECONDS:
                return choice, changes
            engines = dict(self._engines)
        choice = choose(wanted, engines)
        for status in choice.reasons:
            log.info("engine %s skipped: %s", status.name, status.detail)
        with self._changed:
            if changes == self._changes:
                self._choices[wanted] = (time.monotonic(), choice)
        return choice, changes

    def forget_choices(self) -> None:
        """Look at the engines anew for the next question."""
        with self._changed:
            self._choices.clear()

    def lease(self, name: str | None = None) -> Lease:
        """The engine that answers now, kept open. Waits while a switch makes room for another one.

        Raises:
            ConfigError, EngineUnavailable: see :meth:`choice`.
        """
        while True:
            choice, changes = self._choose(name)
            if lease := self._take(choice, changes):
                return lease
            with self._changed:  # it is being replaced: who answers afterwards?
                self._changed.wait_for(lambda engine=choice.engine: id(engine) not in self._paused)  # type: ignore[misc]

    def lease_instead(self, tried: Iterable[str]) -> Lease | None:
        """The next ready engine that is not among ``tried``; None when nobody is left."""
        tried = set(tried)
        while True:
            with self._changed:
                self._choices.clear()
                left = {name: engine for name, engine in self._engines.items() if name not in tried}
                changes = self._changes
            try:
                choice = choose(AUTO, left)
            except EngineUnavailable:
                return None
            if lease := self._take(choice, changes):
                return lease
            if changes == self._changes:  # it is making room for another one
                tried.add(choice.engine.name)

    def _take(self, choice: Choice, changes: int) -> Lease | None:
        engine = choice.engine
        with self._changed:
            if self._closed:
                raise EngineUnavailable("Hotswap is shutting down.", "Start it again.")
            if changes != self._changes or id(engine) in self._paused:
                return None
            self._readers[id(engine)] += 1
        return Lease(choice, lambda: self._left(engine))

    def _left(self, engine: Engine) -> None:
        with self._changed:
            self._readers[id(engine)] -= 1
            last = not self._readers[id(engine)]
            if last:
                del self._readers[id(engine)]
            self._changed.notify_all()
            unused = last and id(engine) in self._retired
        if unused:  # closing takes seconds, and this may be an event loop
            threading.Thread(target=self._close, args=(engine,), name="engine-close").start()

    def load(self, engine: Engine, on_progress: OnProgress = lambda progress: None) -> None:
        """``engine.load``, so that :attr:`progress` tells about it. Raises EngineError."""

        def note(progress: Progress) -> None:
            self._progress = progress
            on_progress(progress)

        try:
            engine.load(note)
        finally:
            self._progress = None

    # for the switch

    def _pause(self) -> None:
        """Nobody new gets in to an engine that takes memory; who asks for one waits for the next live one."""
        with self._changed:
            self._paused = {id(engine) for engine in self._engines.values() if engine.takes_memory}

    def _resume(self) -> None:
        """Everything stays as it was."""
        with self._changed:
            self._paused.clear()
            self._changed.notify_all()

    def _go_live(self, engine: Engine, wanted: str, model: str | None) -> list[Engine]:
        """What ``engine`` replaces; it is closed at once, or when its last reader leaves."""
        with self._changed:
            replaced = [
                old
                for old in self._engines.values()
                if old is not engine and (old.loaded or old.name == engine.name or self._readers[id(old)])
            ]
            for old in replaced:
                self._engines[old.name] = self._make(old.name, self._settings)
            self._engines[engine.name] = engine
            self._wanted = wanted
            self._models = {engine.name: model}
            self._choices.clear()
            self._changes += 1
            self._paused.clear()
            self._changed.notify_all()
            self._retired |= {id(old): old for old in replaced}
            unused = [old for old in replaced if not self._readers[id(old)]]
        for old in unused:
            self._close(old)
        return replaced

    def _reading(self, engines: Iterable[Engine]) -> int | None:
        """How many still read from ``engines``; None when nobody does and the retired ones of them are closed."""
        with self._changed:
            busy = [engine for engine in engines if self._readers[id(engine)] or id(engine) in self._retired]
            return sum(self._readers[id(engine)] for engine in busy) if busy else None

    def _wait(self, seconds: float) -> None:
        """Until something changes, at most ``seconds``."""
        with self._changed:
            self._changed.wait(seconds)

    def _close(self, engine: Engine) -> None:
        engine.close()
        log.info("engine %s closed", engine.name)
        with self._changed:
            self._retired.pop(id(engine), None)
            self._changed.notify_all()

    def close(self) -> None:
        """Close every engine at once; answers under way break off."""
        with self._changed:
            self._closed = True
            engines = [*self._engines.values(), *self._retired.values()]
            self._retired.clear()
            self._paused.clear()
            self._changed.notify_all()
        for engine in engines:
            engine.close()
