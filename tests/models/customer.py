"""Models as a hub offers them, and somebody who fetches them: settings of its own, no pause between two tries."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings, load_settings
from app.errors import HotswapError
from app.models import Fetched, FetchRequest, fetch, fetching
from app.models.folder import NOTES
from app.models.sources import hub
from app.models.transfer import Transfer
from app.schema import OnProgress
from tests.models import parts
from tests.models.faults import Fault
from tests.models.known import LLAMA_3_8B

LORA = {"adapter_config.json": b"{}", "adapter_model.safetensors": parts.ONE, "README.md": b"-"}


def offered(size: int = 600_000, changes: Mapping[str, bytes | None] = {}, seed: int = 0) -> dict[str, bytes]:
    """A model's files, its weights ``size`` bytes of noise; ``changes`` come instead, None takes one away."""
    weights = parts.safetensors({"model.embed_tokens.weight": ("U8", [size])})
    noise = random.Random(seed).randbytes(size)
    files: dict[str, bytes | None] = {
        "README.md": b"# A model\n",
        "config.json": json.dumps(LLAMA_3_8B).encode(),
        "model.safetensors": weights[: len(weights) - size] + noise,
        "tokenizer.json": b'{"version": "1.0"}\n',
        "tokenizer_config.json": '{"chat_template": "{{ messages }}", "about": "说明"}'.encode(),
    }
    return {path: data for path, data in {**files, **changes}.items() if data is not None}


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a model's folder, without our own notes."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {path: file.read_bytes() for path, file in found.items() if not path.startswith(f"{NOTES}/")}


@dataclass
class Customer:
    """Fetches into a shelf of its own; ``paused`` are the seconds that it would have waited between two tries."""

    settings: Settings
    paused: list[float] = field(default_factory=list)

    @property
    def shelf(self) -> Path:
        return self.settings.models_folder

    def fetch(self, name: str = "org/model", on_progress: OnProgress = lambda progress: None, **how: Any) -> Fetched:
        return fetch(FetchRequest(name, **how), self.settings, on_progress)

    def refused(self, wanted: type[HotswapError], /, name: str = "org/model", **how: Any) -> HotswapError:
        """The error that a fetch ends with: of exactly this kind, and fit to be shown."""
        with pytest.raises(wanted) as caught:
            self.fetch(name, **how)
        error = caught.value
        assert type(error) is wanted
        assert error.hint and "\n" not in str(error) and len(error.message) < 300
        return error


class _Clock:
    """Time that passes when somebody waits for it."""

    def __init__(self, paused: list[float]) -> None:
        self._paused = paused

    def monotonic(self) -> float:
        return sum(self._paused)

    def sleep(self, seconds: float) -> None:
        self._paused.append(seconds)


@pytest.fixture
def customer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Customer:
    """Has no hub set; runs in a folder of its own, with an empty hub cache."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "")  # engines put the setting there, where it is to end with the test
    made = Customer(load_settings(models_dir=tmp_path / "models", data_dir=tmp_path / "state"))

    def pause(_: Transfer, seconds: float) -> None:
        made.paused.append(seconds)

    monkeypatch.setattr(Transfer, "_pause", pause)
    monkeypatch.setattr(fetching, "time", _Clock(made.paused))
    return made


def be_impatient(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Let a hub that stalls be given up soon; others are given the time that a busy machine takes."""
    if fault.stall is not None:
        monkeypatch.setattr(hub, "PATIENCE", 0.3)


def at(customer: Customer, endpoint: str, **changes: Any) -> Customer:
    """The same one, with HF_ENDPOINT set."""
    customer.settings = load_settings(
        **{
            "models_dir": customer.shelf,
            "data_dir": customer.settings.data_dir,
            "hf_endpoint": endpoint,
            **changes,
        }
    )
    return customer
