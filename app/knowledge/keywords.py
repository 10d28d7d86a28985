"""The keyword index of one collection: BM25 over our own terms, kept by tantivy.

Terms are cut by :func:`app.text.terms` and :func:`app.text.pairs` before they reach tantivy, the same way for documents
and questions, so that Chinese is searched by words. The index can be rebuilt from the catalog at any time; nothing is
kept in it alone.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.text import pairs, terms

# Bytes; tantivy's smallest budget is 15 MB a thread, and one thread keeps commits in order.
_WRITER_HEAP = 30_000_000
K1 = 1.2  # tantivy's, as is b = 0.75
PAIRS = 0.45  # what a pair of neighbours counts beside a word (docs/log.md)


class KeywordIndex:
    """BM25 search (k1 = 1.2, b = 0.75: tantivy's) over chunks, by chunk id. Safe from several threads."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        builder = tantivy.SchemaBuilder()
        builder.add_integer_field("chunk", stored=True, indexed=True)
        builder.add_integer_field("document", stored=False, indexed=True)
        for field in ("body", "pairs"):
            builder.add_text_field(field, stored=False, tokenizer_name="whitespace", index_option="freq")
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema, path=str(folder))
        self._lock = threading.Lock()
        self._reload()

    def _reload(self) -> None:
        self._index.reload()
        segments = json.loads((self._folder / "meta.json").read_text(encoding="utf-8"))["segments"]
        self._size = sum(segment["max_doc"] for segment in segments)  # as tantivy counts: with what is deleted in them

    @contextmanager
    def _writer(self) -> Iterator[Any]:
        with self._lock, self._index.writer(_WRITER_HEAP, 1) as writer:
            # A process that was killed may have left files of the commit that it was about to make, and tantivy
            # does not write over them.
            writer.garbage_collect_files()
            yield writer

    def add(self, document_id: int, chunks: Iterable[tuple[int, str]]) -> None:
        """Index the chunks (id, text) of one document, all or none; what it had before is replaced."""
        import tantivy

        rows = [(chunk_id, " ".join(terms(text)), " ".join(pairs(text))) for chunk_id, text in chunks]
        with self._writer() as writer:
            writer.delete_documents_by_term("document", document_id)
            for chunk_id, body, couples in rows:
                writer.add_document(tantivy.Document(chunk=chunk_id, document=document_id, body=body, pairs=couples))
            writer.commit()
        self._reload()

    def remove(self, document_ids: Iterable[int]) -> None:
        """Forget these documents and free what they took on disk."""
        with self._writer() as writer:
            for document_id in document_ids:
                writer.delete_documents_by_term("document", document_id)
            writer.commit()
            writer.garbage_collect_files()
        self._reload()

    def search(self, question: str, k: int) -> list[tuple[int, float]]:
        """The ``k`` best chunk ids with their scores, best first; a repeated term counts as often.

        A score is the BM25 of the question's words plus a part of that of its pairs.
        """
        return self.search_terms(terms(question), pairs(question, asked=True), k)

    def search_terms(self, words: Sequence[str], couples: Sequence[str], k: int) -> list[tuple[int, float]]:
        """:meth:`search` for a question that is cut already."""
        import tantivy

        clauses: list[Any] = []
        for field, share, found in (("body", 1.0, words), ("pairs", PAIRS, couples)):
            for term, count in Counter(found).items():
                query = tantivy.Query.term_query(self._schema, field, term, "freq")
                clauses.append((tantivy.Occur.Should, tantivy.Query.boost_query(query, share * count)))
        if not clauses:
            return []
        searcher = self._index.searcher()
        hits = searcher.search(tantivy.Query.boolean_query(clauses), k).hits
        return [(searcher.doc(address)["chunk"][0], score) for score, address in hits]

    def frequencies(self, words: Iterable[str], couples: Iterable[str]) -> tuple[int, dict[str, int], dict[str, int]]:
        """How many chunks there are, and how many of them hold each word and each pair."""
        searcher = self._index.searcher()
        # tantivy goes on counting removed chunks and their terms until it merges their segment.
        size = max(self._size, searcher.num_docs)
        return (
            size,
            {word: min(size, searcher.doc_freq("body", word)) for word in words},
            {couple: min(size, searcher.doc_freq("pairs", couple)) for couple in couples},
        )

    def destroy(self) -> None:
        """Delete the index from disk."""
        with self._lock:
            shutil.rmtree(self._folder, ignore_errors=True)
