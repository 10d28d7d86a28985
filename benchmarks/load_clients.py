"""Our load generator beside `vllm bench serve` and GuideLLM: whether they measure the same, and what each costs.

    .venv/bin/python benchmarks/load_clients.py [--repeats 3] [--folder DIR] [--guidellm PYTHON] [--json FILE]

On a real vLLM with a small random model, in turn and again: readers who always ask, and then the same prompts at the
same times, of a Poisson process at half the rate that the readers had. Requests and tokens a second and the medians of
the time to the first token and for each further one are to agree: within 5 % and 10 %. On a shared machine, the server
is by far more than that faster in one run than in the next; so what it counted of itself in a run, in its metrics, is
taken out of what the client found in that run, and both are shown.

On a server that streams at a set pace, which leaves the clients alone with their work: a few readers, and as many
streams as --streams at times of a Poisson process. What CPU each takes for a token, from the first question to the end
of the last stream, so that imports and reports do not count; and how late it sends, by its own account and as the
server saw it. The median time to the first token is a little more than --first by nature.

Every client has one core and the servers have the rest. GuideLLM is installed into an environment of its own in the
folder (a temporary one unless named), which takes a minute the first time. Takes eight minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.load_commands import Load, Server, poisson, write_prompts  # noqa: E402
from benchmarks.load_parts import Client, VllmServer, install_guidellm  # noqa: E402
from benchmarks.load_tables import Run, Runs, print_agreement, print_cost, print_goals  # noqa: E402
from benchmarks.paced_server import MODEL, PacedServer, Watch  # noqa: E402
from tests.engines import tiny_model  # noqa: E402
from tools.environment import SetupError  # noqa: E402

WORDS = 6
"""Of a prompt: some 40 tokens of the small model. Long ones would wait for each other, as chance has it."""
FEW = Watch(0, first=0.02, gap=0.005)
"""The pace with a few readers."""
CLIENTS = ("ours", "vllm", "guidellm")


def in_turn(clients: Sequence[Client], load: Load, vllm: VllmServer, runs: Runs, turn: int) -> None:
    """Each client once, another one first in each turn."""
    for place in range(len(clients)):
        client = clients[(turn + place) % len(clients)]
        before = vllm.counted()
        figures = client.run(load, vllm.address)
        runs.setdefault(client.name, []).append(Run(figures, vllm.counted().since(before)))
        tell(f"{load.name}, {client.name}: {runs[client.name][-1].figures.requests_per_second:.2f} requests a second")


def watched(
    clients: Sequence[Client], load: Load, server: Server, paced: PacedServer, pace: Watch, runs: Runs, turn: int
) -> None:
    """As ``in_turn``, by a server with a set pace."""
    for place in range(len(clients)):
        client = clients[(turn + place) % len(clients)]
        paced.watch(Watch(client.pid, pace.first, pace.gap))
        figures = client.run(load, server)
        seen = paced.seen()
        came = seen.pop("came")
        late = sorted(came[number] - when for number, when in enumerate(load.times) if number in came)
        run = Run(figures, seen=seen, arrived_ms=tuple((each - late[0]) * 1000 for each in late))
        runs.setdefault(client.name, []).append(run)
        tell(f"{load.name}, {client.name}: {run.cpu_us():.0f} µs of CPU for a token")


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(folder: Path, args: argparse.Namespace) -> tuple[dict[str, Runs], dict[str, Runs]]:
    """The runs under each load, of a real vLLM and of a set pace. Raises SetupError: GuideLLM cannot be installed."""
    cores = sorted(os.sched_getaffinity(0))
    others = cores[:-1] or cores
    pythons: dict[str, Path] = dict.fromkeys(("ours", "vllm"), Path(sys.executable))
    if "guidellm" in args.clients:
        pythons["guidellm"] = args.guidellm.absolute() if args.guidellm else install_guidellm(folder, args.torch_index)
    # Its words are always the same, so that every token has some text.
    model = tiny_model.make(
        folder / "model", layers=args.layers, hidden=args.hidden, says=tiny_model.SAYS, forever=True
    )
    with ExitStack() as stack:
        clients = [Client(name, pythons[name], cores[-1], folder) for name in args.clients]
        for client in clients:
            stack.callback(client.close)
        for client in clients:
            client.ready()
        real: dict[str, Runs] = {}
        if args.repeats:
            with closing(VllmServer(folder, model, others)) as vllm:
                vllm.ready()
                real = real_runs(folder, clients, vllm, args)
        paced = stack.enter_context(closing(PacedServer(others)))
        return real, paced_runs(folder, clients, Server(paced.url, MODEL, model), paced, args)


def real_runs(folder: Path, clients: Sequence[Client], vllm: VllmServer, args: argparse.Namespace) -> dict[str, Runs]:
    """Against a real vLLM."""
    prompts = folder / "readers.jsonl"
    write_prompts(prompts, args.requests, WORDS, args.tokens)
    closed = Load("readers", prompts, args.requests, readers=args.readers)
    clients[0].run(closed, vllm.address)  # whatever is made once is made
    readers: Runs = {}
    for turn in range(args.repeats):
        in_turn(clients, closed, vllm, readers, turn)
    reached = statistics.median(run.figures.requests_per_second for runs in readers.values() for run in runs)
    rate = round(args.rate or reached / 2, 2)
    arrivals: Runs = {}
    for turn in range(args.repeats):
        times = poisson(rate, args.requests, turn)
        prompts = folder / f"arrivals-{turn}.jsonl"
        write_prompts(prompts, args.requests, WORDS, args.tokens, times)
        load = Load("arrivals", prompts, args.requests, times=times, rate=rate, seed=turn)
        in_turn(clients, load, vllm, arrivals, turn)
    return {f"{args.readers} readers": readers, f"{rate:g} a second": arrivals}


def paced_runs(
    folder: Path, clients: Sequence[Client], server: Server, paced: PacedServer, args: argparse.Namespace
) -> dict[str, Runs]:
    """Against the server with a set pace."""
    count = 30 * args.readers
    prompts = folder / "few.jsonl"
    write_prompts(prompts, count, WORDS, args.tokens)
    few: Runs = {}
    many: Runs = {}
    pace = Watch(0, args.first, args.gap)
    rate = round(args.streams / (pace.first + pace.gap * (args.tokens - 1)), 2)
    for turn in range(args.paced_repeats):
        load = Load("few streams", prompts, count, readers=args.readers)
        watched(clients, load, server, paced, FEW, few, turn)
        count_many = 4 * args.streams
        times = poisson(rate, count_many, turn)
        path = folder / f"many-{turn}.jsonl"
        write_prompts(path, count_many, WORDS, args.tokens, times)
        load = Load("many streams", path, count_many, times=times, rate=rate, seed=turn)
        watched(clients, load, server, paced, pace, many, turn)
    return {"few streams": few, "many streams": many}


def above_zero(text: str) -> float:
    """A number above 0, for argparse."""
    if not 0 < (found := float(text)) < float("inf"):
        raise ValueError(text)
    return found


above_zero.__name__ = "number above 0"


def whole(least: int) -> Callable[[str], int]:
    """A number that is at least so large, for argparse."""

    def number(text: str) -> int:
        if (found := int(text)) < least:
            raise ValueError(text)
        return found

    number.__name__ = f"number of at least {least}"
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=whole(0), default=3, help="on vLLM (default %(default)s; 0 leaves it out)")
    parser.add_argument("--paced-repeats", type=whole(1), default=2, help="at a set pace (default %(default)s)")
    parser.add_argument("--readers", type=whole(1), default=8, help="default %(default)s")
    parser.add_argument("--requests", type=whole(2), default=64, help="of a run on vLLM (default %(default)s)")
    parser.add_argument("--tokens", type=whole(2), default=64, help="of an answer (default %(default)s)")
    parser.add_argument("--rate", type=above_zero, help="of arrivals on vLLM (default: half of what the readers had)")
    parser.add_argument("--streams", type=whole(1), default=256, help="at once, on the average (default %(default)s)")
    parser.add_argument(
        "--first", type=above_zero, default=0.1, metavar="S", help="seconds to their first token (default %(default)s)"
    )
    parser.add_argument(
        "--gap", type=above_zero, default=0.05, metavar="S", help="seconds between their tokens (default %(default)s)"
    )
    parser.add_argument("--layers", type=whole(1), default=6, help="of the model (default %(default)s)")
    parser.add_argument("--hidden", type=int, default=512, help="its width, a multiple of 64 (default %(default)s)")
    parser.add_argument("--clients", nargs="+", choices=CLIENTS[1:], default=CLIENTS[1:], help="beside ours")
    parser.add_argument("--folder", type=Path, help="for the model, GuideLLM and all reports; kept")
    parser.add_argument("--guidellm", type=Path, metavar="PYTHON", help="a Python that has GuideLLM; installs nothing")
    parser.add_argument(
        "--torch-index", default="", help="where GuideLLM's torch comes from (default: as the product's)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    args = parser.parse_args()
    args.clients = list(dict.fromkeys([CLIENTS[0], *args.clients]))
    if args.hidden < 64 or args.hidden % 64:
        parser.error("--hidden must be a multiple of 64")
    if args.guidellm and not args.guidellm.exists():
        parser.error(f"there is no {args.guidellm}")
    if args.json and not args.json.absolute().parent.is_dir():
        parser.error(f"there is no folder for {args.json}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and the servers are ended
    with ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        busy = os.getloadavg()[0]
        try:
            real, paced = measure(folder.absolute(), args)
        except SetupError as error:
            raise SystemExit(str(error)) from None
    print(f"{os.cpu_count()} cores, {busy:.1f} of them busy before. Medians of the repeats [least, largest].")
    goals = [goal for load, runs in real.items() for goal in print_agreement(load, runs)]
    goals += [goal for load, runs in paced.items() for goal in print_cost(load, runs)]
    met = print_goals(goals)
    if args.json:
        told = {load: {name: [run.as_dict() for run in some] for name, some in runs.items()}
                for load, runs in {**real, **paced}.items()}  # fmt: skip
        options = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}
        found = {"cores": os.cpu_count(), "busy_before": busy, "options": options, "runs": told,
                 "goals": [asdict(goal) for goal in goals]}  # fmt: skip
        args.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
