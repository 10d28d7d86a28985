"""What vLLM and its libraries warn each other of is no fault of ours, here as little as in tests/real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.conftest import beside_vllm, wants_vllm


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "contract":
            (wants_vllm if item.name.endswith("[vllm]") else beside_vllm)(item)


@pytest.fixture(scope="session", autouse=True)
def small_cache() -> Iterator[None]:
    """A GiB for the context, however large this machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        yield
