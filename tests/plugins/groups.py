"""What of the tests goes together when `make test` shares them out to two processes.

A file's tests share what they have set up, and so do all that load vLLM, drive the browser or ask the API; the first
two take longest and come first.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_FIRST = ("vllm", "browser")


def group(test: str) -> str:
    """The name of the group that a test belongs to, by its node id."""
    file = test.partition("::")[0]
    if file.startswith("tests/real/") or (file.startswith("tests/contract/") and test.endswith("[vllm]")):
        return "vllm"
    if file.startswith("tests/api/"):
        return "api"
    return "browser" if file.startswith("tests/browser/") else file


class Groups(LoadScopeScheduling):
    """Gives each process one group after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    groups = {item: group(item.nodeid) for item in items}
    items.sort(key=lambda item: _FIRST.index(groups[item]) if groups[item] in _FIRST else len(_FIRST))
