"""Programs that tests/deploy and tests/api run: found, or installed where that can be done without asking."""

from __future__ import annotations

import shutil
import sys

from tools.browser import apt_install, debian_as_root

# command: Debian's package
PACKAGES = {"nginx": "nginx-light", "openssl": "openssl", "systemd-analyze": "systemd", "curl": "curl"}


def find_command(name: str) -> str | None:
    """The path of a command, also where a user's PATH leaves out the system's commands."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin:/opt/homebrew/bin")


def missing_packages() -> list[str]:
    return [package for command, package in PACKAGES.items() if not find_command(command)]


def main() -> int:
    missing = missing_packages()
    if missing and debian_as_root() and not apt_install(missing):
        print(f"servers: apt-get could not install {' '.join(missing)}: check the network", file=sys.stderr)
        return 1
    if missing := missing_packages():
        print(f"servers: without {' '.join(missing)} some tests are left out", file=sys.stderr)
    return 0
