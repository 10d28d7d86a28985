"""The user's own questions reach an engine in a benchmark as they do in the product, and as the same for all."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.documents import Document

from app.benchmark.comparisons.own_questions import OwnQuestions
from app.conversation.passages import as_passages
from app.conversation.request import Request, Writer
from app.conversation.response import Response
from app.conversation.turns import turns
from app.engines.local_chat import turns as plain
from app.schema import Passage, Progress
from tests.conversation.parts import INSTALL, MEMORY, Given, Scripted

WINDOW = 1200
LONG = Document("Engines differ. " * 2000, metadata={"source": "long.md"})


def product(question: str, found: Sequence[Document], history: Sequence[tuple[str, str]] = ()) -> list[dict[str, str]]:
    """What the product sends to its engine for this question."""
    model = Scripted(pieces=["It ", "does."], reply=question)
    request = Request(
        question, turns(history), lambda: Given(documents=list(found)), lambda: Writer(model, context_window=WINDOW)
    )
    Response(request).wait()
    return plain(model.seen[-1])


def own(questions: Sequence[str], found: Sequence[Document]) -> OwnQuestions:
    return OwnQuestions(questions, lambda question: as_passages(found), WINDOW, lambda progress: None)


def test_a_question_is_put_word_for_word_as_the_product_puts_it() -> None:
    for question in ("How do I install it?", "需要多少内存？"):
        for found in ([INSTALL, MEMORY], [LONG, INSTALL]):
            (prompt,) = own([question], found).prompts
            assert [dict(message) for message in prompt.messages] == product(question, found)


def test_a_conversation_is_put_as_the_product_puts_it() -> None:
    first, second, answer = "How do I install it?", "How much memory does it need?", "With `make setup` [1]."
    asked = own([first, second], [INSTALL, MEMORY])

    said = asked.follow(asked.prompts, [f"<think>Hm.</think>{answer}"])

    assert [dict(message) for message in said] == product(
        second, [INSTALL, MEMORY], [("user", first), ("assistant", answer)]
    )
    assert [message["role"] for message in said] == ["system", "user", "assistant", "user"]


def test_what_no_engine_would_be_asked_is_left_out() -> None:
    told: list[Progress] = []

    def find(question: str) -> Sequence[Passage]:
        return as_passages([INSTALL]) if "install" in question else ()

    asked = OwnQuestions(["Hello!", "How do I install it?", "Who won?", "install " * 2000], find, WINDOW, told.append)

    assert [prompt.id for prompt in asked.prompts] == ["2"]
    assert (asked.refused, asked.too_long) == (2, 1)
    assert [progress.done for progress in told] == [0, 1, 2, 3]
