from __future__ import annotations

import ipaddress
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import ROOT
from tests.deploy.files import SETTINGS, app_arguments, compose, needed, seconds, service_unit, text, variables

UNIT = dict(service_unit())


def command(key: str) -> list[str]:
    """A command of the unit as systemd would run it."""
    return [part.replace("$$", "$") for part in shlex.split(UNIT[key])]


def test_it_serves_this_machine_where_nginx_looks() -> None:
    args = app_arguments(command("ExecStart"))
    assert ipaddress.ip_address(args.host).is_loopback
    assert args.headless and not args.no_page
    assert f"server {args.host}:{args.port};" in text("deploy/nginx.conf")


def test_its_settings_are_settings() -> None:
    environment = dict(re.findall(r"(\w+)=(\S+)", UNIT["Environment"]))
    assert set(environment) - {"HOME", "PYTHONUNBUFFERED"} <= SETTINGS
    assert environment["DATA_DIR"] == f"/var/lib/{UNIT['StateDirectory']}"
    assert variables("deploy/env.example") <= SETTINGS
    assert re.search(r"^API_KEYS=$", text("deploy/env.example"), re.MULTILINE)


@pytest.mark.parametrize(("keys", "starts"), [("", False), ("a-key", True)])
def test_it_does_not_start_without_a_key(keys: str, starts: bool) -> None:
    checked = subprocess.run(command("ExecStartPre"), env={"API_KEYS": keys}, capture_output=True, text=True)
    assert (checked.returncode == 0) is starts
    assert ("set API_KEYS in " + UNIT["EnvironmentFile"] in checked.stderr) is not starts


def test_answers_in_flight_may_end() -> None:
    assert UNIT["KillMode"] == "mixed"  # the engines' processes do not get SIGTERM before their answers end
    assert seconds(UNIT["TimeoutStopSec"]) == seconds(compose()["services"]["app"]["stop_grace_period"])
    assert UNIT["Restart"] == "on-failure"


def verify(unit: str, folder: Path) -> str:
    """What systemd-analyze has against a unit whose paths are those of this machine."""
    python = UNIT["ExecStart"].partition(" ")[0]
    file = folder / "hotswap.service"
    file.write_text(unit.replace(python, sys.executable).replace("/opt/hotswap", str(ROOT)), encoding="utf-8")
    analyzed = subprocess.run([needed("systemd-analyze"), "verify", "--man=no", file], capture_output=True, text=True)
    return analyzed.stderr + ("" if analyzed.returncode == 0 else "failed")


def test_systemd_has_nothing_against_it(tmp_path: Path) -> None:
    assert verify(text("deploy/hotswap.service"), tmp_path) == ""


@pytest.mark.parametrize("mistake", ["ProtectHme=yes", "Restart=sometimes", "ExecStart=/no/such/program"])
def test_systemd_would_say_so(mistake: str, tmp_path: Path) -> None:
    assert verify(text("deploy/hotswap.service").replace("[Install]", f"{mistake}\n[Install]"), tmp_path)


def test_little_is_open_to_it() -> None:
    file = ROOT / "deploy/hotswap.service"
    analyzed = subprocess.run(
        [needed("systemd-analyze"), "security", "--no-pager", "--offline=true", "--threshold=25", file],
        capture_output=True,
        text=True,
    )
    assert analyzed.returncode == 0, analyzed.stdout[-500:] + analyzed.stderr
