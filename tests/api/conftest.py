"""Two servers for all of these tests: one quotes its documents, the other has a model's server behind it and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.api.parts import give_documents, settled, writing
from tests.api.upstream import Upstream
from tests.product import Server, server


@dataclass(frozen=True)
class Written:
    """A server and the one behind it."""

    server: Server
    upstream: Upstream


@pytest.fixture(scope="session")
def quoting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Without keys and without a model; uploads of 1 MB at most."""
    data = tmp_path_factory.mktemp("quoting") / "state"
    with server(data, "--no-page", LLM_ENGINE="extractive", MAX_UPLOAD_MB="1", OFFLINE="1") as running:
        give_documents(running.url)
        yield running


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """See :func:`written`."""
    data = tmp_path_factory.mktemp("written") / "state"
    with (
        Upstream() as upstream,
        writing(
            data, upstream, MAX_CONCURRENT_TASKS="8", MAX_QUEUED_TASKS="4", LOG_FORMAT="json", LOG_LEVEL="INFO"
        ) as running,
    ):
        yield Written(running, upstream)


@pytest.fixture
def written(served: Written) -> Iterator[Written]:
    """With keys and a model's server that writes at once, and fails as the question says. 8 at work, 4 in line."""
    upstream = served.upstream
    upstream.first = upstream.gap = 0.0
    upstream.times = 10**9
    upstream.asked.clear()
    yield served
    upstream.first = upstream.gap = 0.0
    settled(served.server.url, {"Authorization": "Bearer first-key"})
