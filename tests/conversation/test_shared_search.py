from __future__ import annotations

import asyncio
import threading

import pytest
from langchain_core.documents import Document

from app.conversation.shared_search import SharedSearch
from app.errors import CollectionError


class Retriever:
    """Counts its searches; the first one fails if it is told to."""

    def __init__(self, fails: bool = False) -> None:
        self.searches: list[str] = []
        self.fails = fails
        self.go_on = threading.Event()

    def invoke(self, input: str) -> list[Document]:
        self.searches.append(input)
        assert self.go_on.wait(20)
        if self.fails:
            self.fails = False
            raise CollectionError("There is no collection.")
        return [Document(input)]

    async def ainvoke(self, input: str) -> list[Document]:
        raise NotImplementedError


def test_who_comes_meanwhile_waits_for_the_same_documents() -> None:
    retriever = Retriever()
    search = SharedSearch(lambda: retriever)
    found: list[list[Document]] = []
    threads = [threading.Thread(target=lambda: found.append(search.invoke("q"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    retriever.go_on.set()
    for thread in threads:
        thread.join(20)
    found.append(asyncio.run(search.ainvoke("q")))
    assert [documents[0].page_content for documents in found] == ["q"] * 3 and retriever.searches == ["q"]
    assert search.invoke("another")[0].page_content == "another"


def test_a_search_that_failed_is_tried_anew() -> None:
    retriever = Retriever(fails=True)
    retriever.go_on.set()
    search = SharedSearch(lambda: retriever)
    with pytest.raises(CollectionError):
        search.invoke("q")
    assert search.invoke("q")[0].page_content == "q"
