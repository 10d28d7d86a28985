"""The browser that the page's tests drive: found, or installed where that can be done without asking."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
CJK_FONTS = "fonts-noto-cjk"


def find_browser() -> str | None:
    """The path of a Chromium or Chrome on this machine, or None."""
    for command in COMMANDS:
        if path := shutil.which(command):
            return path
    return next((path for path in MAC_APPLICATIONS if os.access(path, os.X_OK)), None)


def has_chinese_font() -> bool:
    """Whether fontconfig knows a font with Chinese in it; elsewhere than on Linux the system brings one."""
    if sys.platform != "linux":
        return True
    if shutil.which("fc-list") is None:
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True).stdout.strip())


def debian_as_root() -> bool:
    return Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None and os.geteuid() == 0


def missing_packages(browser: str | None, chinese_font: bool) -> list[str]:
    """The Debian packages that bring what is not there."""
    return ([] if browser else ["chromium"]) + ([] if chinese_font else [CJK_FONTS])


def command_for(platform: str, debian: bool) -> str:
    """The one command that installs the browser on such a machine."""
    if platform == "darwin":
        return "brew install --cask chromium"
    if debian:
        return f"sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium {CJK_FONTS}"
    if shutil.which("dnf"):
        return "sudo dnf install -y chromium google-noto-sans-cjk-fonts"
    return "install Chromium or Chrome so that `chromium` or `google-chrome` is on PATH"


def apt_install(packages: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = ["apt-get", "update", "-qq"]
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (update, install):
        print("browser: " + " ".join(command), flush=True)
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
            return False
    return True


def main() -> int:
    missing = missing_packages(find_browser(), has_chinese_font())
    if missing and debian_as_root() and not apt_install(missing):
        print(f"browser: apt-get could not install {' '.join(missing)}: check the network", file=sys.stderr)
        return 1
    if browser := find_browser():
        print(f"browser: {browser}")
        return 0
    command = command_for(sys.platform, Path("/etc/debian_version").exists())
    print(f"browser: the page's tests need Chromium or Chrome: {command}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    from tools import servers

    sys.exit(main() or servers.main())
