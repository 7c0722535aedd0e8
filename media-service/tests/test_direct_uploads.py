"""Uploads that go from the client to the storage itself, and are checked like any other before anybody sees them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openmusic_kit.ids import new_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_media.covers.direct_uploads import DirectUploads
from openmusic_media.covers.errors import NoDirectUploads
from openmusic_media.covers.service import CoverService
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage
from openmusic_testkit import plain_http
from openmusic_testkit.peers import CREDENTIAL

LIMIT = 512_000


@pytest.fixture
async def client(run: Any, bucket: Any) -> AsyncIterator[Any]:
    bucket.settings["s3_public_endpoint"] = f"http://{bucket.settings['s3_endpoint']}"
    async with run(bucket) as client:
        yield client


@pytest.fixture
def begin(client: Any) -> Any:
    async def begin(album_id: str) -> tuple[str, Any]:
        """The path of the upload, and the form."""
        answer = await client.post(f"/albums/{album_id}/covers/uploads")
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"], answer.json()["data"]

    return begin


async def send(form: Any, content: bytes, **changes: str) -> int:
    """As a browser sends a form; the status."""
    async with plain_http.AsyncClient() as browser:
        files = {"file": ("cover.png", content, "image/png")}
        answer = await browser.post(form["url"], data={**form["fields"], **changes}, files=files)
    return answer.status_code


async def test_what_was_sent_to_the_storage_becomes_the_cover(
    client: Any, bucket: Any, catalogue: Any, begin: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()
    path, form = await begin(album_id)
    assert path == f"/albums/{album_id}/covers/uploads/{form['uploadId']}"
    assert form["maxBytes"] == LIMIT
    left = datetime.fromisoformat(form["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=10) < left <= timedelta(minutes=15)

    assert await send(form, png) == 204
    assert catalogue.covers[album_id] is None
    done = await client.post(path)

    assert (done.status_code, done.headers["Cache-Purge"]) == (201, f"album:{album_id}")
    cover = catalogue.path(album_id)
    assert done.headers["Location"] == cover
    assert (await client.get(cover)).content == png
    assert await bucket.content() == [cover.removeprefix("/covers/")]
    assert (await client.post(path)).status_code == 404


async def test_the_storage_takes_nothing_but_what_the_form_allows(
    bucket: Any, catalogue: Any, begin: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()
    _, form = await begin(album_id)

    assert await send(form, bytes(LIMIT + 1)) == 400
    assert await send(form, png, key=f"{album_id}/{'a' * 32}-{'b' * 32}.png") == 403
    assert await send(form, b"") == 400
    assert await bucket.content() == []
    assert await send(form, bytes(LIMIT)) == 204


async def test_what_is_no_image_never_becomes_a_cover(
    client: Any, bucket: Any, catalogue: Any, begin: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()
    for content in (b"<svg/>", png[: len(png) // 2]):
        path, form = await begin(album_id)
        assert await send(form, content) == 204
        (incoming,) = await bucket.content()
        for address in (f"/covers/{incoming}", f"/covers/{incoming}?size=64"):
            assert (await client.get(address)).status_code == 404

        answer = await client.post(path)

        assert (answer.status_code, answer.json()["status"]) == (400, "fail")
        assert await bucket.content() == []
    assert catalogue.calls == []


async def test_an_upload_belongs_to_its_album(client: Any, catalogue: Any, begin: Any, png: bytes) -> None:
    album_id, other = catalogue.add_album(), catalogue.add_album()
    path, form = await begin(album_id)
    assert (await client.post(path)).status_code == 404, "nothing was sent"
    await send(form, png)

    assert (await client.post(path.replace(album_id, other))).status_code == 404
    assert (await client.post(f"/albums/{album_id}/covers/uploads/{new_id('upload')}")).status_code == 404
    for odd in ("upload-x", "%2e%2e%2fx"):
        assert (await client.post(f"/albums/{album_id}/covers/uploads/{odd}")).status_code == 404
    assert (await client.post(path)).status_code == 201


async def test_an_unknown_album_gets_no_cover(client: Any, bucket: Any, begin: Any, png: bytes) -> None:
    assert (await client.post("/albums/album-x/covers/uploads")).status_code == 404
    path, form = await begin(new_id("album"))
    await send(form, png)

    assert (await client.post(path)).status_code == 404
    assert await bucket.content() == []


async def test_an_upload_can_be_completed_after_the_catalogue_was_away(
    client: Any, catalogue: Any, begin: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()
    path, form = await begin(album_id)
    await send(form, png)

    catalogue.down.add("albums")
    assert (await client.post(path)).status_code == 503
    catalogue.down.clear()
    assert (await client.post(path)).status_code == 201


async def test_an_upload_that_was_given_up_is_deleted_by_a_later_one(
    bucket: Any, catalogue: Any, begin: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()
    _, form = await begin(album_id)
    await send(form, png)
    given_up = await bucket.content()
    storage = create_storage(Settings(**bucket.settings))

    async with ServiceClient("catalog", catalogue.url, CREDENTIAL) as catalog:
        covers = CoverService(storage, catalog, catalog)
        await DirectUploads(storage, covers, lambda: datetime.now(UTC) + timedelta(minutes=59)).begin(album_id)
        assert await bucket.content() == given_up
        await DirectUploads(storage, covers, lambda: datetime.now(UTC) + timedelta(minutes=61)).begin(album_id)

    assert await bucket.content() == []


async def test_there_are_none_where_clients_cannot_reach_the_storage(run: Any, backend: Any, catalogue: Any) -> None:
    async with run(backend) as client:
        answer = await client.post(f"/albums/{catalogue.add_album()}/covers/uploads")

    assert (answer.status_code, answer.json()["message"]) == (404, NoDirectUploads.message)
