"""What leaves this machine: nothing unasked, and with OFFLINE nothing at all.

:func:`prepare` comes before heavy imports wherever the product begins. The settings of the libraries are the first
wall; with OFFLINE a second one stands behind them (``guard``), in this process and in the Pythons below it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import Offline
from app.offline import guard

if TYPE_CHECKING:
    from app.config import Settings

CHILDREN = str(Path(__file__).parent / "children")
"""On a Python's PYTHONPATH, it begins by putting up the guard."""
HINT = "Unset OFFLINE to let it."

_SILENT = {
    "DO_NOT_TRACK": "1",  # vLLM, huggingface_hub, and others that keep to it
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",  # Chroma
    "VLLM_NO_USAGE_STATS": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "LANGSMITH_TRACING_V2": "false",  # asked first of the four names that turn LangSmith on
    "OTEL_SDK_DISABLED": "true",
    "VLLM_HOST_IP": "127.0.0.1",  # else vLLM asks the network for this machine's address
    "NO_PROXY": "*",  # a proxy on this machine would carry everything away, past the guard
    "no_proxy": "*",
}


def prepare(settings: Settings) -> None:
    """Set up this process and those it will start; a second time changes nothing.

    The guard of OFFLINE stays up until the process ends.
    """
    os.environ.update(_SILENT)
    if settings.hf_endpoint:
        os.environ["HF_ENDPOINT"] = settings.hf_endpoint
    if settings.offline:
        _set_offline()
        if not guard.up:
            guard.put_up(refusal)


def _set_offline() -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ.update(_OFFLINE)
    if hub := sys.modules.get("huggingface_hub.constants"):  # it has read its variable already
        hub.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    below = os.environ.get("PYTHONPATH", "")
    if CHILDREN not in below.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (CHILDREN, below)))


def refusal(host: str) -> Offline:
    """The error for a connection to ``host``, which is another machine."""
    return Offline(guard.words(host), HINT)
