"""Results as text, for a model or a person to read; programs take the structured form."""

from __future__ import annotations

from typing import Any


def of_search(found: dict[str, Any]) -> str:
    """Each passage below where it comes from."""
    if not found["passages"]:
        return "Nothing found."
    parts = [] if found["relevant"] else ["Nothing in this collection is about the question. The nearest passages:"]
    for number, passage in enumerate(found["passages"], 1):
        heading = f" ({passage['heading']})" if passage["heading"] else ""
        where = f"characters {passage['start']} to {passage['end']}"
        parts.append(f"[{number}] {_place(passage)}{heading}, {where}\n{passage['text'].strip()}")
    return "\n\n".join(parts)


def of_answer(answer: dict[str, Any]) -> str:
    """The answer, what is wrong with it, and its sources."""
    parts = [answer["answer"]]
    if not answer["complete"]:
        parts.append("(The answer broke off and is incomplete.)")
    quotes = [f"[{item['n']}] {_place(item)}: {' '.join(item['text'].split())}" for item in answer["citations"]]
    if quotes:
        parts.append("\n".join(["Sources:", *quotes]))
    if answer["engine"]:
        parts.append(f"(answered by {answer['engine']}{' ' + answer['model'] if answer['model'] else ''})")
    return "\n\n".join(parts)


def of_list(listed: dict[str, Any]) -> str:
    """A line for each document."""
    lines = [f"{listed['total']} documents in collection {listed['collection']!r}:"]
    lines += [f"- {item['doc']} ({item['size']:,} bytes)" for item in listed["documents"]]
    if listed["next"] is not None:
        lines.append(f"The list goes on with start={listed['next']}.")
    others = [name for name in listed["collections"] if name != listed["collection"]]
    if others:
        lines.append(f"Other collections: {', '.join(others)}.")
    return "\n".join(lines)


def of_text(text: dict[str, Any]) -> str:
    """The text below where it comes from."""
    on = "" if text["next"] is None else f"; it goes on with start={text['next']}"
    span = f"characters {text['start']} to {text['end']} of {text['length']}{on}"
    return f"{text['doc']}, {span}\n\n{text['text']}"


def _place(item: dict[str, Any]) -> str:
    return f"{item['doc']}, page {item['page']}" if item["page"] else str(item["doc"])
