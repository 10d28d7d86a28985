"""Fetching a model from a hub that misbehaves, through the real client: what comes whole, and what is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.errors import (
    ChecksumMismatch,
    HotswapError,
    ModelGated,
    SourceUnavailable,
)
from app.models import find
from tests.models.customer import Customer, at, be_impatient, contents, offered
from tests.models.customer import customer as customer
from tests.models.faults import ALWAYS, HEADERS, Fault, Reply, Request
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online

W = "model.safetensors"
FILES = offered()
SIZE = sum(map(len, FILES.values()))
INFO, TREE, RESOLVE = "*/revision/main", "*/tree/*", "*/resolve/*"
TIRED = {"Retry-After": "3"}


@pytest.fixture
def hub(hub_online: None, customer: Customer) -> Iterator[HubServer]:
    with HubServer({"org/model": Repo(FILES)}, page_size=3) as server:
        at(customer, server.url)
        yield server


# Faults that pass


@pytest.mark.parametrize(
    ("fault", "again"),  # bytes that come a second time
    [
        (Fault(W, cut=300_000), 40_000),
        (Fault(W, times=3, cut=270_000), 50_000),
        (Fault(W, reset=300_000), 300_000),  # what was under way is lost with the connection
        (Fault(W, reset=0, times=4), 0),
        (Fault(W, stall=300_000), 50_000),
        (Fault(W, stall=HEADERS, where="cdn"), 0),
        (Fault(RESOLVE, stall=HEADERS, times=2), 0),
        (Fault(W, short=300_000), 0),
        (Fault("config.json", short=30), 0),
        (Fault(W, flip=1000), len(FILES[W])),
        (Fault("tokenizer.json", flip=5), 20),
        (Fault(W, etag="wrong", times=ALWAYS), 0),
        (Fault(W, where="cdn", status=403), 0),
        (Fault(W, where="cdn", status=503, times=3), 0),
        (Fault(RESOLVE, status=500, times=5), 0),
        (Fault(INFO, status=503, times=2), 0),
        (Fault(INFO, stall=HEADERS, times=2), 0),
        (Fault(INFO, reset=0), 0),
        (Fault(TREE, status=502), 0),
        (Fault(TREE, stall=HEADERS), 0),
        (Fault(TREE, status=404, times=ALWAYS), 0),
    ],
    ids=lambda value: str({k: v for k, v in vars(value).items() if v} if isinstance(value, Fault) else value)[:60],
)
def test_a_fault_that_passes_is_waited_for_and_the_model_comes_whole(
    hub: HubServer, customer: Customer, monkeypatch: pytest.MonkeyPatch, fault: Fault, again: int
) -> None:
    be_impatient(monkeypatch, fault)
    hub.add(fault)

    done = customer.fetch()

    assert fault.used
    assert done.folder == customer.shelf / "org" / "model" == find("org/model", shelf=customer.shelf)
    assert contents(done.folder) == FILES
    assert (done.setting, done.value, done.kind) == ("VLLM_MODEL_PATH", "org/model", "chat")
    assert sum(customer.paused) < 120
    assert hub.bytes_sent() <= SIZE + again
    assert hub.unwanted() == []


@pytest.mark.parametrize("pattern", [INFO, TREE, W])
def test_a_source_that_asks_to_wait_is_left_alone_for_so_long(hub: HubServer, customer: Customer, pattern: str) -> None:
    hub.add(Fault(pattern, status=429, headers=TIRED))
    customer.fetch()
    assert sum(customer.paused) == pytest.approx(3)


def test_a_source_that_cannot_begin_in_the_middle_sends_all_of_it_again(hub: HubServer, customer: Customer) -> None:
    hub.add(Fault(W, cut=300_000))
    hub.add(Fault(W, ignore_range=True))
    assert contents(customer.fetch().folder) == FILES
    assert hub.deliveries(W) == 1


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (Fault(method="HEAD", status=503), 0),
        (Fault(W, flip=1000), len(FILES[W])),
        (Fault(W, short=300_000), 0),
        (Fault(W, cut=300_000), 50_000),
        (Fault("tokenizer.json", short=5), 0),
    ],
    ids=lambda value: str({k: v for k, v in vars(value).items() if v} if isinstance(value, Fault) else value)[:60],
)
def test_where_the_lists_tell_names_alone_each_file_is_asked_for_its_size_and_checksum(
    hub: HubServer, customer: Customer, fault: Fault, again: int
) -> None:
    names_alone(hub)
    hub.add(fault)
    assert contents(customer.fetch().folder) == FILES
    assert fault.used
    assert hub.bytes_sent() <= SIZE + again
    assert len(hub.requests(method="HEAD")) <= 2 * len(FILES)


def test_a_file_that_tells_nothing_before_it_is_sent_is_taken_as_it_comes(hub: HubServer, customer: Customer) -> None:
    names_alone(hub)
    hub.add(Fault(method="HEAD", status=405, times=ALWAYS))
    assert contents(customer.fetch().folder) == FILES


def names_alone(hub: HubServer) -> None:
    """A mirror that has no more than ``snapshot_download`` wants."""
    hub.add(Fault(TREE, status=405, times=ALWAYS))
    answer = hub.answer

    def less(request: Request) -> Reply:
        request.query.pop("blobs", None)
        return answer(request)

    hub.answer = less  # type: ignore[method-assign]


# Faults that stay


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(W, cut=0), SourceUnavailable, "the connection broke off"),
        (Fault(W, reset=0), SourceUnavailable, "the connection broke off"),
        (Fault(W, stall=0), SourceUnavailable, "nothing came for"),
        (Fault(W, short=0), SourceUnavailable, f"sends no more than a part of {W}"),
        (Fault(W, flip=1000), ChecksumMismatch, f"{W} of org/model came from"),
        (Fault(W, where="cdn", status=403), SourceUnavailable, "403"),
        (Fault(W, where="cdn", status=404), SourceUnavailable, "404"),
        (Fault(RESOLVE, status=503), SourceUnavailable, "(503)"),
        (Fault(RESOLVE, status=404), SourceUnavailable, "404"),
        (Fault(RESOLVE, status=429, headers={"Retry-After": "900"}), SourceUnavailable, "asks to wait 900 s"),
        (Fault(INFO, status=429), SourceUnavailable, "limits how much may be asked"),
        (Fault(INFO, stall=HEADERS), SourceUnavailable, "nothing came for"),
        (Fault(INFO, status=418), SourceUnavailable, "(418)"),
        (Fault(TREE, status=500), SourceUnavailable, "(500)"),
        (Fault(RESOLVE, status=401), ModelGated, "gated or private"),
        (Fault(RESOLVE, status=403), ModelGated, "gated or private"),
    ],
    ids=lambda value: str({k: v for k, v in vars(value).items() if v} if isinstance(value, Fault) else value)[:60],
)
def test_a_fault_that_stays_is_named_and_what_came_is_kept(
    hub: HubServer,
    customer: Customer,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    kind: type[HotswapError],
    words: str,
) -> None:
    be_impatient(monkeypatch, fault)
    fault.times = ALWAYS
    hub.add(fault)

    assert words in customer.refused(kind).message

    hub.clear()
    whole = set(contents(customer.shelf))
    before = len(hub.log)
    customer.fetch()
    assert contents(customer.shelf / "org" / "model") == FILES
    assert not [request for request in hub.log[before:] if f"org/model/{request.file}" in whole]


def test_a_page_that_is_no_hub_is_told(hub: HubServer, customer: Customer) -> None:
    with HubServer({}) as other:
        other.answer = lambda request: hotel()  # type: ignore[method-assign]
        message = customer.refused(SourceUnavailable, source=other.url).message
    assert message.startswith("127.0.0.1:") and "no hub" in message


def hotel() -> Reply:
    return Reply(200, b"<html>Welcome to the hotel's network.</html>", {"Content-Type": "text/html"})


def test_nobody_there_is_told(hub: HubServer, customer: Customer) -> None:
    assert "Connection refused" in customer.refused(SourceUnavailable, source="http://127.0.0.1:9").message
    assert not (customer.shelf / "org").exists()
