"""One set of rules that both backends keep."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openmusic_kit.errors import Unavailable
from openmusic_media.settings import Settings
from openmusic_media.storage.folder import FolderStorage
from openmusic_media.storage.interface import ObjectNotFound, Storage
from openmusic_media.storage.s3 import S3Storage

KEY = "album-1/abc.png"


@pytest.fixture(params=["folder", "s3"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return FolderStorage(tmp_path / "covers")
    server: Any = request.getfixturevalue("s3_server")
    storage = S3Storage(_settings(server.endpoint, server.access_key, server.secret_key))
    await storage.ping()
    return storage


def _settings(endpoint: str, access_key: str, secret_key: str) -> Settings:
    return Settings(
        storage="s3",
        s3_endpoint=endpoint,
        s3_access_key=access_key,
        s3_secret_key=secret_key,
        s3_bucket="test-covers",
    )


async def test_what_was_put_comes_back(storage: Storage) -> None:
    await storage.put(KEY, b"first", "image/png")
    await storage.put(KEY, b"second", "image/png")

    found = await storage.get(KEY)

    assert (found.content, found.content_type) == (b"second", "image/png")


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(storage: Storage) -> None:
    await storage.put(KEY, b"x", "image/png")
    for _ in range(2):
        await storage.delete(KEY)
    with pytest.raises(ObjectNotFound):
        await storage.get(KEY)


async def test_everything_of_one_album_can_be_deleted(storage: Storage) -> None:
    for key in ("album-a/1.png", "album-a/2.gif", "album-ab/1.png"):
        await storage.put(key, b"x", "image/png")
    for _ in range(2):
        await storage.delete_all("album-a/")
    for key in ("album-a/1.png", "album-a/2.gif"):
        with pytest.raises(ObjectNotFound):
            await storage.get(key)
    assert (await storage.get("album-ab/1.png")).content == b"x"


async def test_what_is_stored_while_an_album_is_deleted_goes_as_well(
    s3_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = S3Storage(_settings(s3_server.endpoint, s3_server.access_key, s3_server.secret_key))
    await storage.put("album-c/1.png", b"x", "image/png")
    remove, late = storage._client.remove_object, ["album-c/2.webp"]

    def store_one_more(bucket_name: str, object_name: str) -> None:
        for name in [late.pop()] if late else []:
            storage._client.put_object(bucket_name, name, io.BytesIO(b"x"), 1)
        remove(bucket_name=bucket_name, object_name=object_name)

    monkeypatch.setattr(storage._client, "remove_object", store_one_more)
    await storage.delete_all("album-c/")

    with pytest.raises(ObjectNotFound):
        await storage.get("album-c/2.webp")


async def test_the_time_of_an_object_is_known(storage: Storage) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)  # servers cut off fractions of seconds
    await storage.put(KEY, b"x", "image/png")

    assert before < await storage.modified_at(KEY) < datetime.now(UTC) + timedelta(seconds=5)
    await storage.delete(KEY)
    with pytest.raises(ObjectNotFound):
        await storage.modified_at(KEY)


async def test_a_wrong_secret_is_refused(s3_server: Any) -> None:
    with pytest.raises(Unavailable):
        await S3Storage(_settings(s3_server.endpoint, s3_server.access_key, "wrong")).put(KEY, b"x", "image/png")


async def test_a_storage_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await S3Storage(_settings("127.0.0.1:9", "key", "secret")).get(KEY)


async def test_an_answer_that_breaks_off_is_no_object_wherever_it_does() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 7\r\nETag: x\r\n\r\ncontent"
    sent = len(whole)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        there = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(there if asked.startswith(b"HEAD") else whole[:sent])  # HEAD asks for the bucket
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        storage = S3Storage(_settings(f"{host}:{port}", "key", "secret-key"))
        assert (await storage.get(KEY)).content == b"content"
        for sent in range(len(whole)):  # noqa: B007 - the server sends so many bytes
            with pytest.raises(Unavailable):
                await storage.get(KEY)


async def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    storage = FolderStorage(tmp_path / "covers")
    with pytest.raises(ObjectNotFound):
        await storage.get("../secret")


async def test_an_object_appears_though_others_have_just_emptied_its_folder(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "covers")

    async def come_and_go(number: int) -> None:
        for _ in range(20):
            await storage.put(f"album-1/{number}.png", b"x", "image/png")
            assert (await storage.get(f"album-1/{number}.png")).content == b"x"
            await storage.delete(f"album-1/{number}.png")

    await asyncio.gather(*(come_and_go(number) for number in range(4)))
