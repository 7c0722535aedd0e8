"""``openmusic covers check``: what nobody refers to, what is missing, and what must not be touched."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import new_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_media.covers import check
from openmusic_media.covers.check import CoverCheck, Finding, NoCoverInUse
from openmusic_media.covers.keys import new_cover_key
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage
from openmusic_media.storage.interface import Storage
from openmusic_testkit.peers import CREDENTIAL

LATER = datetime.now(UTC) + timedelta(hours=2)


@pytest.fixture
def storage(backend: Any) -> Storage:
    return create_storage(Settings(**backend.settings))


@pytest.fixture
async def catalog(catalogue: Any) -> AsyncIterator[ServiceClient]:
    async with ServiceClient("catalog", catalogue.url, CREDENTIAL) as client:
        yield client


@pytest.fixture
def checked(storage: Storage, catalog: ServiceClient) -> CoverCheck:
    """As long after what the test stores as no upload takes."""
    return CoverCheck(storage, catalog, catalog, now=lambda: LATER)


@pytest.fixture
def store(storage: Storage) -> Any:
    async def store(key: str = "") -> str:
        key = key or new_cover_key(new_id("album"), "a" * 32, "png")
        await storage.put(key, b"x", "image/png")
        return key

    return store


@pytest.fixture
def use(store: Any, catalogue: Any) -> Any:
    async def use(kind: str = "album") -> str:
        """The key of a cover that is in use."""
        key: str = await store(new_cover_key(new_id(kind), "a" * 32, "png"))
        catalogue.covers[key.partition("/")[0]] = f"/covers/{key}"
        return key

    return use


def thumbnail_of(key: str) -> str:
    return key.replace(".png", ".64.webp")


async def test_nothing_is_said_of_covers_in_use(checked: CoverCheck, catalogue: Any, store: Any, use: Any) -> None:
    catalogue.add_album()
    await store(thumbnail_of(await use()))
    await use("playlist")

    assert await checked.run(remove=True) == []


async def test_what_no_album_refers_to_is_named_and_removed_when_asked(
    checked: CoverCheck, storage: Storage, store: Any, use: Any
) -> None:
    used = await use()
    replaced = await store(new_cover_key(used.partition("/")[0], "b" * 32, "png"))
    alone = await store()
    thumbnails = [await store(thumbnail_of(key)) for key in (replaced, alone)]
    before = await storage.keys()

    named = await checked.run()
    assert {finding.file for finding in named} == {replaced, alone, *thumbnails}
    assert {finding.problem for finding in named} == {"unused"}
    assert not any(finding.removed for finding in named)
    assert await storage.keys() == before

    removed = await checked.run(remove=True)
    assert [(finding.file, finding.removed) for finding in removed] == [(finding.file, True) for finding in named]
    assert await storage.keys() == [used]
    assert await checked.run() == []


async def test_an_upload_under_way_is_left_alone(
    catalog: ServiceClient, storage: Storage, store: Any, use: Any
) -> None:
    await use()
    under_way = await store()

    assert await CoverCheck(storage, catalog, catalog).run(remove=True) == []
    assert under_way in await storage.keys()


async def test_a_cover_that_is_uploaded_during_the_check_stays(
    checked: CoverCheck, storage: Storage, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await use()
    references = checked._references
    later: list[str] = []

    async def upload_first() -> AsyncIterator[str]:
        later.append(await use())
        async for key in references():
            yield key

    monkeypatch.setattr(checked, "_references", upload_first)

    assert await checked.run(remove=True) == []
    assert set(later) < set(await storage.keys())


async def test_a_cover_that_is_missing_is_named(checked: CoverCheck, storage: Storage, use: Any) -> None:
    await use()
    missing = await use()
    await storage.delete(missing)

    assert await checked.run(remove=True) == [Finding("missing", missing)]


async def test_a_cover_that_is_replaced_during_the_check_is_not_missing(
    checked: CoverCheck, storage: Storage, catalogue: Any, store: Any, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await use()
    replaced = await use()
    album_id = replaced.partition("/")[0]
    keys = storage.keys

    async def replace_then_list() -> list[str]:
        await storage.delete(replaced)
        return await keys()

    monkeypatch.setattr(storage, "keys", replace_then_list)
    missing = checked._missing

    async def after_the_change(absent: set[str]) -> AsyncIterator[str]:
        catalogue.covers[album_id] = f"/covers/{await store(new_cover_key(album_id, 'b' * 32, 'png'))}"
        async for key in missing(absent):
            yield key

    monkeypatch.setattr(checked, "_missing", after_the_change)

    assert await checked.run() == []


async def test_files_that_are_not_ours_are_named_and_stay(
    checked: CoverCheck, storage: Storage, store: Any, use: Any
) -> None:
    await use()
    foreign = [await store(key) for key in ("album-1/notes.txt", "lost/found.png")]

    assert await checked.run(remove=True) == [Finding("unknown", key) for key in foreign]
    assert set(foreign) < set(await storage.keys())


async def test_nothing_is_removed_when_no_album_has_a_cover(checked: CoverCheck, storage: Storage, store: Any) -> None:
    alone = await store()

    with pytest.raises(NoCoverInUse):
        await checked.run(remove=True)
    assert await storage.keys() == [alone]
    assert [finding.file for finding in await checked.run()] == [alone]


async def test_nothing_is_removed_when_the_catalogue_does_not_answer(
    checked: CoverCheck, storage: Storage, catalogue: Any, store: Any
) -> None:
    alone = await store()
    catalogue.down.add("covers")

    with pytest.raises(Unavailable):
        await checked.run(remove=True)
    assert await storage.keys() == [alone]


async def test_all_pages_of_albums_are_read(checked: CoverCheck, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PAGE", 2)
    for _ in range(5):
        await use()
        await use("playlist")

    assert await checked.run() == []
