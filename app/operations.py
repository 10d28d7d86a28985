"""What the command line can ask for, as functions of a service: run here, or by the server that owns the folder.

Each yields events, JSON-able dicts of one key: ``progress``, ``text``, ``line`` (one JSON document of several),
``note`` (for people) and at last ``result``.
"""

from __future__ import annotations

import difflib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.engines.registry import AUTO
from app.errors import DocumentMissing, UsageError
from app.jobs import Cancelled
from app.schema import OnProgress, Progress

if TYPE_CHECKING:
    from app.service import Service

Event = dict[str, Any]
Emit = Callable[[Event], None]
Operation = Callable[["Service", dict[str, Any]], Iterator[Event]]

_IDLE_SECONDS = 0.5


def _in_background(
    work: Callable[[Emit], Any],
    waiting_for: Callable[[], Progress | None] = lambda: None,
    cancel: Callable[[], None] = lambda: None,
) -> Iterator[Event]:
    """What ``work`` emits, then its result; ``waiting_for`` tells why nothing comes.

    An abandoned iteration calls ``cancel``, and the next ``emit`` of the work raises Cancelled.
    """
    events: queue.Queue[Event | BaseException] = queue.Queue()
    stop = threading.Event()

    def emit(event: Event) -> None:
        if stop.is_set():
            raise Cancelled
        events.put(event)

    def run() -> None:
        try:
            events.put({"result": work(emit)})
        except BaseException as error:  # handed to the thread that waits
            events.put(error)

    thread = threading.Thread(target=run, name="operation")
    thread.start()
    try:
        while True:
            try:
                event = events.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                if progress := waiting_for():
                    yield {"progress": asdict(progress)}
                continue
            if isinstance(event, BaseException):
                raise event
            yield event
            if "result" in event:
                return
    finally:
        stop.set()
        if thread.is_alive():
            cancel()
        thread.join()


def _with_progress(work: Callable[[OnProgress], Any]) -> Iterator[Event]:
    return _in_background(lambda emit: work(lambda progress: emit({"progress": asdict(progress)})).as_dict())


def ingest(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Ingest ``paths`` (absolute); stopped, it ends after the file at hand."""
    paths = [Path(path) for path in args["paths"]]
    return _with_progress(lambda on_progress: service.ingest(paths, args.get("collection"), on_progress))


def search(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """A line for each of ``questions``: dicts with ``question`` and perhaps ``id``."""
    from app.conversation.turns import check_question
    from app.knowledge.relevance import as_score

    for item in args["questions"]:
        check_question(item["question"])
    retriever = service.knowledge.retriever(args.get("collection"))
    for item in args["questions"]:
        found = retriever.search(item["question"], args["k"])
        passages = [passage.as_dict() for passage in found.passages]
        told = {"relevant": found.relevant, "relevance": round(as_score(found.relevance), 6)}
        yield {"line": {"id": item.get("id"), "question": item["question"], **told, "passages": passages}}
    yield {"result": None}


def ask(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Answer ``question`` in pieces, then the whole; while an engine is loaded for it, its progress."""
    response = service.ask(
        args["question"],
        engine=args.get("engine"),
        collection=args.get("collection"),
        documents=args["documents"],
    )

    def answer(emit: Emit) -> dict[str, Any]:
        for number, piece in enumerate(response):
            if number == 0 and args.get("engine") and not response.refused:
                for status in service.choice(args["engine"]).reasons:
                    emit({"note": f"{status.name} cannot answer now: {status.detail} {status.hint}"})
            emit({"text": piece})
        return response.answer.as_dict()

    return _in_background(answer, lambda: service.switch.progress, response.close)


def documents(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """The documents of a collection."""
    listed = [info.as_dict() for info in service.documents(args.get("collection"))]
    yield {"result": {"collection": args.get("collection") or "default", "documents": listed}}


def read(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """The text of ``doc`` from character ``start`` on, at most ``length`` of it; ``next`` is where it goes on."""
    doc, collection = args["doc"], args.get("collection")
    listed = {info.doc: info for info in service.documents(collection)}
    info = listed.get(doc)
    content = info and service.knowledge.content(info.id, info.sha256)
    if not content:
        near = difflib.get_close_matches(doc, listed, n=1)
        raise DocumentMissing(
            f"There is no document {doc!r} in collection {collection or 'default'!r}.",
            f"Did you mean {near[0]!r}?" if near else "List the documents to see their names.",
        )
    start = args.get("start", 0)
    if start > len(content.text):
        raise UsageError(f"{doc!r} ends at character {len(content.text)}.", "Read it from an earlier start.")
    text = content.text[start : start + (args.get("length") or len(content.text))]
    end = start + len(text)
    span = {"start": start, "end": end, "length": len(content.text), "next": end if end < len(content.text) else None}
    yield {"result": {"collection": collection or "default", "doc": doc, **span, "text": text}}


def collections(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """The names of all collections."""
    yield {"result": {"collections": service.collections()}}


def remove(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Remove ``docs`` by name."""
    yield {"result": {"removed": service.remove(args["docs"], args.get("collection"))}}


def engines(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Every engine's state, and which one answers now."""
    service.forget_choices()
    chosen, states = service.switch.answering, service.engines()
    model = next((status.model for status in states if status.name == chosen), "")
    yield {"result": {"engine": chosen, "model": model, "engines": [status.as_dict() for status in states]}}


def switch(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Make ``engine`` the live one; what that takes of the memory is told first."""
    name, model = args["engine"], args.get("model")
    if name != AUTO and (fit := service.switch.memory(name, model)):
        yield {"note": f"{name} {fit.sentence()}."}
    yield from _with_progress(lambda on_progress: service.use(name, model, on_progress))


def pull(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Have Ollama fetch ``model``."""
    return _with_progress(lambda on_progress: service.pull(args["model"], on_progress))


def evaluate(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Measure how well search does; ``args`` are the fields of :class:`app.evaluation.work.Request`."""
    from app.evaluation.work import Request

    given = {**args, "compare": tuple(args.get("compare", ()))}
    if given.get("corpus"):
        given["corpus"] = Path(given["corpus"])
    return _with_progress(lambda on_progress: service.evaluations.evaluate(Request(**given), on_progress))


def compare(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Compare engines; ``args`` are the fields of :class:`app.benchmark.comparisons.request.CompareRequest`."""
    from app.benchmark.comparisons.request import CompareRequest

    request = CompareRequest.from_dict(args)
    return _with_progress(lambda on_progress: service.benchmarks.compare(request, on_progress))


def tune(service: Service, args: dict[str, Any]) -> Iterator[Event]:
    """Try settings of an engine; ``args`` are the fields of :class:`app.benchmark.comparisons.request.TuneRequest`."""
    from app.benchmark.comparisons.request import TuneRequest

    request = TuneRequest.from_dict(args)
    return _with_progress(lambda on_progress: service.benchmarks.tune(request, on_progress))


OPERATIONS: dict[str, Operation] = {
    "ingest": ingest, "search": search, "ask": ask, "documents": documents, "read": read, "collections": collections,
    "remove": remove, "engines": engines, "switch": switch, "pull": pull, "evaluate": evaluate,
    "compare": compare, "tune": tune,
}  # fmt: skip


def run(service: Service, name: str, args: dict[str, Any]) -> Iterator[Event]:
    """The events of one operation. Raises UsageError for an unknown name, HotswapError as the operation does."""
    if name not in OPERATIONS:
        raise UsageError(
            f"There is no operation {name!r}.",
            "Use the same version of Hotswap for the command and the server.",
        )
    return OPERATIONS[name](service, args)
