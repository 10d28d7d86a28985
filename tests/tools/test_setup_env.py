from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools import setup_env


@pytest.mark.parametrize(
    ("version", "expected"),
    [((3, 10, 9), False), ((3, 11, 2), True), ((3, 13, 0), True), ((3, 14, 0), False), ((2, 7, 18), False)],
)
def test_supported(version: tuple[int, ...], expected: bool) -> None:
    assert setup_env.supported(version) is expected


def test_other_python_takes_one_that_is_there() -> None:
    assert setup_env.other_python({"python3.11": "/usr/bin/python3.11"}.get) == "/usr/bin/python3.11"
    assert setup_env.other_python({}.get) is None


def test_find_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "python3.12"
    command.touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup_env.find_command("python3.12") is None  # there, but nothing that can be run
    command.chmod(0o755)
    assert setup_env.find_command("python3.12") == str(command)


def test_an_unsupported_python_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 4, "final", 0))
    monkeypatch.setenv("PATH", "")
    assert setup_env.main() == 1
    error = capsys.readouterr().err
    assert "Python 3.10 found" in error
    assert "make run PYTHON=python3.12" in error
    assert error.count("\n") == 1


def test_it_can_be_read_by_an_old_python() -> None:
    tree = ast.parse(Path(setup_env.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Starred)
        assert getattr(node, "annotation", None) is None
        assert getattr(node, "returns", None) is None
        assert getattr(node, "module", None) != "__future__"
