"""A model server that fails where the question says so."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.engines.routing.fault_server import Asked, FaultServer


class Upstream(FaultServer):
    """``mode:cut`` in the last question makes its answer fail so. What broke off cannot go on here."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.knows_ids = self.knows_continue = self.knows_completions = False

    async def _reply(self, asked: Asked, writer: Any) -> None:
        told = re.search(r"mode:(\w+)", json.dumps(asked.body.get("messages", [])[-1:]))
        self.mode = told[1] if told else "ok"
        await super()._reply(asked, writer)

    def open_now(self) -> int:
        """How many connections it has."""
        return len(self._open)
