"""What a collection's own texts say about chance: how alike sentences are, and how many words strangers share.

A cosine of 0.5 means much for one embedding model and nothing for another, and in a collection of papers on one
subject all sentences are alike. So both are measured after ingestion, without any labels, and relevance is told on
the scale that comes out (relevance.py).
"""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING

from app.knowledge.evidence import Question
from app.knowledge.titles import titled
from app.text import has_han, pairs, terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.knowledge.catalog import Catalog
    from app.knowledge.keywords import KeywordIndex
    from app.schema import Chunk

LENGTHS = (2, 3, 5, 8, 12, 18)
"""Words of the made-up questions that ``chance`` is measured with."""

_CHUNKS = 240
_TRIES = 60
_LOOKED_AT = 3  # chunks, the best by their words
_FEWEST_SENTENCES = 30
_FEWEST_WORDS = 4
_SAME = 0.98  # cosine of sentences that say the same
_FEWEST_DOCUMENTS = 5  # with fewer, another document is too often another version of the same
_PIECE = {False: 55, True: 14}  # characters of a sentence that stand for a question; True: Chinese


@dataclass(frozen=True)
class Calibration:
    """Of a collection with ``size`` chunks, the last of which is ``newest``.

    ``unrelated``, ``related``: the usual cosine of two sentences taken anywhere, and of neighbours; None where too
    few are embedded. ``overlap``: the share of its words (evidence.py) that a piece of one document finds together in
    the others, nine times in ten no more; 0 where there are few documents. ``chance``: the same for words thrown
    together, by their number (LENGTHS).
    """

    size: int = 0
    newest: int = 0
    unrelated: float | None = None
    related: float | None = None
    overlap: float = 0.0
    chance: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """What :meth:`to_json` gave; nothing measured where ``text`` is empty."""
        if not text:
            return cls()
        data = json.loads(text)
        return cls(**{**data, "chance": tuple(data["chance"])})

    def to_json(self) -> str:
        """As the catalog keeps it."""
        return json.dumps(asdict(self))

    def by_chance(self, words: int) -> float:
        """``chance`` for a question of so many words; 0 where nothing is measured."""
        if not self.chance:
            return 0.0
        after = min(max(1, bisect_left(LENGTHS, words)), len(LENGTHS) - 1)
        low, high = LENGTHS[after - 1 : after + 1]
        part = min(1.0, max(0.0, (words - low) / (high - low)))
        return self.chance[after - 1] + part * (self.chance[after] - self.chance[after - 1])


def calibrate(catalog: Catalog, keywords: KeywordIndex, collection_id: int) -> Calibration:
    """Measure a collection; takes a second or two, whatever its size."""
    ids = catalog.chunk_ids(collection_id)
    step = max(1.0, len(ids) / _CHUNKS)
    spread = [ids[int(index * step)] for index in range(min(_CHUNKS, len(ids)))]
    sample = list(catalog.chunks(spread).values())
    lot = random.Random(0)
    unrelated, related = _likeness(catalog, sample, lot)
    vocabulary = [words for chunk in sample if (words := terms(chunk.text))]
    return Calibration(
        size=len(ids),
        newest=ids[-1] if ids else 0,
        unrelated=unrelated,
        related=related,
        overlap=_overlap(catalog, keywords, sample, lot),
        chance=tuple(_chance(catalog, keywords, vocabulary, length, lot) for length in LENGTHS) if sample else (),
    )


def _likeness(catalog: Catalog, sample: Sequence[Chunk], lot: random.Random) -> tuple[float | None, float | None]:
    groups: list[NDArray[np.float32]] = []
    sentences = catalog.sentences([chunk.id for chunk in sample])
    for chunk in sample:
        found = sentences.get(chunk.id)
        if found is None or found.vectors is None:
            continue
        words = [len(terms(chunk.text[start - chunk.start : end - chunk.start])) for start, end in found.spans]
        # Headings and crumbs are not like what stands beside them.
        if telling := [index for index, count in enumerate(words) if count >= _FEWEST_WORDS]:
            groups.append(found.vectors[telling])
    if sum(map(len, groups)) < _FEWEST_SENTENCES:
        return None, None
    strangers: list[float] = []
    while len(strangers) < 400 and len(groups) > 1:
        one, other = lot.sample(groups, 2)
        cosine = float(lot.choice(one) @ lot.choice(other))
        strangers.append(0.0 if cosine > _SAME else cosine)
    neighbours: list[float] = []
    for vectors in groups:
        if len(vectors) > 1:
            alike = vectors @ vectors.T
            alike[alike > _SAME] = -1.0  # itself, and what is said twice
            neighbours += [float(value) for value in alike.max(axis=1) if value > -1.0]
    if not strangers or not neighbours:
        return None, None
    return fmean(strangers), median(neighbours)


def _overlap(catalog: Catalog, keywords: KeywordIndex, sample: Sequence[Chunk], lot: random.Random) -> float:
    if len({chunk.document_id for chunk in sample}) < _FEWEST_DOCUMENTS:
        return 0.0
    shares: list[float] = []
    for chunk in lot.sample(sample, min(2 * _TRIES, len(sample))):
        length = _PIECE[has_han(chunk.text)]
        start = lot.randrange(max(1, len(chunk.text) - length))
        piece = chunk.text[start : start + length]
        words, couples = terms(piece), pairs(piece, asked=True)
        hits = [item for item, _ in keywords.search_terms(words, couples, 40)]
        chunks = catalog.chunks(hits)
        others = [item for item in hits if item in chunks and chunks[item].document_id != chunk.document_id]
        shares.append(_share(keywords, words, couples, [chunks[item] for item in others[:_LOOKED_AT]]))
    return _nine_in_ten(shares)


def _chance(
    catalog: Catalog, keywords: KeywordIndex, vocabulary: Sequence[Sequence[str]], length: int, lot: random.Random
) -> float:
    shares: list[float] = []
    for _ in range(_TRIES if vocabulary else 0):
        words = [lot.choice(lot.choice(vocabulary)) for _ in range(length)]
        couples = pairs("".join(words) if all(map(has_han, words)) else " ".join(words), asked=True)
        chunks = catalog.chunks([item for item, _ in keywords.search_terms(words, couples, _LOOKED_AT)])
        shares.append(_share(keywords, words, couples, list(chunks.values())))
    return _nine_in_ten(shares)


def _share(keywords: KeywordIndex, words: Sequence[str], couples: Sequence[str], chunks: Sequence[Chunk]) -> float:
    evidence = Question(keywords, words, couples)
    return max((evidence.share(titled(chunk.doc, chunk.heading, chunk.text)) for chunk in chunks), default=0.0)


def _nine_in_ten(shares: Sequence[float]) -> float:
    return quantiles(shares, n=10)[-1] if len(shares) > 1 else 0.0
