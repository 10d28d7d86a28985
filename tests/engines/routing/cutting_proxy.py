"""A proxy in front of a real server, whose connection breaks at a chosen place of a streamed answer."""

from __future__ import annotations

import asyncio
import json
import threading


class CuttingProxy:
    """No more than ``at`` characters pass; None lets all through. ``passed``: the text of each reply."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.at: int | None = None
        self.passed: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        up = asyncio.ensure_future(_copy(reader, out))
        try:
            await self._down(there, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            up.cancel()
            for each in (writer, out):
                each.transport.abort()

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun = False
        while line := await there.readline():
            if line.startswith(b"data: {"):
                if not begun:
                    begun = True
                    self.passed.append("")
                text = self.passed[-1] + _text(line)
                if self.at is not None and len(text) > self.at:
                    self.at = None
                    await writer.drain()
                    return
                self.passed[-1] = text
            elif line.startswith(b"data: [DONE]"):
                begun = False
            writer.write(line)
            await writer.drain()


def _text(line: bytes) -> str:
    choices = json.loads(line.removeprefix(b"data: ")).get("choices") or [{}]
    return str(choices[0].get("text") or choices[0].get("delta", {}).get("content") or "")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
