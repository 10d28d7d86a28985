from __future__ import annotations

from langchain_core.documents import Document

from app.conversation.passages import as_passages
from app.schema import Passage
from tests.conversation.parts import INSTALL, MEMORY


def test_our_retrievers_metadata_is_taken_over() -> None:
    assert as_passages([INSTALL]) == (
        Passage("install.md", 100, 100 + len(INSTALL.page_content), 2, "Setup", INSTALL.page_content, 1.5, 7, "aa"),
    )


def test_a_foreign_retriever_may_say_less() -> None:
    text = MEMORY.page_content
    assert as_passages([MEMORY, Document("x"), Document(" \n")]) == (
        Passage("memory.md", 0, len(text), None, "", text, 0.0),
        Passage("", 0, 1, None, "", "x", 0.0),
    )
    assert as_passages([Document("x", metadata={"page": "iv", "start": None})])[0].page is None
