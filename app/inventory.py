"""The models on this machine: where each is, whether it is whole, who runs it, whether it fits; removing one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.engines.registry import create, with_model
from app.errors import EngineError, EngineUnavailable, ModelDamaged, ModelMissing, UsageError
from app.models import SETTINGS, Fit, Kind, Memory, ModelFacts, check, estimate, find, fit, free_memory, kind_of
from app.models.fetching import locked
from app.models.folder import NOTES
from app.models.hub_cache import cached_models, repository
from app.models.manifest import read_manifest
from app.models.shelf import fetched, forget, registered, shelf_name, unwritable

if TYPE_CHECKING:
    from app.config import Settings

Place = Literal["fetched", "registered", "cache"]
ENGINES = ("vllm", "hf")
"""Those that load a model of this disk."""
_CONTEXT = 8192  # tokens, for which the memory is reckoned


@dataclass(frozen=True)
class Verdict:
    """Whether an engine can run a model; ``reason`` says why or why not."""

    engine: str
    runs: bool
    reason: str


@dataclass(frozen=True)
class ModelHere:
    """A model on this disk. ``size`` in bytes; ``problem`` and ``hint`` are empty where it is whole.

    ``fits`` holds one answer for the GPU, where there is one, and one for the RAM: for one conversation of 8,192
    tokens, or as many as the model reads. ``set_as`` are the settings that name it.
    """

    name: str
    path: Path
    place: Place
    kind: Kind | None
    size: int
    problem: str = ""
    hint: str = ""
    quantization: str | None = None
    dtype: str | None = None
    parameters: int | None = None
    fits: tuple[Fit, ...] = ()
    engines: tuple[Verdict, ...] = ()
    set_as: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all of it is here, as far as sizes tell."""
        return not self.problem

    @property
    def is_ours(self) -> bool:
        """Whether its files go with it: those of a folder that was registered and not fetched stay."""
        return self.place != "registered" or (self.path / NOTES).is_dir()

    def as_dict(self) -> dict[str, Any]:
        """The keys that programs rely on."""
        plain = ("name", "place", "kind", "size", "complete", "problem", "hint", "quantization", "dtype", "parameters")
        return {
            **{key: getattr(self, key) for key in plain},
            "path": str(self.path),
            "set_as": list(self.set_as),
            "engines": [asdict(verdict) for verdict in self.engines],
            "memory": [
                {
                    "device": item.memory.device,
                    "name": item.memory.name,
                    "fits": item.fits,
                    "need": item.need.total,
                    "weights": item.need.weights,
                    "kv_cache": item.need.kv_cache,
                    "free": item.memory.free,
                    "total": item.memory.total,
                }
                for item in self.fits
            ],
        }


def models_here(settings: Settings) -> list[ModelHere]:
    """Every model of MODELS_DIR, every folder that was registered, every model in the hub's cache."""
    memories = _memories()
    return [_look(settings, memories, *found) for found in _all(settings)]


def remove_model(settings: Settings, name: str, live: str = "") -> tuple[ModelHere, bool]:
    """Take a model away, by its name or folder. Of a folder that was not fetched by us only the note goes.

    ``live`` is the model that answers now. Gives the model, and whether its files are gone.

    Raises:
        ModelMissing: there is none of that name.
        UsageError: it answers now.
        DownloadError: it is being fetched.
        DiskFull: its folder cannot be written.
    """
    path = Path(os.path.abspath(os.path.expanduser(name)))
    match = next((found for found in _all(settings) if name == found[0] or path == found[1]), None)
    if match is None:
        find(name, setting="the name", shelf=settings.models_folder)  # says what there is instead
        raise ModelMissing(f"{name} was neither fetched nor registered.", "Remove its folder yourself.")
    chosen, folder, place = match
    if live and live in (chosen, str(folder), folder.name):
        raise UsageError(f"{chosen} answers now.", "Switch to another engine or model first.")
    model = _look(settings, [], chosen, folder, place)
    if (folder / NOTES).is_dir():
        with locked(folder, chosen):
            pass
    if place == "registered":
        forget(settings.models_folder, chosen)
    if gone := model.is_ours:
        _delete(repository(chosen) if place == "cache" else folder)
    return model, gone


def _all(settings: Settings) -> Iterator[tuple[str, Path, Place]]:
    shelf = settings.models_folder
    for folder in fetched(shelf):
        yield shelf_name(shelf, folder), folder, "fetched"
    for name, folder in sorted(registered(shelf).items()):
        yield name, folder, "registered"
    for name in cached_models():
        try:
            yield name, find(name), "cache"
        except ModelMissing:
            yield name, repository(name), "cache"


def _look(settings: Settings, memories: Sequence[Memory], name: str, folder: Path, place: Place) -> ModelHere:
    size = _size(repository(name) if place == "cache" else folder)
    try:
        found = find(str(folder), shelf=settings.models_folder)
        kind = kind_of(found)
        facts = check(found, kind)
        _check_unchanged(found)
    except (ModelMissing, ModelDamaged) as error:
        return ModelHere(name, folder, place, None, size, error.message, error.hint)
    set_as = tuple(_set_as(settings, found))
    if facts is None:
        return ModelHere(name, folder, place, kind, size, set_as=set_as)
    return ModelHere(
        name, folder, place, kind, size,
        quantization=facts.quantization,
        dtype=facts.dtype,
        parameters=facts.parameters,
        fits=_fits(facts, memories),
        engines=tuple(_verdict(settings, engine, folder) for engine in ENGINES) if kind == "chat" else (),
        set_as=set_as,
    )  # fmt: skip


def _check_unchanged(folder: Path) -> None:
    """Raises ModelDamaged where a file is not as it was when it was fetched, by its size and time."""
    manifest = read_manifest(folder)
    changed = [path for path in manifest.files if not manifest.unchanged(folder, path)] if manifest else []
    if manifest and changed:
        raise manifest.changed(changed[0])


def _set_as(settings: Settings, folder: Path) -> Iterator[str]:
    for setting in (*SETTINGS.values(), "HF_MODEL_PATH", "HF_DRAFT_MODEL_PATH"):
        value = getattr(settings, setting.lower())
        with suppress(ModelMissing):
            if value and find(value, shelf=settings.models_folder) == folder:
                yield setting


def _memories() -> list[Memory]:
    """The GPU's, where there is one, and the RAM."""
    found = []
    for device in ("cuda", "cpu"):
        with suppress(EngineUnavailable):  # no such device
            found.append(free_memory(device))
    return found


def _fits(facts: ModelFacts, memories: Sequence[Memory]) -> tuple[Fit, ...]:
    need = estimate(facts, context=min(_CONTEXT, facts.context_length or _CONTEXT))
    return tuple(fit(need, memory) for memory in memories)


def _verdict(settings: Settings, engine: str, folder: Path) -> Verdict:
    try:
        status = create(engine, with_model(settings, engine, str(folder))).check()
    except EngineError as error:
        return Verdict(engine, False, str(error))
    return Verdict(engine, status.ready, status.detail if status.ready else f"{status.detail} {status.hint}".strip())


def _size(folder: Path) -> int:
    found = 0
    for where, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(where, file)
            with suppress(OSError):  # gone meanwhile: a fetch puts files in their places
                found += 0 if os.path.islink(path) else os.path.getsize(path)
    return found


def _delete(folder: Path) -> None:
    """In one step out of everybody's sight, then for good."""
    hidden = folder.with_name(f".removed-{folder.name}-{os.getpid()}")
    try:
        os.replace(folder, hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise unwritable(folder.parent, error) from None
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()
