from __future__ import annotations

import pytest

from tools import servers


def test_a_machine_with_all_of_it_installs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find_command", lambda name: f"/bin/{name}")
    monkeypatch.setattr(servers, "apt_install", lambda packages: pytest.fail(f"installs {packages}"))
    assert servers.main() == 0


def test_debian_gets_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"openssl", "curl"}
    wanted: list[str] = []
    monkeypatch.setattr(servers, "find_command", lambda name: name if name in there else None)
    monkeypatch.setattr(servers, "debian_as_root", lambda: True)
    monkeypatch.setattr(
        servers, "apt_install", lambda packages: wanted.extend(packages) or there.update(servers.PACKAGES) or True
    )
    assert servers.main() == 0
    assert wanted == ["nginx-light", "systemd"]
    assert servers.missing_packages() == []


def test_a_failed_installation_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(servers, "find_command", lambda name: None)
    monkeypatch.setattr(servers, "debian_as_root", lambda: True)
    monkeypatch.setattr(servers, "apt_install", lambda packages: False)
    assert servers.main() == 1
    assert "nginx-light" in capsys.readouterr().err


def test_elsewhere_the_tests_do_without(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(servers, "find_command", lambda name: None)
    monkeypatch.setattr(servers, "debian_as_root", lambda: False)
    assert servers.main() == 0
    assert "left out" in capsys.readouterr().err
