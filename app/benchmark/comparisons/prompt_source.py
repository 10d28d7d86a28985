"""The prompts that a comparison asks: made up, out of a file, or the user's own questions with their passages."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.benchmark import synthetic
from app.benchmark.comparisons.own_questions import OwnQuestions
from app.benchmark.notes import note
from app.benchmark.prompt_file import parse
from app.benchmark.prompts import Prompt
from app.errors import BenchmarkError
from app.schema import OnProgress
from app.text import estimate_tokens

if TYPE_CHECKING:
    from app.benchmark.prompts import PromptSource
    from app.knowledge.library import Knowledge

MADE = 50
"""How many questions are made of a collection."""
_FRAME = 16
"""Tokens of role marks around a message."""

Messages = tuple[Mapping[str, str], ...]
Follow = Callable[[Sequence[Prompt], Sequence[str]], Messages]
"""The last of some prompts in a conversation in which the others got these answers."""


def carry_on(prompts: Sequence[Prompt], answers: Sequence[str]) -> Messages:
    """Everything that was said before stays; of the later prompts the instructions are left out."""
    said = list(prompts[0].messages)
    for answer, prompt in zip(answers, prompts[1:], strict=True):
        said.append({"role": "assistant", "content": answer})
        said += [message for message in prompt.messages if message["role"] != "system"]
    return tuple(said)


@dataclass(frozen=True)
class Prompts:
    """``items`` are asked one after the other; when they are used up they are asked again.

    ``own``: they are somebody's, and may share their beginnings. ``told`` says in a few words what they are.
    """

    items: Sequence[Prompt]
    told: str
    own: bool = True
    follow: Follow = carry_on
    grows: bool = True  # whether a conversation keeps all that was said, however long it gets
    notes: tuple[str, ...] = field(default=())

    def take(self, start: int, count: int) -> list[Prompt]:
        """``count`` of them from number ``start`` on."""
        return [self.items[number % len(self.items)] for number in range(start, start + count)]


def gather(
    source: PromptSource, count: int, window: int, knowledge: Knowledge | None, on_progress: OnProgress
) -> Prompts:
    """The prompts of ``source``: where they are made up, ``count`` of them. ``window`` is the smallest engine's.

    Raises:
        BenchmarkError: there are none that could be asked.
        CollectionError: there is no such collection.
    """
    if source.kind == "synthetic":
        made = synthetic.prompts(count, source.tokens, source.seed)
        return Prompts(made, f"synthetic, about {source.tokens} tokens", own=False)
    if source.kind == "prompts":
        items = parse(source.text, source.file or "the file")
        return Prompts(items, note("prompts_of_file", file=source.file or "a file", count=len(items)))
    if knowledge is None:
        raise BenchmarkError("There are no documents here to ask about.", "Use a file of prompts, or synthetic ones.")
    return _own(source, window, knowledge, on_progress)


def fitting(prompts: Prompts, window: int, whose: str, max_tokens: int) -> Prompts:
    """Without those that, as far as can be estimated, leave no room for the answer in the ``window`` of ``whose``.

    Raises:
        BenchmarkError: none is left.
    """
    if not prompts.grows:  # they were cut to it
        return prompts
    kept = [prompt for prompt in prompts.items if size(prompt) + max_tokens <= window]
    if not kept:
        raise BenchmarkError(
            f"No prompt and its answer fit into the {window:,} tokens of {whose}.",
            "Use shorter prompts or answers, or a longer context.",
        )
    if len(kept) == len(prompts.items):
        return prompts
    left_out = note("too_long", count=len(prompts.items) - len(kept), window=window, whose=whose)
    return replace(prompts, items=kept, notes=(*prompts.notes, left_out))


def conversation_fits(prompts: Prompts, turns: int, window: int, max_tokens: int) -> bool:
    """Whether so many turns fit, as far as can be estimated, wherever a conversation begins."""
    longest = max(map(size, prompts.items))
    return not prompts.grows or turns * (longest + max_tokens + _FRAME) <= window


def size(prompt: Prompt) -> int:
    """Tokens of a prompt, about."""
    return sum(_FRAME + estimate_tokens(message["content"]) for message in prompt.messages)


def _own(source: PromptSource, window: int, knowledge: Knowledge, on_progress: OnProgress) -> Prompts:
    from app.conversation.passages import as_passages

    name = source.collection
    knowledge.collection(name)  # says which ones there are where it is none
    if source.kind == "questions":
        asked = parse(source.text, source.file or "the file")
        questions = [prompt.messages[-1]["content"] for prompt in asked]
        told = f"{source.file or 'a file'}, {len(questions)} questions"
    else:
        questions = _made(knowledge, name, source.seed, on_progress)
        told = f"{len(questions)} questions made of {name or 'default'}"
    retriever = knowledge.retriever(name)
    own = OwnQuestions(questions, lambda text: as_passages(retriever.invoke(text)), window, on_progress)
    if not own.prompts:
        raise BenchmarkError(
            f"Of {len(questions)} questions none is put to an engine: the documents hold no answer to them.",
            "Ask about what stands in the collection, or choose another one.",
        )
    notes = [note("refused", count=own.refused)] if own.refused else []
    notes += [note("question_too_long", count=own.too_long, window=window)] if own.too_long else []
    return Prompts(own.prompts, told, follow=own.follow, grows=False, notes=tuple(notes))


def _made(knowledge: Knowledge, collection: str | None, seed: int, on_progress: OnProgress) -> list[str]:
    from app.evaluation.documents import Documents
    from app.evaluation.making import cloze
    from app.evaluation.sentences import sample

    draw = random.Random(seed)
    documents = Documents(knowledge, collection)
    if not documents.known:
        raise BenchmarkError(
            f"The collection {collection or 'default'!r} holds no document.",
            "Add some with `python -m app ingest`, or use synthetic prompts.",
        )
    made = cloze(sample(documents, MADE, draw, on_progress), MADE, draw)
    if not made:
        raise BenchmarkError(
            "The documents hold no sentence that a question could be made of.", "Give a file of questions of your own."
        )
    return [question.question for question in made]
