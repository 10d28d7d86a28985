"""Switching between engines while readers ask: how long it takes, and what the readers notice of it.

    python benchmarks/switching.py [--engines vllm hf extractive] [--rounds 2] [--readers 8]

Makes a tiny model, lets the readers ask one question after the other through the live engine, and goes round the
engines. Prints for each switch its seconds, how many answers came meanwhile and the longest time that any reader waited
for one; at the end the answers that were lost (to be 0), the memory after each round, in MB and against the first, and
the engine processes that are left (to be 0). ``vllm_openai`` may be among them where VLLM_BASE_URL names a server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from langchain_core.messages import HumanMessage  # noqa: E402

from app.config import load_settings  # noqa: E402
from app.engines.live_chat import LiveChatModel  # noqa: E402
from app.engines.switch import EngineSwitch  # noqa: E402
from tests.engines import tiny_model  # noqa: E402

PASSAGES = [{"n": 1, "doc": "a.md", "heading": "", "text": tiny_model.SAYS}]
PROMPT = [HumanMessage("?", additional_kwargs={"question": "When was the lighthouse built?", "passages": PASSAGES})]


class Readers:
    """Threads that ask; ``answers`` holds when each answer came and how long it took, in seconds."""

    def __init__(self, switch: EngineSwitch, count: int) -> None:
        self.answers: list[tuple[float, float]] = []
        self.lost: list[Exception] = []
        self._model = LiveChatModel(switch=switch)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                text = self._model.invoke(PROMPT).text
                if tiny_model.SAYS not in text:
                    raise ValueError(f"a garbled answer: {text!r}")
                self.answers.append((time.monotonic(), time.monotonic() - begun))
            except Exception as error:
                self.lost.append(error)
            time.sleep(0.05)

    def end(self) -> None:
        """After the answers under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def megabytes() -> float:
    """Of this process and those below it."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(process.memory_info().rss for process in processes) / 1e6


def workers() -> int:
    """Processes below this one, but Python's own resource tracker, which stays to the end."""
    children = psutil.Process().children(recursive=True)
    return sum("resource_tracker" not in " ".join(child.cmdline()) for child in children)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engines", nargs="+", default=["vllm", "hf", "extractive"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--readers", type=int, default=8)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_model.make(Path(folder) / "model", says=tiny_model.SAYS)
        config = {"dtype": "bfloat16", "max_model_len": tiny_model.CONTEXT}
        settings = load_settings(
            llm_engine="extractive", vllm_model_path=str(model), vllm_config=config, log_level="ERROR"
        )
        switch = EngineSwitch(settings)
        readers = Readers(switch, args.readers)
        taken = []
        for _ in range(args.rounds):
            for name in args.engines:
                begun = time.monotonic()
                switch.use(name)
                seconds = time.monotonic() - begun
                waits = [wait for at, wait in list(readers.answers) if at >= begun]
                print(
                    f"to {name:12} {seconds:6.1f} s  {len(waits):5} answers meanwhile, longest wait {max(waits):.2f} s"
                )
                time.sleep(1)
            taken.append(megabytes())
        readers.end()
        switch.close()
        time.sleep(1)
        print(f"{len(readers.answers)} answers, {len(readers.lost)} lost {readers.lost[:1]}")
        print("memory after each round:", ", ".join(f"{size:.0f} MB ({size / taken[0]:.2f})" for size in taken))
        print(f"engine processes left: {workers()}")
    return 1 if readers.lost else 0


if __name__ == "__main__":
    sys.exit(main())
