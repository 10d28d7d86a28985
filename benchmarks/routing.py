"""Several servers: what one bad server costs the readers, and what the routes cost while all are well.

    python benchmarks/routing.py [--readers 32] [--seconds 4] [--rounds 3] [--litellm PYTHON] [--json]

Faults: three mock servers (a token every 25 ms) and readers who ask all the time. After two seconds one server goes bad
for ``--seconds``, and then it is well again for six. For each kind of fault it counts the answers that failed, were cut
off but passed for whole, or are garbled (no beginning of what the server wrote: something comes twice or is missing);
the longest wait for a first token; the questions that reached the bad server, probes apart; and the seconds until it
was used again. Ours beside OpenAI's client (round robin, its own two retries) and, where PYTHON has it, LiteLLM's
Router with its defaults and tuned.

Overhead: the same servers, all well. One reader and then all of them, at servers that write a whole answer at once and
at servers that take their time, through ours, through the least that can read such a stream, and through the others.
Rounds alternate; medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.routing_parts import WORDS, Client, Server, servers  # noqa: E402
from tests.engines.routing.fault_server import answer_of  # noqa: E402

FAULTS = ("refuse", "500", "hang", "reset", "eof", "stall", "error")
BEFORE, AFTER = 2.0, 6.0
"""Seconds with all servers well, around those with one bad."""
FIRST, GAP = 0.05, 0.025
"""Seconds to a server's first token and between two; about 40 of them are an answer."""
SCENES = ((False, 0.0), (False, 0.002), (True, 0.0), (True, GAP))
"""Of the overhead: whether all readers ask, and the seconds between two tokens.

Of an answer that comes at once the client has the last word in hand before it can show the first one.
"""
ROUND = 2.0
"""Seconds of one measurement of the overhead."""


@dataclass(frozen=True)
class Outcome:
    """One fault, one client. ``back`` is None where the server was not used again; a failure's wait counts too."""

    fault: str
    client: str
    answers: int
    failed: int
    truncated: int
    garbled: int
    longest_wait: float
    reached: int
    back: float | None
    errors: dict[str, int]


@dataclass(frozen=True)
class Cost:
    """The medians of the rounds: milliseconds to the first token, and of CPU for an answer, in the client's process."""

    client: str
    readers: int
    gap_ms: float
    answers: int
    ttft_ms: float
    cpu_ms: float


def fault(client: Client, mode: str, args: argparse.Namespace) -> Outcome:
    """The second of three servers goes bad and recovers."""
    with servers(3, FIRST, GAP) as three:
        client.begin([server.url for server in three], args.readers, *args.deadlines)
        time.sleep(BEFORE)
        bad = time.monotonic()
        three[1].turn(mode)
        time.sleep(args.seconds)
        three[1].turn("ok")
        well = time.monotonic()
        time.sleep(AFTER)
        over = time.monotonic()
        reply = client.end()
        asked = three[1].turn("ok")
    return judged(mode, client.name, reply["answers"], asked, (bad, well, over))


def judged(
    mode: str, client: str, answers: Sequence[dict[str, Any]], asked: Sequence[float], times: tuple[float, float, float]
) -> Outcome:
    bad, well, over = times
    counts = {"failed": 0, "truncated": 0, "garbled": 0}
    errors: dict[str, int] = {}
    waits = [0.0]
    for answer in answers:
        true = answer_of(answer["question"], WORDS)
        failed, said = answer["error"] is not None, answer["text"]
        counts["failed"] += failed
        counts["garbled"] += not true.startswith(said)
        counts["truncated"] += not failed and said != true and true.startswith(said)
        waits.append((answer["first"] or answer["ended"]) - answer["asked"])
        if failed:
            errors[answer["error"][:100]] = errors.get(answer["error"][:100], 0) + 1
    reached = sum(bad <= at < well for at in asked)
    back = min((at - well for at in asked if well <= at < over), default=None)
    return Outcome(mode, client, len(answers), **counts, longest_wait=max(waits), reached=reached, back=back,
                   errors=errors)  # fmt: skip


def overhead(clients: Sequence[Client], args: argparse.Namespace) -> list[Cost]:
    """The first round, which warms up, does not count."""
    found = []
    for everybody, gap in SCENES:
        readers = args.readers if everybody else 1
        seen: dict[str, list[tuple[float, float, int]]] = {client.name: [] for client in clients}
        with servers(3, gap=gap) as three:
            for turn in range(args.rounds + 1):
                for client in clients if turn % 2 else reversed(clients):
                    figures = one_round(client, three, readers, args)
                    if turn:
                        seen[client.name].append(figures)
        for name, rounds in seen.items():
            ttft, cpu, count = zip(*rounds, strict=True)
            found.append(Cost(name, readers, gap * 1000, sum(count), statistics.median(ttft), statistics.median(cpu)))
    return found


