"""How a library's worker processes begin: away from the user's script, from the terminal and from the network.

Python's ``spawn`` runs the main script again in each child, which starts a second app where the script has no
``if __name__ == "__main__"``; and a child writes to our terminal and gets its Ctrl-C.

vLLM's processes wait for each other in loops around ``sched_yield`` (vllm/distributed/utils.py). On Linux 6.18 whoever
yields so gets the processor before those who only compute or wait: with every core busy, a reader was first let in
when the whole answer was there. A sleep of microseconds in its place, in children and in theirs, costs a token a tenth
of a millisecond.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import spawn, util
from typing import Any

_one_at_a_time = threading.Lock()

# "In children and in theirs": a child begins its own in the same way.
_WAITING = """\
import os, time
os.sched_yield = lambda: time.sleep(2e-5)
"""
_WAITING_BELOW = f"""\
from multiprocessing import util
_start = util.spawnv_passfds
def _begin(path, args, passfds):
    return _start(path, [{_WAITING!r} + arg if "spawn_main" in str(arg) else arg for arg in args], passfds)
util.spawnv_passfds = _begin
"""
# INFO is where a library says which step it is at; what of it is shown is decided at the reading end.
_FIRST = """\
import os
os.setsid()
for number in (1, 2):
    os.dup2({log}, number)
os.close({log})
os.environ["HF_HUB_OFFLINE"] = "1"
import logging
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
"""


@contextmanager
def spawning(log: int, on_child: Callable[[int], None]) -> Iterator[None]:
    """Within it, children that this thread starts by ``multiprocessing`` (spawn) begin as said above.

    Their output goes to the file descriptor ``log``; each leads a session of its own, so that its group can be
    killed as one. ``on_child`` gets each one's process number; what it raises, the library gets.
    Other threads' children are left alone; a second thread waits until this one is through.
    """
    thread = threading.get_ident()
    with _one_at_a_time:
        preparation, start = spawn.get_preparation_data, util.spawnv_passfds

        def without_main(name: str) -> dict[str, object]:
            data: dict[str, object] = preparation(name)
            if threading.get_ident() == thread:
                data = {key: value for key, value in data.items() if not key.startswith("init_main_")}
            return data

        def apart(path: bytes, args: Sequence[Any], passfds: Sequence[Any]) -> int:
            if threading.get_ident() != thread or "--multiprocessing-fork" not in args:
                return start(path, args, passfds)
            before, code = list(args), args.index("-c") + 1
            before[code] = _FIRST.format(log=log) + _WAITING + _WAITING_BELOW + before[code]
            pid = start(path, before, [*passfds, log])
            on_child(pid)
            return pid

        spawn.get_preparation_data = without_main
        util.spawnv_passfds = apart
        try:
            yield
        finally:
            spawn.get_preparation_data = preparation
            util.spawnv_passfds = start
