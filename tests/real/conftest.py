"""The engine ``vllm`` with a real vLLM and a real, tiny model. A start takes a minute; tests share engines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from app.config import ROOT, load_settings
from app.engines import reaper
from app.engines.vllm import VllmEngine
from app.models import FetchRequest, fetch
from tests.engines import tiny_model
from tests.models.hub_server import HubServer, Repo, online
from tests.plugins.sockets import Record

Folder = Callable[..., Path]
ARGUMENTS = {"dtype": "bfloat16", "max_model_len": tiny_model.CONTEXT, "enforce_eager": True}
START_SECONDS = 900  # for a machine that does much else
IGNORED = (
    # vLLM 0.32 and what it imports, of one another:
    "ignore::DeprecationWarning:vllm",
    "ignore::FutureWarning:vllm",
    "ignore::UserWarning:vllm",
    "ignore::DeprecationWarning:torch",
    "ignore::FutureWarning:torch",
    "ignore:builtin type .* has no __module__ attribute:DeprecationWarning",
)


def beside_vllm(item: pytest.Item) -> None:
    """What vLLM leaves behind may be noticed in a test that comes after it."""
    for rule in IGNORED:
        item.add_marker(pytest.mark.filterwarnings(rule))


def wants_vllm(item: pytest.Item) -> None:
    """``item`` gets the time that a start takes. Beside another build of torch vLLM is there only if asked for."""
    item.add_marker(pytest.mark.timeout(START_SECONDS))
    beside_vllm(item)
    if find_spec("vllm") is None:
        item.add_marker(pytest.mark.skip(reason="no vLLM here: `make setup VLLM=1`, or TORCH_INDEX of the CPU build"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            wants_vllm(item)


_others: set[int] = set()
"""Processes that other tests keep until the end, such as the server that the browser's tests ask."""


@pytest.fixture(scope="session", autouse=True)
def small_cache() -> Iterator[None]:
    """A GiB for the context, however large this machine is."""
    _others.update(children())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose words are noise and come as long as one likes."""
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def broken(tiny: Path, tmp_path: Path) -> Folder:
    """Copies of the tiny model with other entries in config.json."""

    def copy(**config: Any) -> Path:
        folder = tmp_path / "broken"
        shutil.copytree(tiny, folder)
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
        return folder

    return copy


def engine_for(model: Path | str, *, models_dir: Path | None = None, **arguments: Any) -> VllmEngine:
    return VllmEngine(
        load_settings(
            vllm_model_path=str(model),
            models_dir=models_dir,
            vllm_config={**ARGUMENTS, **arguments},
            llm={"params": {"max_tokens": 24, "timeout": 120}},
        )
    )


def children() -> set[int]:
    """The processes below this one, but those of other tests and Python's own resource tracker."""
    mine = reaper.family(os.getpid(), reaper.started(os.getpid()))
    return {pid for pid in mine - _others if b"resource_tracker" not in command(pid)}


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"resource_tracker"  # gone meanwhile


@pytest.fixture(scope="package")
def loaded(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    """With the model as it was fetched from a hub, by its name, and vLLM's statistics."""
    shelf = tmp_path_factory.mktemp("shelf")
    with online(), HubServer({"org/tiny": Repo.of(tiny)}) as hub:
        done = fetch(FetchRequest("org/tiny"), load_settings(models_dir=shelf, hf_endpoint=hub.url))
    engine = engine_for(done.value, models_dir=shelf, disable_log_stats=False)
    engine.load(lambda progress: None)
    yield engine
    engine.close()


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.02)


def script(text: str, record: Record, **popen: Any) -> subprocess.Popen[str]:
    """A user's script in a process of its own, from standard input or a file."""
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", **record.environment}
    environment["PYTHONPATH"] += os.pathsep + str(ROOT)
    return subprocess.Popen(
        [sys.executable, text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **popen
    )
