from __future__ import annotations

from pathlib import Path

import pytest

from tools import browser


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on whose PATH is nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "MAC_APPLICATIONS", ())
    return tmp_path


def test_find_browser(empty_machine: Path) -> None:
    assert browser.find_browser() is None
    for name in ("google-chrome", "chromium"):  # the later one is preferred
        (empty_machine / name).touch(mode=0o755)
        assert browser.find_browser() == str(empty_machine / name)


@pytest.mark.parametrize(
    ("found", "chinese_font", "expected"),
    [
        (None, False, ["chromium", "fonts-noto-cjk"]),
        (None, True, ["chromium"]),
        ("/usr/bin/chromium", False, ["fonts-noto-cjk"]),
        ("/usr/bin/chromium", True, []),
    ],
)
def test_missing_packages(found: str | None, chinese_font: bool, expected: list[str]) -> None:
    assert browser.missing_packages(found, chinese_font) == expected


def test_where_it_may_not_install_it_names_the_one_command(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser, "debian_as_root", lambda: False)
    assert browser.main() == 1
    error = capsys.readouterr().err
    assert error.startswith("browser: the page's tests need Chromium or Chrome: ")
    assert error.count("\n") == 1


def test_commands(empty_machine: Path) -> None:
    assert browser.command_for("darwin", debian=False).startswith("brew install")
    assert "apt-get install -y --no-install-recommends chromium" in browser.command_for("linux", debian=True)
    assert "PATH" in browser.command_for("linux", debian=False)
    (empty_machine / "dnf").touch(mode=0o755)
    assert browser.command_for("linux", debian=False).startswith("sudo dnf install")


def test_a_machine_with_all_of_it_installs_nothing(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_machine / "chromium").touch(mode=0o755)
    monkeypatch.setattr(browser, "has_chinese_font", lambda: True)
    monkeypatch.setattr(browser, "apt_install", lambda packages: pytest.fail(f"installs {packages}"))
    assert browser.main() == 0
    assert str(empty_machine / "chromium") in capsys.readouterr().out
