"""A TCP proxy whose connections can lose all packets, as when a node dies: no side is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

PIECE = 65_536  # bytes


@dataclass
class _Link:
    """Two connections, one to each side, that pass on what they get."""

    vanished: bool = False


class VanishingProxy:
    """Passes connections to its own ``port`` on to the port ``target`` of this machine."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._new_ones_vanish = False
        self._links: list[_Link] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["VanishingProxy"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    @property
    def connections(self) -> int:
        """How many were accepted so far."""
        return len(self._links)

    def vanish(self, *, new_ones: bool = False) -> None:
        """From now on the open connections take everything and pass on nothing, not even their end.

        New ones work, unless they vanish as well, until :meth:`recover`.
        """
        self._new_ones_vanish = new_ones
        for link in self._links:
            link.vanished = True

    def recover(self) -> None:
        """Lets new connections work again; those that vanished do not come back."""
        self._new_ones_vanish = False

    async def _accept(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        link = _Link(self._new_ones_vanish)
        self._links.append(link)
        try:
            far, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            near_writer.transport.abort()
            return
        for reader, writer in ((near, far_writer), (far, near_writer)):
            task = asyncio.create_task(_pass_on(link, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pass_on(link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if not link.vanished:
                    writer.write(piece)
                    await writer.drain()
        if link.vanished:
            await asyncio.Event().wait()
    finally:
        writer.transport.abort() if link.vanished else writer.close()
