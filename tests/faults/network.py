"""What lies between the parts: every connection passes a proxy here, which can be slow, cut it off, or lose it."""

import asyncio
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import uvloop
from vanishing import drop_packets, take_packets

from openmusic_local.ports import obstacle
from openmusic_testkit.waiting import wait_until

PORTS = range(14000, 19000)  # apart from those of the stack, and below those that the kernel hands out
CONNECT_TIMEOUT = 20.0  # seconds; a part that is paused takes connections only when it goes on
LOOK_AGAIN = 0.02  # seconds between looks whether a part takes connections again
LONGEST_PIECE = 3000  # bytes of answers that a connection lives through while connections are cut

T = TypeVar("T")


@dataclass
class Weather:
    """How it is between two parts; it holds for open connections as well."""

    delay: float = 0.0
    """Seconds that every answer arrives later."""
    cutting: bool = False
    """Whether each connection breaks off after some bytes of answers."""
    refusing: bool = False
    """Whether open connections are reset, and new ones refused."""
    vanishing: bool = False
    """Whether packets are lost: open connections never come back, new ones cannot be made meanwhile."""


class Network:
    """The proxies, in a thread of their own. ``port_override`` is what a Stack is given."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._proxies: dict[tuple[str, str], _Proxy] = {}
        self._ports = iter(random.sample(PORTS, len(PORTS)))

    @contextmanager
    def running(self) -> Iterator["Network"]:
        thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        thread.start()
        yield self
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join(5)

    def port_override(self, process: str, part: str, port: int) -> int:
        """The port through which the process reaches the part that listens on ``port``."""
        if (process, part) not in self._proxies:
            own = next(each for each in self._ports if obstacle(each) is None)
            proxy = _Proxy(own, port)
            self._run(proxy.listen())
            self._proxies[process, part] = proxy
        return self._proxies[process, part].port

    def change(self, part: str, weather: Weather) -> None:
        """On all ways to the part; on those from it, if nobody asks it anything."""
        ways = [proxy for (_, target), proxy in self._proxies.items() if target == part]
        self._change(ways or [proxy for (process, _), proxy in self._proxies.items() if process == part], weather)

    def change_one(self, process: str, part: str, weather: Weather) -> None:
        """On the way from the process to the part; all others reach it as before."""
        self._change([self._proxies[process, part]], weather)

    def wait_until_open(self, part: str) -> None:
        """Waits until all ways to the part, which is there again, take connections."""
        ways = [proxy for (_, target), proxy in self._proxies.items() if target == part]
        wait_until(lambda: all(proxy.open for proxy in ways))

    def _change(self, ways: list["_Proxy"], weather: Weather) -> None:
        async def change() -> None:
            for proxy in ways:
                await proxy.change(weather)

        self._run(change())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


class _Proxy:
    """Passes on what comes to ``port``. It refuses connections while the part behind it does."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.weather = Weather()
        self._target = target
        self._server: asyncio.Server | None = None
        self._socket: socket.socket
        self._links: set[_Link] = set()
        self._vanished: list[_Link] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        return self._server is not None

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self._server = await loop.create_server(self._accepted, sock=self._socket, backlog=1024)

    async def change(self, weather: Weather) -> None:
        before, self.weather = self.weather, weather
        for link in list(self._links):
            link.lifetime = _lifetime()
            if weather.refusing:
                link.abort()
            elif weather.vanishing:
                link.vanish()
        if weather.vanishing:
            drop_packets(self._socket)
        elif before.vanishing:
            take_packets(self._socket)
        if weather.refusing:
            self._close()
        elif before.refusing:
            await self.listen()

    def _accepted(self) -> asyncio.Protocol:
        link = _Link(self)
        self._links.add(link)
        self._start(self._connect(link))
        return link.near

    async def _connect(self, link: "_Link") -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.create_connection(lambda: link.far, "127.0.0.1", self._target)
        except OSError:
            link.abort()
            self._refuse()

    def _refuse(self) -> None:
        if self._server is not None and not self.weather.refusing:
            self._close()
            self._start(self._listen_again())

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _listen_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            with suppress(OSError):
                _, probe = await asyncio.open_connection("127.0.0.1", self._target)
                probe.close()
                await self.listen()
                return

    def forget(self, link: "_Link") -> None:
        self._links.discard(link)

    def keep(self, link: "_Link") -> None:
        """One that vanished is never closed: that would tell the other side of it."""
        self._links.discard(link)
        self._vanished.append(link)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _lifetime() -> int:
    return random.randint(1, LONGEST_PIECE)  # noqa: S311 - of no secret


class _Link:
    """A connection and the one that is made for it; when one of the two ends, so does the other."""

    def __init__(self, proxy: _Proxy) -> None:
        self._proxy = proxy
        self.lifetime = _lifetime()
        self.vanished = False
        self.near = _Side(self, self.ask)
        self.far = _Side(self, self.answer)

    def ask(self, data: bytes) -> None:
        self.far.pass_on(data, 0.0)

    def answer(self, data: bytes) -> None:
        weather = self._proxy.weather
        if weather.cutting and len(data) >= self.lifetime:
            self.near.pass_on(data[: self.lifetime], 0.0)
            self.abort()
            return
        self.lifetime -= len(data) if weather.cutting else 0
        self.near.pass_on(data, weather.delay)

    def ended(self, side: "_Side") -> None:
        if self.vanished:
            return
        other = self.far if side is self.near else self.near
        other.pass_on(None, self._proxy.weather.delay if side is self.far else 0.0)
        self._proxy.forget(self)

    def abort(self) -> None:
        for side in (self.near, self.far):
            if side.transport is not None:
                side.transport.abort()
        self._proxy.forget(self)

    def vanish(self) -> None:
        """Neither side hears from the other again, not even that what it sent has arrived."""
        self.vanished = True
        for side in (self.near, self.far):
            if side.transport is not None:
                drop_packets(side.transport.get_extra_info("socket"))
        self._proxy.keep(self)


@dataclass(eq=False)
class _Side(asyncio.Protocol):
    """What is passed on keeps its order, however long each piece has to wait."""

    link: _Link
    arrived: Callable[[bytes], None]
    transport: asyncio.Transport | None = None
    _waiting: deque[bytes | None] = field(default_factory=deque)
    _last_due: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own are no subclass of it
        if self.link.vanished:  # while this connection was being made
            drop_packets(transport.get_extra_info("socket"))
        self._flush()

    def data_received(self, data: bytes) -> None:
        if not self.link.vanished:
            self.arrived(data)

    def connection_lost(self, _: Exception | None) -> None:
        self.link.ended(self)

    def pass_on(self, piece: bytes | None, delay: float) -> None:
        """Within ``delay`` seconds; None ends the connection."""
        loop = asyncio.get_running_loop()
        self._waiting.append(piece)
        self._last_due = max(loop.time() + delay, self._last_due)
        if self._last_due <= loop.time():
            self._flush()
        else:
            loop.call_at(self._last_due, self._write_next)

    def _flush(self) -> None:
        """Writes all that need not wait any longer; before there is a connection, everything waits."""
        while self._waiting and self.transport is not None and self._last_due <= asyncio.get_running_loop().time():
            self._write_next()

    def _write_next(self) -> None:
        if self.transport is None or not self._waiting or self.link.vanished:
            return
        piece = self._waiting.popleft()
        if piece is None:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write(piece)
