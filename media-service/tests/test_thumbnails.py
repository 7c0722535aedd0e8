"""Covers in smaller sizes: made once, kept beside the cover, and deleted with it."""

import asyncio
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from openmusic_kit.ids import new_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_media.covers import thumbnails
from openmusic_media.covers.archive import export_covers
from openmusic_media.covers.errors import CoverNotFound
from openmusic_media.covers.keys import ThumbnailSize
from openmusic_media.covers.service import CoverService
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage
from openmusic_media.storage.folder import FolderStorage
from openmusic_media.storage.interface import ObjectNotFound
from openmusic_testkit.waiting import eventually

SIZES = (64, 256, 640)


@pytest.fixture
async def cover(catalogue: Any, upload: Any, draw: Any) -> str:
    """The path of a cover that is there."""
    album_id = catalogue.add_album()
    assert (await upload(album_id, draw("JPEG", (800, 400)))).status_code == 201
    path: str = catalogue.path(album_id)
    return path


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes that were rendered."""
    sizes: list[int] = []
    render = thumbnails.render_thumbnail

    def count(content: bytes, size: int) -> bytes:
        sizes.append(size)
        return render(content, size)

    monkeypatch.setattr(thumbnails, "render_thumbnail", count)
    return sizes


async def test_a_cover_comes_in_smaller_sizes(client: Any, cover: str) -> None:
    whole = await client.get(cover)
    etags = {whole.headers["etag"]}
    for size in SIZES:
        answer = await client.get(cover, params={"size": size})

        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        with Image.open(io.BytesIO(answer.content)) as image:
            assert image.size == (size, size // 2)
        for name in ("cache-control", "content-security-policy", "x-content-type-options", "accept-ranges"):
            assert answer.headers[name] == whole.headers[name]
        etags.add(answer.headers["etag"])
    assert len(etags) == 4


async def test_a_thumbnail_can_be_had_in_parts_and_is_not_sent_twice(client: Any, cover: str) -> None:
    address = f"{cover}?size=64"
    whole = await client.get(address)
    head = await client.head(address)
    part = await client.get(address, headers={"Range": "bytes=2-9", "If-Range": whole.headers["etag"]})
    known = await client.get(address, headers={"If-None-Match": whole.headers["etag"]})

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert (part.status_code, part.content) == (206, whole.content[2:10])
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize("size", ["0", "65", "-64", "1000000", "64.5", "x", "", "64,256"])
async def test_no_other_size_is_made(client: Any, backend: Any, cover: str, size: str) -> None:
    before = await backend.content()

    answer = await client.get(cover, params={"size": size})

    assert (answer.status_code, answer.json()["status"]) == (400, "fail")
    assert answer.json()["message"] == "size: Input should be 64, 256 or 640"
    assert await backend.content() == before


async def test_it_is_made_once_however_many_ask_and_whenever(
    run: Any, backend: Any, client: Any, cover: str, rendered: list[int]
) -> None:
    answers = await asyncio.gather(*(client.get(cover, params={"size": 256}) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert rendered == [256]

    async with run(backend) as later:
        again = await later.get(cover, params={"size": 256})
    assert {answer.content for answer in answers} == {again.content}
    assert rendered == [256]


async def test_there_is_none_of_a_cover_that_does_not_exist(client: Any, backend: Any, cover: str) -> None:
    missing = f"/covers/{new_id('album')}/{cover.rpartition('/')[2]}"
    thumbnail = cover.rpartition(".")[0] + ".64.webp"

    await client.get(cover, params={"size": 64})
    for address in (f"{missing}?size=64", thumbnail, f"{thumbnail}?size=64"):
        assert (await client.get(address)).status_code == 404, address
    assert len(await backend.content()) == 2


async def test_thumbnails_go_with_a_cover_that_is_replaced(
    events: Any, client: Any, backend: Any, catalogue: Any, upload: Any, png: bytes, cover: str
) -> None:
    album_id = cover.split("/")[2]
    assert (await upload(album_id, png)).status_code == 201
    second = catalogue.path(album_id)
    for path in (cover, second):
        for size in SIZES:
            assert (await client.get(path, params={"size": size})).status_code == 200
    assert len(await backend.content()) == 8

    await events.replaced(album_id, cover)

    async def only_the_second() -> bool:
        return all(f"/covers/{name}".startswith(second.rpartition(".")[0]) for name in await backend.content())

    await eventually(only_the_second)
    assert len(await backend.content()) == 4
    assert (await client.get(cover, params={"size": 64})).status_code == 404


async def test_thumbnails_go_with_their_album(events: Any, client: Any, backend: Any, cover: str) -> None:
    for size in SIZES:
        assert (await client.get(cover, params={"size": size})).status_code == 200

    await events.deleted(cover.split("/")[2])

    async def nothing() -> bool:
        return await backend.content() in ([], ["."])

    await eventually(nothing)


@pytest.mark.parametrize("whole_album", [False, True])
@pytest.mark.parametrize("moment", ["before it is stored", "before its cover is looked for"])
async def test_a_cover_that_is_deleted_meanwhile_leaves_no_thumbnail(
    tmp_path: Path, draw: Any, moment: str, whole_album: bool
) -> None:
    key = f"{new_id('album')}/{'a' * 32}-{'b' * 32}.png"
    storage = create_storage(Settings(storage="local", storage_folder=tmp_path))
    await storage.put(key, draw("PNG"), "image/png")

    class Deleting(FolderStorage):
        """The cover is deleted at that moment."""

        async def put(self, name: str, content: bytes, content_type: str) -> None:
            if moment == "before it is stored":
                await delete()
            await storage.put(name, content, content_type)
            if moment != "before it is stored":
                await delete()

    found = thumbnails.Thumbnails(Deleting(tmp_path), thumbnails.CapacityLimiter(1))

    async def delete() -> None:
        if whole_album:
            await storage.delete_all(key.rpartition("/")[0] + "/")
        else:
            await storage.delete(key)
            await found.delete_all(key)

    with pytest.raises(ObjectNotFound):
        await found.get(key, ThumbnailSize.SMALL)
    assert await storage.keys() == []


async def test_one_that_is_asked_for_amid_the_deletion_of_its_cover_is_not_left(
    tmp_path: Path, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{new_id('album')}/{'a' * 32}-{'b' * 32}.png"
    storage = FolderStorage(tmp_path)
    await storage.put(key, draw("PNG"), "image/png")
    covers = CoverService(storage, ServiceClient("catalog", "", ""), ServiceClient("playlist", "", ""))
    delete = storage.delete

    async def delete_then_ask(name: str) -> None:
        await delete(name)
        for size in ThumbnailSize:
            with suppress(CoverNotFound):
                await covers.get(key, size)

    monkeypatch.setattr(storage, "delete", delete_then_ask)
    await covers.delete(key.partition("/")[0], f"/covers/{key}")

    assert await storage.keys() == []


async def test_who_gives_up_does_not_keep_others_from_it(tmp_path: Path, draw: Any, rendered: list[int]) -> None:
    key = f"{new_id('album')}/{'a' * 32}-{'b' * 32}.png"
    storage = FolderStorage(tmp_path)
    await storage.put(key, draw("PNG"), "image/png")
    limiter = thumbnails.CapacityLimiter(1)
    await limiter.acquire()  # so that nothing is rendered yet
    found = thumbnails.Thumbnails(storage, limiter)
    first, second = (asyncio.create_task(found.get(key, ThumbnailSize.SMALL)) for _ in range(2))

    async def begun() -> bool:
        return bool(found._in_flight)

    await eventually(begun)
    first.cancel()
    limiter.release()

    assert (await second).content_type == "image/webp"
    assert rendered == [64]


async def test_without_its_storage_there_is_none(client: Any, backend: Any, cover: str) -> None:
    await backend.go_away()
    assert (await client.get(cover, params={"size": 64})).status_code == 503
    await backend.come_back()
    assert (await client.get(cover, params={"size": 64})).status_code == 200


async def test_an_archive_holds_covers_and_no_thumbnails(client: Any, backend: Any, cover: str) -> None:
    await client.get(cover, params={"size": 64})
    archive = io.BytesIO()

    await export_covers(create_storage(Settings(**backend.settings)), archive)

    assert cover.removeprefix("/covers/").encode() in archive.getvalue()
    assert b".64.webp" not in archive.getvalue()
