"""The models of this machine as the running product handles them: fetched in the background, listed, removed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from app.engines.registry import check_name, create, with_model
from app.errors import ModelMissing, Offline
from app.inventory import ENGINES, ModelHere, models_here, remove_model
from app.jobs import Job, JobBoard
from app.models import Fetched, FetchRequest, fetch, find
from app.models.names import is_name

if TYPE_CHECKING:
    from app.config import Settings
    from app.engines.switch import EngineSwitch
    from app.schema import OnProgress


class ModelJobs:
    """Fetches come one after the other; safe from several threads."""

    def __init__(self, settings: Settings, switch: EngineSwitch) -> None:
        self._settings = settings
        self._switch = switch
        self._fetches = JobBoard[Fetched]()

    def start_fetch(self, request: FetchRequest) -> Job[Fetched]:
        """Have a model on this disk; a job that is cancelled keeps what came."""

        return self._fetches.start(request.name, lambda on_progress: self._fetch(request, on_progress))

    def bring(self, name: str, model: str | None, on_progress: OnProgress) -> None:
        """Fetch what a switch to the engine ``name`` wants: ``model``, or the one of the settings.

        Nothing is done where it is here, where the engine lacks more than it, and while OFFLINE is set.

        Raises:
            ConfigError: no engine has this name, or it takes no model.
            DownloadError: it is not to be had, or did not come whole.
        """
        engine = check_name(name)
        if engine not in ENGINES:
            return
        settings = with_model(self._settings, engine, model)
        wanted = settings.hf_model if engine == "hf" else settings.vllm_model_path
        try:
            find(wanted, shelf=settings.models_folder)
            return
        except ModelMissing as error:
            missing = error
        if create(engine, settings).check().detail == missing.message and is_name(wanted):
            with suppress(Offline):  # the switch then says what is missing
                self._fetch(FetchRequest(wanted, kind="chat"), on_progress)

    def _fetch(self, request: FetchRequest, on_progress: OnProgress) -> Fetched:
        done = fetch(request, self._settings, on_progress)
        self._switch.forget_choices()  # an engine that lacked this model may be ready now
        return done

    def jobs(self) -> list[Job[Fetched]]:
        """Running and recent fetches, newest first."""
        return self._fetches.jobs()

    def here(self) -> list[ModelHere]:
        """The models on this machine."""
        return models_here(self._settings)

    def remove(self, name: str) -> tuple[ModelHere, bool]:
        """Take a model away; it, and whether its files are gone. Raises as :func:`app.inventory.remove_model`."""
        return remove_model(self._settings, name, self._live())

    def close(self) -> None:
        """Stop what is being fetched; what came is kept."""
        self._fetches.close()

    def _live(self) -> str:
        """The model in this process that answers, or waits loaded."""
        loaded = (engine for engine in self._switch.engines.values() if engine.in_process and engine.loaded)
        return next((engine.check().model for engine in loaded), "")
