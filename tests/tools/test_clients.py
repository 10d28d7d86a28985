"""The environment of the clients: installed once, and whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import clients, environment


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the requirements, where making an environment takes no time."""
    for name in (clients.CLIENTS.requirements, "constraints.txt"):
        shutil.copy(clients.ROOT / name, tmp_path / name)

    def make(venv: Path) -> None:
        python = environment.venv_python(venv)
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)

    monkeypatch.setattr(clients, "make_venv", make)
    monkeypatch.setattr(clients, "usable", lambda venv: environment.venv_python(venv).exists())
    return tmp_path


def test_what_is_there_is_not_installed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(clients, "run_pip", lambda venv, step, arguments: ran.append(arguments))
    assert clients.install(root) is True
    assert clients.install(root) is False
    assert ran == [["-r", str(root / "requirements-clients.txt")]]
    with (root / "requirements-clients.txt").open("a") as file:
        file.write("another==1.0\n")
    assert clients.install(root) is True
    assert len(ran) == 2


def test_an_installation_that_failed_is_not_taken_for_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(venv: Path, step: str, arguments: list[str]) -> None:
        raise environment.SetupError(step, "no network", "Try again.")

    monkeypatch.setattr(clients, "run_pip", fail)
    for _ in range(2):
        with pytest.raises(environment.SetupError, match="no network"):
            clients.install(root)


def test_its_packages_are_pinned_and_none_is_large() -> None:
    lines = (clients.ROOT / clients.CLIENTS.requirements).read_text(encoding="utf-8").splitlines()
    names = [line.partition("==") for line in lines if line and not line.startswith("#")]
    assert names and all(pinned for _, pinned, _ in names)
    assert not list(clients.python().parents[1].glob("lib/python*/site-packages/torch"))
