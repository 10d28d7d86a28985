"""What the command line can ask for, as functions of a service: run here, or by the server that owns the folder.

Each yields events, JSON-able dicts of one key: ``progress``, ``text``, ``line`` (one JSON document of several),
``note`` (for people) and at last ``result``.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import UsageError
from app.jobs import Cancelled
from app.schema import IngestReport, Progress

if TYPE_CHECKING:
    from app.service import Service

Event = dict[str, Any]
Operation = Callable[["Service", dict[str, Any]], Iterator[Event]]


def ingest(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Ingest ``paths`` (absolute); an abandoned iteration stops the work after the file at hand."""
    events: queue.Queue[Event | BaseException] = queue.Queue()
    stop = threading.Event()

    def on_progress(progress: Progress) -> None:
        if stop.is_set():
            raise Cancelled
        events.put({"progress": asdict(progress)})

    def work() -> None:
        try:
            report: IngestReport = service.ingest(
                [Path(path) for path in args["paths"]], args.get("collection"), on_progress
            )
            events.put({"result": report.as_dict()})
        except BaseException as error:  # handed to the thread that waits
            events.put(error)

    thread = threading.Thread(target=work, name="ingest")
    thread.start()
    try:
        while True:
            event = events.get()
            if isinstance(event, BaseException):
                raise event
            yield event
            if "result" in event:
                return
    finally:
        stop.set()
        thread.join()


def search(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """A line for each of ``questions``: dicts with ``question`` and perhaps ``id``."""
    from app.conversation.turns import check_question

    for item in args["questions"]:
        check_question(item["question"])
    retriever = service.knowledge.retriever(args.get("collection"))
    for item in args["questions"]:
        found = retriever.search(item["question"], args["k"])
        passages = [passage.as_dict() for passage in found.passages]
        yield {"line": {"id": item.get("id"), "question": item["question"], "passages": passages}}
    yield {"result": None}


def ask(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Answer ``question`` in pieces, then the whole."""
    response = service.ask(
        args["question"],
        engine=args.get("engine"),
        collection=args.get("collection"),
        documents=args["documents"],
    )
    try:
        for number, piece in enumerate(response):
            if number == 0 and args.get("engine") and not response.refused:
                for status in service.choice(args["engine"]).reasons:
                    yield {"note": f"{status.name} cannot answer now: {status.detail} {status.hint}"}
            yield {"text": piece}
        yield {"result": response.answer.as_dict()}
    finally:
        response.close()


def documents(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """The documents of a collection."""
    listed = [info.as_dict() for info in service.documents(args.get("collection"))]
    yield {"result": {"collection": args.get("collection") or "default", "documents": listed}}


def remove(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Remove ``docs`` by name."""
    yield {"result": {"removed": service.remove(args["docs"], args.get("collection"))}}


def engines(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Every engine's state, and which one answers now."""
    service.forget_choices()
    chosen = service.choice().engine
    states = service.engines()
    model = next(status.model for status in states if status.name == chosen.name)
    yield {"result": {"engine": chosen.name, "model": model, "engines": [status.as_dict() for status in states]}}


OPERATIONS: dict[str, Operation] = {
    "ingest": ingest, "search": search, "ask": ask, "documents": documents, "remove": remove, "engines": engines,
}  # fmt: skip


def run(service: Service, name: str, args: dict[str, Any]) -> Iterator[Event]:
    """The events of one operation. Raises UsageError for an unknown name, HotswapError as the operation does."""
    if name not in OPERATIONS:
        raise UsageError(
            f"There is no operation {name!r}.",
            "Use the same version of Hotswap for the command and the server.",
        )
    return OPERATIONS[name](service, args)
