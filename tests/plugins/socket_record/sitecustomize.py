"""Writes down every address and name that this Python reaches for, before anything can refuse it.

It works wherever its folder is on PYTHONPATH, and so in the Pythons below it. The file that SOCKET_RECORD names gets
a line ``[process, program, event, host]`` for each; first of all every process says that it began.
"""

import json
import os
import socket
import sys
from typing import Any

RECORD = os.environ["SOCKET_RECORD"]
ASKED = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
SENT = ("socket.connect", "socket.sendto", "socket.sendmsg")


def write(event: str, host: Any) -> None:
    text = host.decode() if isinstance(host, bytes) else host
    line = json.dumps([os.getpid(), " ".join(sys.orig_argv), event, text or ""]) + "\n"
    record = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(record, line.encode())
    os.close(record)


def note(event: str, args: Any) -> None:
    if event in ASKED:
        write(event, args[0][0] if isinstance(args[0], tuple) else args[0])
    elif event in SENT and args[0].family in (socket.AF_INET, socket.AF_INET6) and isinstance(args[1], tuple):
        write(event, args[1][0])


write("began", "")
sys.addaudithook(note)
