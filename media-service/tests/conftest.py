import asyncio
import io
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aio_pika
import httpx
import pytest
from aiohttp import web
from minio import Minio
from minio.error import S3Error
from PIL import Image

from openmusic_kit.context import new_request_id
from openmusic_kit.ids import new_id
from openmusic_kit.messaging import topology
from openmusic_media.app import create_app
from openmusic_media.covers.consumer import QUEUE
from openmusic_media.settings import Settings
from openmusic_testkit import plain_http
from openmusic_testkit.peers import CREDENTIAL, FakePeer
from openmusic_testkit.serving import serving
from openmusic_testkit.tokens import TokenIssuer

ISSUER = TokenIssuer()

Eventually = Callable[..., Awaitable[Any]]
Run = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@dataclass
class Catalogue(FakePeer):
    """The service that owns albums, as far as this one calls it."""

    covers: dict[str, str | None] = field(default_factory=dict)
    """Of each album, the path that it refers to."""
    colors: dict[str, str] = field(default_factory=dict)
    """Of each album, the colour of its cover."""
    playlists: dict[str, str] = field(default_factory=dict)
    """The owner of each playlist. The service that owns playlists has the same address."""
    silent: asyncio.Event | None = None
    """When there is one, nothing is answered before it is set."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Of each call, the album and the request id."""

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/internal/albums/covers", self.list_covers),
            web.put("/internal/albums/{id}/cover", self.answer),
            web.get("/internal/playlists/covers", self.list_covers),
            web.put("/internal/playlists/{id}/cover", self.answer_playlist),
        ]

    def release(self) -> None:
        if self.silent is not None:
            self.silent.set()

    def add_album(self) -> str:
        album_id = new_id("album")
        self.covers[album_id] = None
        return album_id

    def path(self, album_id: str) -> str:
        path = self.covers[album_id]
        assert path is not None, "the album has no cover"
        return path

    async def list_covers(self, request: web.Request) -> web.Response:
        after, limit = request.query["after"], int(request.query["limit"])
        kind = request.path.split("/")[2].removesuffix("s")
        used = [
            {"id": each, "path": path} for each, path in sorted(self.covers.items()) if path and each.startswith(kind)
        ]
        return self.reply(request, {"covers": [each for each in used if each["id"] > after][:limit]}, "covers")

    async def answer_playlist(self, request: web.Request) -> web.Response:
        playlist_id, cover = request.match_info["id"], await request.json()
        owner = self.playlists.get(playlist_id)
        answer = self.reply(request, {"allowed": owner == cover["userId"]} if owner else None, "playlists")
        if answer.status == 200 and owner == cover["userId"]:
            self.covers[playlist_id] = cover["path"]
            answer.headers["Cache-Purge"] = f"playlist:{playlist_id}"
        return answer

    async def answer(self, request: web.Request) -> web.Response:
        album_id = request.match_info["id"]
        self.calls.append((album_id, request.headers["X-Request-ID"]))
        if self.silent is not None:
            await self.silent.wait()
        answer = self.reply(request, {} if album_id in self.covers else None, "albums")
        if answer.status == 200:
            cover = await request.json()
            self.covers[album_id], self.colors[album_id] = cover["path"], cover["color"]
            answer.headers["Cache-Purge"] = f"album:{album_id}"
            answer.headers["Cache-Lift"] = f"hold of {album_id}"
        return answer


@pytest.fixture
async def catalogue() -> AsyncIterator[Catalogue]:
    catalogue = Catalogue()
    async with catalogue.serving(ISSUER):
        yield catalogue


class Backend(Protocol):
    """A storage, seen past our own code."""

    settings: dict[str, Any]

    async def content(self) -> list[str]:
        """The names of all that is in it."""

    async def go_away(self) -> None: ...

    async def come_back(self) -> None: ...


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings: dict[str, Any] = {"storage": "local", "storage_folder": root}
        self._aside = root.with_name("aside")

    async def content(self) -> list[str]:
        """Folders as well, except those that hold something."""
        every = [path for path in self.root.rglob("*") if path.is_file() or not any(path.iterdir())]
        return sorted(str(path.relative_to(self.root)) for path in every)

    async def go_away(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.root.rename(self._aside)
        self.root.write_text("a file where a folder should be")

    async def come_back(self) -> None:
        self.root.unlink()
        self._aside.rename(self.root)


class Bucket:
    """A bucket of the test's own, reached over a line that can be cut."""

    def __init__(self, server: Any) -> None:
        self.name = f"covers-{secrets.token_hex(8)}"
        self.client = Minio(
            endpoint=server.endpoint, access_key=server.access_key, secret_key=server.secret_key, secure=False
        )
        self.settings: dict[str, Any] = {
            "storage": "s3",
            "s3_access_key": server.access_key,
            "s3_secret_key": server.secret_key,
            "s3_bucket": self.name,
        }
        self._target = server.endpoint.split(":")
        self._port = 0
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()

    async def content(self) -> list[str]:
        def names() -> list[str]:
            with suppress(S3Error):  # the bucket comes with the first object
                return sorted(str(each.object_name) for each in self.client.list_objects(self.name, recursive=True))
            return []

        return await asyncio.to_thread(names)

    async def come_back(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.settings["s3_endpoint"] = f"127.0.0.1:{self._port}"

    async def go_away(self) -> None:
        if self._server is not None:
            self._server.close()
        for line in list(self._lines):
            line.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._forward(reader, far_writer), self._forward(far_reader, writer))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        self._lines.discard(writer)
        writer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "covers")