def one_round(
    client: Client, three: Sequence[Server], readers: int, args: argparse.Namespace
) -> tuple[float, float, int]:
    """Milliseconds to the first token, milliseconds of CPU for an answer, answers."""
    client.begin([server.url for server in three], readers, *args.deadlines)
    time.sleep(ROUND)
    reply = client.end()
    answers = reply["answers"]
    assert answers and all(answer["text"] == answer_of(answer["question"], WORDS) for answer in answers), client.name
    ttft = statistics.median(answer["first"] - answer["asked"] for answer in answers)
    return ttft * 1000, reply["cpu"] * 1000 / len(answers), len(answers)


def print_faults(outcomes: Sequence[Outcome]) -> None:
    print("| fault | client | answers | failed | cut off | garbled | longest wait, s | reached the bad one | back, s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for each in outcomes:
        back = f"> {AFTER:.0f}" if each.back is None else f"{each.back:.1f}"
        print(
            f"| {each.fault} | {each.client} | {each.answers} | {each.failed} | {each.truncated} | {each.garbled} "
            f"| {each.longest_wait:.2f} | {each.reached} | {back} |"
        )


def print_overhead(costs: Sequence[Cost]) -> None:
    bare = {(cost.readers, cost.gap_ms): cost for cost in costs if cost.client == "raw"}
    print("| readers | ms a token | client | first token, ms | − raw | : raw | CPU, ms an answer | − raw | : raw |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for cost in costs:
        raw = bare[cost.readers, cost.gap_ms]
        print(
            f"| {cost.readers} | {cost.gap_ms:g} | {cost.client} "
            f"| {cost.ttft_ms:.2f} | {cost.ttft_ms - raw.ttft_ms:+.2f} | {cost.ttft_ms / raw.ttft_ms:.2f} "
            f"| {cost.cpu_ms:.2f} | {cost.cpu_ms - raw.cpu_ms:+.2f} | {cost.cpu_ms / raw.cpu_ms:.2f} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4, help="that a server is bad")
    parser.add_argument("--rounds", type=int, default=3, help="of the overhead")
    parser.add_argument("--faults", nargs="*", choices=FAULTS, default=FAULTS, help="none: only the overhead")
    parser.add_argument("--clients", nargs="+", default=["ours", "openai"], choices=["ours", "openai"])
    parser.add_argument(
        "--deadlines", type=float, nargs=2, default=(2, 1), metavar=("FIRST", "STALL"),
        help="seconds for the first token and between two; clients that have one limit get the first",
    )  # fmt: skip
    parser.add_argument("--litellm", metavar="PYTHON", help="a Python in which litellm is installed")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    pythons = dict.fromkeys(args.clients, sys.executable)
    if args.litellm:
        pythons |= {"litellm": args.litellm, "litellm_tuned": args.litellm}
    outcomes, costs = run(pythons, args)
    if args.json:
        found = {"faults": [asdict(each) for each in outcomes], "overhead": [asdict(each) for each in costs]}
        print(json.dumps({"cores": os.cpu_count(), **vars(args), **found}, indent=2))
    else:
        first, stall = args.deadlines
        print(f"{os.cpu_count()} cores; {args.readers} readers; one of three servers bad for {args.seconds:g} s")
        print(f"{first:g} s for the first token, {stall:g} s between two (other clients than ours: {first:g} s)\n")
        if outcomes:
            print_faults(outcomes)
        if costs:
            print(f"\nOverhead, medians of {args.rounds} rounds\n")
            print_overhead(costs)
    return int(any(each.client == "ours" and each.failed + each.truncated + each.garbled for each in outcomes))


def run(pythons: dict[str, str], args: argparse.Namespace) -> tuple[list[Outcome], list[Cost]]:
    """Each client in a process of the Python that has it."""
    with ExitStack() as stack:
        clients = []
        for name, python in {**pythons, "raw": sys.executable}.items():
            clients.append(Client(name, python))
            stack.callback(clients[-1].close)
        outcomes = [fault(client, mode, args) for mode in args.faults for client in clients if client.name != "raw"]
        return outcomes, overhead(clients, args) if args.rounds else []


if __name__ == "__main__":
    sys.exit(main())
