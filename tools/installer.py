"""Running pip for a newcomer: one moving line, all of its output in a log, and errors with a way out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# What pip, or the system beneath it, says, and what the reader can do about it; the first match counts.
HINTS = (
    (
        r"No space left on device|Disk quota exceeded|not enough space",
        "The disk is full: free some room and run the same command again.",
    ),
    (
        r"Permission denied|Read-only file system|Operation not permitted",
        "This folder cannot be written to: use a copy of the repository in a folder of yours.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "The network's certificate is not trusted: name its file in PIP_CERT and run the same command again.",
    ),
    (
        r"name resolution|Name or service not known|nodename nor servname|NewConnectionError"
        r"|Connection (?:to|broken|re)|ConnectTimeout|ReadTimeout|timed out|ProxyError|Network is unreachable"
        r"|No route to host",
        "The package index was not reached: check the network (behind a proxy set HTTPS_PROXY, for a mirror "
        "PIP_INDEX_URL) and run the same command again.",
    ),
    (
        r"No matching distribution|Could not find a version|ResolutionImpossible",
        "The package index was not asked, or has no such version for this machine (torch has none for Macs with "
        "an Intel chip): check the network, and PIP_INDEX_URL, PIP_NO_INDEX and TORCH_INDEX if they are set.",
    ),
    (
        r"No usable temporary directory",
        "No temporary folder can be written to: name one in TMPDIR and run the same command again.",
    ),
)


def hint(output: str) -> str:
    """What to do about a failure that left this output."""
    for pattern, advice in HINTS:
        if re.search(pattern, output, re.IGNORECASE):
            return advice
    return "Run the same command again; if it fails again, the log says more."


def last_lines(output: str, count: int) -> list[str]:
    return [line.strip() for line in output.splitlines() if line.strip()][-count:]


def last_errors(output: str, count: int = 3) -> list[str]:
    """pip's own last lines of error; where it named none, its last lines."""
    lines = output.splitlines()
    errors = [line.strip() for line in lines if line.startswith("ERROR:") and "for help visit" not in line]
    return errors[-count:] or last_lines(output, count)


def headline(line: str) -> str | None:
    """What a line of pip's output says about its progress, in a few words; None for the rest."""
    if match := re.match(r"\s*Downloading (\S+) \(([\d.]+ [kMG]B)\)", line):
        return f"downloading {match[1].rsplit('/', 1)[-1]} ({match[2]})"
    if match := re.match(r"Collecting ([\w.-]+)", line):
        return f"looking at {match[1]}"
    if match := re.match(r"Installing collected packages: (.*)", line):
        return f"unpacking packages: {match[1].count(',') + 1} (a large one takes a minute)"
    return None


def large(line: str) -> bool:
    """Whether a headline is worth a line of its own where lines cannot be overwritten."""
    return line.startswith("unpacking") or re.search(r"\((?:\d{2,}\.?\d* MB|[\d.]+ GB)\)", line) is not None


def heal(site_packages: Path) -> None:
    """Forget packages whose installation was cut off, so that pip installs them again.

    pip copies a package's files, its METADATA among them, and writes INSTALLER afterwards: a package without
    it is not all there, although pip would list it.
    """
    for folder in site_packages.glob("*.dist-info"):
        if not (folder / "INSTALLER").exists():
            shutil.rmtree(folder)


def install(python: Path, arguments: list[str], log: Path) -> int:
    """`pip install` in the environment of `python`; its exit code. Output goes to `log`, headlines here."""
    venv = python.parent.parent
    for site_packages in (*venv.glob("lib/python*/site-packages"), *venv.glob("Lib/site-packages")):
        heal(site_packages)
    # Downloads are unpacked inside the environment: /tmp is often a small disk in memory.
    unpacked = venv / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    environment = {
        **os.environ,
        "TMPDIR": str(unpacked),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "PIP_USE_PEP517": "1",  # old pips install jieba the old way otherwise; new ones have dropped the option
    }
    process = subprocess.Popen(
        [str(python), "-m", "pip", "install", *options, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    )
    assert process.stdout is not None
    try:
        with log.open("w", encoding="utf-8") as file:
            for line in process.stdout:
                file.write(line)
                show(headline(line))
        return process.wait()
    finally:
        process.kill()
        process.wait()
        show(None, end=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def show(text: str | None, end: bool = False) -> None:
    """On a terminal one line that is overwritten; in a log only what takes long."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        if text or end:
            print("\r\033[K" + ("" if end or text is None else f"  {text}"[:width]), end="", flush=True)
    elif text and large(text):
        print(f"  {text}", flush=True)
