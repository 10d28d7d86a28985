"""Models of sentence-transformers on this disk: found, looked at and loaded, without asking any network.

The library only ever gets a folder: names are resolved by us, so that mirrors and OFFLINE hold for it too.
"""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import EmbedderUnavailable, HotswapError, ModelDamaged, ModelMissing, RerankerUnavailable
from app.imports import IMPORTING
from app.models import find, inspect, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_ORG = "sentence-transformers"  # whose models may be named without it, as the library allows
_BARE_NAME = re.compile(r"\w[\w.-]*(@.+)?")
_FETCH = re.compile(r"(`python download_model\.py [^`]*?)(?: --(?:embedding|reranker))?`")
_PICKLES = (".bin", ".pt", ".pth", ".pkl")


@dataclass(frozen=True)
class Kind:
    """``noun`` is what messages call such a model, ``option`` what tells the downloader that it is one."""

    noun: str
    setting: str
    option: str
    example: str
    error: type[HotswapError]


EMBEDDING = Kind(
    "an embedding model", "EMBEDDING_MODEL", "--embedding", "Qwen/Qwen3-Embedding-0.6B", EmbedderUnavailable
)
RERANKER = Kind("a reranker", "RERANKER_MODEL", "--reranker", "BAAI/bge-reranker-v2-m3", RerankerUnavailable)
_NOUNS = {"embedding": EMBEDDING.noun, "reranker": RERANKER.noun, "chat": "a language model"}


@dataclass(frozen=True)
class Allowed:
    """What a model may do while it is loaded, and ``shelf``, the folder that fetched ones lie in."""

    shelf: Path | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False


def find_whole(kind: Kind, name: str, allowed: Allowed) -> Path:
    """The folder of a model, given as folder or name, after a look at its files. Raises ``kind.error``."""
    try:
        folder = _find(kind, name, allowed.shelf)
        parts = _parts(folder)
        facts = inspect(folder) if (folder / "config.json").is_file() else None
        real = kind_of(folder)
    except (ModelMissing, ModelDamaged) as error:
        raise kind.error(error.message, _FETCH.sub(rf"\1 {kind.option}`", error.hint)) from None
    if (real == "reranker") != (kind is RERANKER):
        hint = f"Set {kind.setting} to {kind.noun}, such as {kind.example}."
        raise kind.error(f"{name} is {_NOUNS[real]}, not {kind.noun}.", hint)
    pickled = (facts is not None and facts.pickled) or any(map(_has_only_pickles, parts))
    if pickled and not allowed.allow_pickle:
        raise kind.error(
            f"{name} has pickled weights, which can run code when they are loaded.",
            "Take its safetensors edition, or set ALLOW_PICKLE=true if you trust it.",
        )
    return folder


def load(kind: Kind, name: str, folder: Path, allowed: Allowed) -> Any:
    """The library's model, on the device that it finds best. Raises ``kind.error``."""
    # OpenMP's threads spin while they wait, which on a busy machine costs several times what it saves.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with IMPORTING:
        from sentence_transformers import CrossEncoder, SentenceTransformer
        from transformers.utils import logging as transformers_logging
    for library in ("sentence_transformers", "transformers"):
        logging.getLogger(library).setLevel(logging.ERROR)

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # stderr belongs to our own progress
    loader: Callable[..., Any] = CrossEncoder if kind is RERANKER else SentenceTransformer
    try:
        with IMPORTING:  # the classes of the model's kind come in only now
            return loader(
                str(folder),
                trust_remote_code=allowed.trust_remote_code,
                local_files_only=True,
                model_kwargs={"use_safetensors": None if allowed.allow_pickle else True},
            )
    except Exception as error:  # the library raises whatever its many loaders raise
        log.debug("%s could not be loaded", name, exc_info=error)
        if "trust_remote_code" in str(error):
            message = f"{name} brings code of its own, which is not run unasked."
            raise kind.error(message, "Set TRUST_REMOTE_CODE=true if you trust it.") from error
        message = f"{name} could not be loaded as {kind.noun}: {error}"
        raise kind.error(message, f"Fetch or copy it again, or correct {kind.setting}.") from error


def _find(kind: Kind, name: str, shelf: Path | None) -> Path:
    try:
        return find(name, setting=kind.setting, shelf=shelf)
    except ModelMissing as error:
        if kind is RERANKER or not _BARE_NAME.fullmatch(name) or os.path.lexists(name):
            raise
        try:
            return find(f"{_ORG}/{name}", setting=kind.setting, shelf=shelf)
        except ModelMissing:
            raise error from None


def _parts(folder: Path) -> list[Path]:
    """The folders of the parts that the library puts together; none where the model is a transformer alone."""
    listed = folder / "modules.json"
    if not listed.is_file():
        return []
    try:
        return [folder / str(part["path"]) for part in json.loads(listed.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):
        raise ModelDamaged(f"{listed} cannot be read.", f"Fetch or copy the whole model to {folder} again.") from None


def _has_only_pickles(part: Path) -> bool:
    suffixes = {path.suffix for path in part.glob("*")}
    return ".safetensors" not in suffixes and not suffixes.isdisjoint(_PICKLES)
