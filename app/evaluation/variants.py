"""Settings to compare: ``NAME=VALUE`` pairs, checked as settings are, and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.config import load_settings
from app.errors import ConfigError, EvaluationError
from app.knowledge.embedder import PACKAGED_NAME
from app.knowledge.sentence_models import EMBEDDING, RERANKER, Allowed, find_whole

if TYPE_CHECKING:
    from app.config import Settings

_HINT = "Write NAME=VALUE, such as STRICTNESS=0.7, RERANKER_MODEL=org/name or EMBEDDING_MODEL=org/name."
_SHOWN = ("embedding_model", "reranker_model", "strictness")
_FIXED = frozenset({"data_dir", "models_dir", "offline", "log_level", "log_file", "api_keys"})
_OF_ENGINES = ("chroma", "llm", "model", "vllm", "ollama", "hf", "max_concurrent")


@dataclass(frozen=True)
class Variant:
    """Settings that differ from those of the product. ``reindexes``: documents must be indexed anew with them."""

    values: dict[str, Any]
    settings: Settings
    reindexes: bool

    @property
    def title(self) -> str:
        """``STRICTNESS=0.7 RERANKER_MODEL=…``."""
        return " ".join(f"{name.upper()}={value}" for name, value in self.values.items())


def variant(pairs: Sequence[str], settings: Settings) -> Variant:
    """The settings that ``pairs`` make of ``settings``.

    Raises:
        EvaluationError: a pair is none, names no setting, or one that search does not depend on.
        ConfigError: a value is impossible.
        EmbedderUnavailable, RerankerUnavailable: a model is not on this disk, or no such model.
    """
    given: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        name = name.strip().lower()
        if not sign or not name:
            raise EvaluationError(f"{pair!r} is no setting with a value.", _HINT)
        if name in type(settings).model_fields and (name in _FIXED or name.startswith(_OF_ENGINES)):
            raise EvaluationError(f"{name.upper()} changes nothing about what is found.", _HINT)
        given[name] = value.strip()
    try:
        checked = load_settings(**given)
    except ConfigError as error:
        raise ConfigError(error.message, _HINT) from None
    values = {name: getattr(checked, name) for name in given}
    reindexes = any(name.startswith(("embedding", "chunk")) for name in given)
    other = Variant(values, settings.model_copy(update=values), reindexes)
    _have_models(other)
    return other


def _have_models(other: Variant) -> None:
    """Said now, not after the first run."""
    settings = other.settings
    allowed = Allowed(settings.models_folder, settings.trust_remote_code, settings.allow_pickle)
    for key, kind in (("embedding_model", EMBEDDING), ("reranker_model", RERANKER)):
        name = other.values.get(key)
        if name and name != PACKAGED_NAME:
            find_whole(kind, name, allowed)


def shown(settings: Settings, other: Variant | None = None) -> dict[str, Any]:
    """The settings that search goes by, and what a variant changes beside them, by their names in capitals."""
    names = dict.fromkeys((*_SHOWN, *(other.values if other else ())))
    return {name.upper(): getattr(settings, name) for name in names}
