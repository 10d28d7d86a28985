"""An HTTP server that misbehaves when told to, and remembers what was asked and what it sent."""

from __future__ import annotations

import re
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.models.faults import HEADERS, Fault, Reply, Request, json_reply, requested_range

PIECE = 1 << 16


class FaultyServer:
    """Two origins on this machine: ``url`` (the hub) and ``cdn_url`` (another host name and port).

    A context manager; raises on leaving what went wrong in the server itself.
    """

    def __init__(self) -> None:
        self.log: list[Request] = []
        self.faults: list[Fault] = []
        self._crashes: list[BaseException] = []
        self._changed = threading.Condition()
        self._hub, self._cdn = _Listener(self, "hub"), _Listener(self, "cdn")
        self.url = f"http://127.0.0.1:{self._hub.server_port}"
        self.cdn_url = f"http://localhost:{self._cdn.server_port}"

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def __enter__(self) -> Self:
        for listener in (self._hub, self._cdn):
            listener.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.clear()
        for listener in (self._hub, self._cdn):
            listener.stop()
        if self._crashes and error is None:
            raise self._crashes[0]

    def add(self, fault: Fault) -> Fault:
        """From now on misbehave like this; of several that fit, the one that was added first."""
        with self._changed:
            self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """Behave again; what is stalled goes on."""
        with self._changed:
            gone, self.faults = self.faults, []
        for fault in gone:
            fault.release()

    def requests(self, pattern: str = "*", *, method: str = "", where: str = "") -> list[Request]:
        """What was asked so far, in order; the pattern is a fault's."""
        with self._changed:
            return [
                request
                for request in self.log
                if request.matches(pattern) and method in ("", request.method) and where in ("", request.where)
            ]

    def bytes_sent(self, pattern: str = "*") -> int:
        """Bytes of files (not of answers about them) that were handed to a connection."""
        return sum(request.sent for request in self.requests(pattern, method="GET") if request.size is not None)

    def deliveries(self, pattern: str = "*") -> int:
        """How many answers brought a whole file."""
        return sum(request.whole for request in self.requests(pattern))

    def unwanted(self) -> list[str]:
        """Paths that were asked for and are no part of fetching a model."""
        with self._changed:
            return [request.path for request in self.log if not request.known]

    def wait_for(self, happened: Callable[[], object], timeout: float = 60) -> None:
        """Until this is true; it is looked at whenever something was asked or sent. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(happened, timeout):
                raise TimeoutError(f"did not happen in {timeout} s; asked so far: {[r.path for r in self.log]}")

    def asked(self, request: Request, reply: Reply) -> Fault:
        """Remember this request; the misbehaviour for its answer, used up by one, mostly none."""
        with self._changed:
            request.repo, request.file, request.known = reply.repo, reply.file, reply.known
            self.log.append(request)
            fault = next((fault for fault in self.faults if fault.fits(request, reply)), Fault())
            fault.used += 1
            self._changed.notify_all()
            return fault

    def note(self, request: Request, **news: Any) -> None:
        """What came of this request so far."""
        with self._changed:
            for name, value in news.items():
                setattr(request, name, value)
            self._changed.notify_all()

    def send(self, request: Request, connection: socket.socket, piece: memoryview) -> int:
        """What of this piece goes at once; who has got a byte finds it counted. Returns how many bytes went."""
        with self._changed:
            try:
                count = connection.send(piece, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return 0
            request.sent += count
            self._changed.notify_all()
            return count

    def crashed(self, error: BaseException) -> None:
        self._crashes.append(error)


class _Listener(ThreadingHTTPServer):
    daemon_threads = False  # stop() waits for them

    def __init__(self, site: FaultyServer, where: str) -> None:
        self.site, self.where = site, where
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), name=f"{where} of the tests")
        super().__init__(("127.0.0.1", 0), _Handler)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        for connection in list(self._open):
            with suppress(OSError):  # closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        # What the kernel holds back counts as sent: little of it.
        request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):
            self.site.crashed(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        site, request = self.server.site, self._request()
        reply = site.answer(request)
        fault = site.asked(request, reply)
        if fault.stall == HEADERS:
            fault.pause()
        if fault.status:
            reply = json_reply(fault.status, {"error": "as the test wants it"}, fault.headers)
        elif reply.file_body:
            reply = self._part(request, reply, fault)
        body = reply.body if fault.short is None else reply.body[: fault.short]
        site.note(request, status=reply.status)
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
            self.send_header(name, f'"{fault.etag}"' if fault.etag and name.lower().endswith("etag") else value)
        self.end_headers()
        if request.method != "HEAD":
            self._send(request, body, fault)

    def _request(self) -> Request:
        url = urlsplit(self.path)
        cookie = re.search(r"m_session_id=([^;]*)", self.headers.get("Cookie", ""))
        return Request(
            where=self.server.where,
            method=self.command,
            path=unquote(url.path),
            raw_path=url.path,
            query={name: values[-1] for name, values in parse_qs(url.query).items()},
            range=self.headers.get("Range", ""),
            token=self.headers.get("Authorization", "").removeprefix("Bearer ") or (cookie[1] if cookie else ""),
            user_agent=self.headers.get("User-Agent", ""),
        )

    def _part(self, request: Request, reply: Reply, fault: Fault) -> Reply:
        """Of a file what was asked for, if the server minds it."""
        size, body = len(reply.body), reply.body
        if fault.flip is not None:
            body = body[: fault.flip] + bytes([body[fault.flip] ^ 1]) + body[fault.flip + 1 :]
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **reply.headers}
        if not request.range or fault.ignore_range:
            self.server.site.note(request, size=size)
            return Reply(200, body, headers)
        span = requested_range(request.range, size)
        if span is None:
            return Reply(416, b"", {"Content-Range": f"bytes */{size}"})
        start, end = span
        self.server.site.note(request, size=size, start=start)
        return Reply(206, body[start:end], {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"})

    def _send(self, request: Request, body: bytes, fault: Fault) -> None:
        """The body, as far as the fault lets it; counted as it goes."""
        stop = min(end for end in (fault.cut, fault.reset, len(body)) if end is not None)
        piece = max(1, fault.slow // 20) if fault.slow else PIECE
        while request.sent < stop:
            if fault.stall == request.sent:
                fault.pause()
            end = min(request.sent + piece, stop)
            if fault.stall is not None and request.sent < fault.stall:
                end = min(end, fault.stall)
            select.select([], [self.connection], [])
            count = self.server.site.send(request, self.connection, memoryview(body)[request.sent : end])
            if fault.slow:
                fault.pause(count / fault.slow)
        if fault.cut is None and fault.reset is None:
            return
        self.close_connection = True
        if fault.reset is not None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
