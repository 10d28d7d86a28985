"""The clients that tests/api asks the HTTP API with, in an environment of their own: .venv-clients.

They are other people's programs and want other versions of packages than the product.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.environment import (
    SetupError,
    complete,
    make_venv,
    run_pip,
    usable,
    venv_python,
    wanted_stamp,
    write_stamp,
)
from tools.layers import Cost, Layer

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = Layer("clients", "requirements-clients.txt", "hotswap-clients.json", Cost(download=0.1, installed=0.4))


def python(root: Path = ROOT) -> Path:
    """The Python that has the clients."""
    return venv_python(root / ".venv-clients")


def install(root: Path = ROOT) -> bool:
    """Bring root/.venv-clients to what the requirements say; False when that was so already. Raises SetupError."""
    venv, wanted = root / ".venv-clients", wanted_stamp(root, CLIENTS)
    if complete(venv, CLIENTS, wanted):
        return False
    if not usable(venv):
        make_venv(venv)
    (venv / CLIENTS.stamp).unlink(missing_ok=True)
    run_pip(venv, f"installing {CLIENTS.requirements}", ["-r", str(root / CLIENTS.requirements)])
    write_stamp(venv, CLIENTS, wanted)
    return True


def main() -> int:
    try:
        if install():
            print("setup: ready in .venv-clients: clients for the tests", flush=True)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
