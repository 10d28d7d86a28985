"""Fetching a model, beside `hf download`: how fast, and how much comes twice when it is killed again and again.

    python benchmarks/downloading.py [--megabytes 400] [--kills 8] [--rounds 3]

A hub of the tests' own on this machine serves a model of eight shards. Each client is a process of its own, fetches
into a fresh folder, and is asked in turn. For the kills the server sends 40 MB a second; after each equal share of the
model the client is killed (SIGKILL) and begun again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.models import parts  # noqa: E402
from tests.models.customer import contents, offered  # noqa: E402
from tests.models.faults import ALWAYS, Fault  # noqa: E402
from tests.models.hub_server import HubServer, Repo  # noqa: E402

NAME = "org/model"
SHARDS = 8
MB = 10**6
RATE = 40 * MB  # bytes per second and connection, where it is to be killed
CLIENTS = {
    "ours": [sys.executable, str(ROOT / "download_model.py"), NAME, "--to"],
    "hf download": [str(Path(sys.executable).with_name("hf")), "download", NAME, "--quiet", "--local-dir"],
}


def model(size: int) -> dict[str, bytes]:
    """The files of a model of ``size`` bytes."""
    names = [f"model-{number:05d}-of-{SHARDS:05d}.safetensors" for number in range(1, SHARDS + 1)]
    head = parts.safetensors({"weight": ("U8", [size // SHARDS])})[: -size // SHARDS]
    shards = {name: head + random.Random(name).randbytes(size // SHARDS) for name in names}
    return {**offered(changes={"model.safetensors": None}), **shards}


def begin(client: str, hub: HubServer, folder: Path) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    home = {"HF_HOME": str(folder.parent / "home"), "DATA_DIR": str(folder.parent / "state")}
    environment = {**kept, **home, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.Popen(
        [*CLIENTS[client], str(folder)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def fetched(client: str, hub: HubServer, folder: Path, kills: int, size: int) -> tuple[float, int]:
    """Seconds and bytes until the model is whole, after ``kills`` of the client."""
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.mkdir(parents=True)
    before, begun = hub.bytes_sent(), time.monotonic()
    for _ in range(kills):
        until = hub.bytes_sent() + size // (kills + 1)
        process = begin(client, hub, folder)
        hub.wait_for(lambda until=until, process=process: hub.bytes_sent() >= until or process.poll() is not None)
        process.kill()
        process.wait()
    if begin(client, hub, folder).wait() != 0:
        raise SystemExit(f"{client} failed")
    return time.monotonic() - begun, hub.bytes_sent() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    files = model(args.megabytes * MB)
    size = sum(map(len, files.values()))
    with tempfile.TemporaryDirectory() as scratch, HubServer({NAME: Repo(files)}) as hub:
        seconds: dict[str, list[float]] = {client: [] for client in CLIENTS}
        for number in range(args.rounds):
            for client in CLIENTS:
                folder = Path(scratch) / "fast" / "model"
                seconds[client].append(fetched(client, hub, folder, 0, size)[0])
                if number == 0:
                    here = {path: data for path, data in contents(folder).items() if not path.startswith(".cache")}
                    assert here == files, client
        medians = {client: statistics.median(values) for client, values in seconds.items()}
        hub.add(Fault("*.safetensors", slow=RATE, times=ALWAYS))
        folder = Path(scratch) / "killed" / "model"
        came = {client: fetched(client, hub, folder, args.kills, size)[1] for client in CLIENTS}
    print(f"{args.megabytes} MB in {SHARDS} shards; medians of {args.rounds} rounds\n")
    print("| client | seconds | bytes / model, killed", args.kills, "times |\n| --- | --- | --- |")
    for client in CLIENTS:
        print(f"| {client} | {medians[client]:.1f} | {came[client] / size:.2f} |")
    print(f"\nhf download : ours, seconds {medians['hf download'] / medians['ours']:.2f}")


if __name__ == "__main__":
    main()