@pytest.fixture
async def bucket(s3_server: Any) -> AsyncIterator[Bucket]:
    bucket = Bucket(s3_server)
    await bucket.come_back()
    yield bucket
    await bucket.go_away()


@pytest.fixture(params=["folder", "bucket"])
def backend(request: pytest.FixtureRequest) -> Backend:
    backend: Backend = request.getfixturevalue(request.param)
    return backend


@pytest.fixture
def run(catalogue: Catalogue, rabbitmq_url: str) -> Run:
    """The service with that storage, listening as it does in earnest, and a client of it."""

    @asynccontextmanager
    async def run(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
        settings = Settings(
            **backend.settings,
            auth_url=catalogue.url,
            catalog_url=catalogue.url,
            playlist_url=catalogue.url,
            rabbitmq_server=rabbitmq_url,
            service_credential=CREDENTIAL,
        )
        options = {"http": "httptools", "lifespan": "on", "timeout_graceful_shutdown": 1, "log_config": None}
        async with (
            serving(create_app(settings), **options) as port,
            plain_http.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
        ):
            yield client

    return run


@pytest.fixture
async def client(run: Run, backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with run(backend) as client:
        yield client


Upload = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def uploading_to() -> Callable[[httpx.AsyncClient], Upload]:
    def to(client: httpx.AsyncClient) -> Upload:
        async def upload(
            album_id: str, content: bytes, name: str = "cover.png", content_type: str = "image/png", **headers: str
        ) -> httpx.Response:
            files = {"cover": (name, content, content_type)}
            return await client.post(f"/albums/{album_id}/covers", files=files, headers=headers)

        return upload

    return to


@pytest.fixture
def upload(client: httpx.AsyncClient, uploading_to: Callable[[httpx.AsyncClient], Upload]) -> Upload:
    return uploading_to(client)


@pytest.fixture
def bearer() -> Callable[[str], dict[str, str]]:
    return ISSUER.bearer


class Events:
    """What the catalogue announces, sent through the real broker; and a look at the queues."""

    def __init__(self, exchange: aio_pika.abc.AbstractExchange, channel: aio_pika.abc.AbstractChannel) -> None:
        self._exchange = exchange
        self._channel = channel

    async def publish(self, kind: str, album_id: str, data: Any, **changes: Any) -> str:
        """The id of the event, which is known to be in the queue."""
        event = {
            "id": new_request_id(),
            "type": kind,
            "version": 1,
            "aggregateId": album_id,
            "sequence": 2,
            "time": "2026-01-02T03:04:05Z",
            "requestId": new_request_id(),
            "data": data,
        } | changes
        await self.publish_as_it_is(json.dumps(event).encode(), f"{kind}.v1", message_id=str(event["id"]))
        return str(event["id"])

    async def publish_as_it_is(self, body: bytes, routing_key: str, message_id: str | None = None) -> None:
        await self._exchange.publish(aio_pika.Message(body, message_id=message_id), routing_key, mandatory=True)

    async def deleted(self, album_id: str) -> str:
        return await self.publish("album.deleted", album_id, {"albumId": album_id})

    async def replaced(self, album_id: str, path: str) -> str:
        return await self.publish("album.cover_replaced", album_id, {"albumId": album_id, "path": path})

    async def unused(self, playlist_id: str, path: str) -> str:
        return await self.publish("playlist.cover_unused", playlist_id, {"playlistId": playlist_id, "path": path})

    async def depth(self, *names: str) -> int:
        queues = [await self._channel.declare_queue(name, passive=True) for name in names]
        return sum(queue.declaration_result.message_count or 0 for queue in queues)

    async def set_aside(self) -> int:
        """How many wait to be tried again."""
        return await self.depth(*map(QUEUE.retry_queue, QUEUE.retry.delays))

    async def next_dead(self) -> tuple[bytes, str] | None:
        """One that nobody could apply, and why; it is gone then."""
        queue = await self._channel.get_queue(QUEUE.dead, ensure=False)
        message = await queue.get(no_ack=True, fail=False)
        return (message.body, str(message.headers["x-reason"])) if message else None


@pytest.fixture
async def events(rabbitmq_url: str) -> AsyncIterator[Events]:
    """The queues are there, and nothing of another test is in them."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(await aio_pika.connect(rabbitmq_url))
        channel = await stack.enter_async_context(broker.channel(publisher_confirms=True, on_return_raises=True))
        await topology.declare(broker, [QUEUE])
        for name in (QUEUE.name, QUEUE.dead, *map(QUEUE.retry_queue, QUEUE.retry.delays)):
            await (await channel.get_queue(name, ensure=False)).purge()
        yield Events(await channel.get_exchange(topology.EXCHANGE.name, ensure=False), channel)


def drawn(kind: str, size: tuple[int, int] = (120, 80), **options: Any) -> bytes:
    """A picture full of noise, so that it does not compress well."""
    target = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(target, kind, **options)
    return target.getvalue()


@pytest.fixture(scope="session")
def draw() -> Callable[..., bytes]:
    return drawn


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """A good image of every kind, by the type that it is served as, and an animation more."""
    images = {f"image/{kind.lower()}": drawn(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "AVIF")}
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "green", "blue")]
    target = io.BytesIO()
    frames[0].save(target, "PNG", save_all=True, append_images=frames[1:], duration=120)
    return images | {"image/apng": target.getvalue()}


@pytest.fixture(scope="session")
def png(samples: dict[str, bytes]) -> bytes:
    return samples["image/png"]
