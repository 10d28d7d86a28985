"""One search for several answers to the same question."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.documents import Document

    from app.conversation.request import Retriever


class SharedSearch:
    """A retriever: whoever comes first searches, and whoever comes later, or meanwhile, is given the same documents.

    A search that failed is tried anew by the next one. Safe from several threads.
    """

    def __init__(self, retriever: Callable[[], Retriever]) -> None:
        self._retriever = retriever
        self._found: dict[str, list[Document]] = {}
        self._lock = threading.Lock()

    def invoke(self, input: str) -> list[Document]:
        """As the retriever's own."""
        with self._lock:
            if input not in self._found:
                self._found[input] = self._retriever().invoke(input)
            return self._found[input]

    async def ainvoke(self, input: str) -> list[Document]:
        """:meth:`invoke` for an event loop."""
        return await asyncio.to_thread(self.invoke, input)
