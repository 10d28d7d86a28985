"""How long until one can type: our page against a bare Streamlit page with nothing but the same input box.

    python benchmarks/first_page.py [DATA_DIR] [--rounds 15] [--limit 1.3]

Both servers run at the same time and are asked in turn, each time by a browser context without any cache, once the
loading in the background that our first page begins has ended. Prints the very first time and the medians of the rest,
in seconds, and the medians' ratio; exit code 1 when the ratio is above the limit. DATA_DIR is the data folder to serve
(a fresh one when it is not given).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tests.browser.conftest import FLAGS  # noqa: E402
from tests.product import Server, free_port  # noqa: E402
from tools.browser import find_browser  # noqa: E402

BARE = 'import streamlit as st\n\nst.chat_input("Your message")\n'


@contextmanager
def ours(data: Path) -> Iterator[str]:
    """The product's server."""
    server = Server(data)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    """Streamlit with one widget, as it is installed, without its telemetry."""
    script = folder / "bare.py"
    script.write_text(BARE, encoding="utf-8")
    port = free_port()
    options = ["--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1"]
    quiet = ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options, *quiet],
        cwd=folder,
        env={**os.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def seconds_until_input(browser: Browser, url: str) -> float:
    """From the request to the moment the box to type in is seen."""
    context = browser.new_context()
    try:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.get_by_test_id("stChatInputTextArea").wait_for(state="visible", timeout=120_000)
        return time.perf_counter() - began
    finally:
        context.close()


def reachable(browser: Browser, url: str) -> None:
    """Waits until a server just started answers at all."""
    page = browser.new_page()
    end = time.monotonic() + 120
    while True:
        try:
            page.goto(f"{url}/_stcore/health")
            break
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    page.close()


def until_still() -> None:
    """Until none of the processes below this one has work, at most two minutes."""
    time.sleep(3)  # our page begins to load a moment after it is drawn
    children = psutil.Process().children(recursive=True)
    for _ in range(60):
        before = sum(child.cpu_times().user for child in children if child.is_running())
        time.sleep(2)
        if sum(child.cpu_times().user for child in children if child.is_running()) - before < 0.2:
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA_DIR")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--limit", type=float, default=1.3)
    args = parser.parse_args()
    browser_path = find_browser()
    if browser_path is None:
        print("first_page: Chromium is needed", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {
            "hotswap": stack.enter_context(ours(args.data or folder / "state")),
            "bare": stack.enter_context(bare(folder)),
        }
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        for url in urls.values():
            reachable(browser, url)
        first = {name: seconds_until_input(browser, url) for name, url in urls.items()}
        until_still()
        times: dict[str, list[float]] = {name: [] for name in urls}
        for _ in range(args.rounds):
            for name, url in urls.items():
                times[name].append(seconds_until_input(browser, url))
        browser.close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["hotswap"] / medians["bare"]
    for name, median in medians.items():
        print(f"{name:8} first {first[name]:.2f} s, then median {median:.2f} s of {args.rounds}")
    print(f"ratio    {ratio:.2f} (limit {args.limit})")
    return 0 if ratio <= args.limit else 1


if __name__ == "__main__":
    sys.exit(main())
