"""The cover of a playlist, which its owner alone may set."""

from typing import Any

import pytest

from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

OWNER, STRANGER = new_id("user"), new_id("user")


@pytest.fixture
def playlist_id(catalogue: Any) -> str:
    playlist_id = new_id("playlist")
    catalogue.playlists[playlist_id] = OWNER
    return playlist_id


@pytest.fixture
def upload_as(client: Any, bearer: Any, png: bytes) -> Any:
    async def upload(user_id: str | None, playlist_id: str, content: bytes = png) -> Any:
        headers = bearer(user_id) if user_id else {}
        files = {"cover": ("cover.png", content, "image/png")}
        return await client.post(f"/playlists/{playlist_id}/cover", files=files, headers=headers)

    return upload


async def test_everyone_who_knows_its_address_sees_what_the_owner_uploaded(
    client: Any, catalogue: Any, upload_as: Any, playlist_id: str
) -> None:
    answer = await upload_as(OWNER, playlist_id)

    assert (answer.status_code, answer.json()["message"]) == (201, "Cover uploaded")
    assert answer.headers["Cache-Purge"] == f"playlist:{playlist_id}"
    path = answer.headers["Location"]
    assert path == catalogue.path(playlist_id)
    assert path.startswith(f"/covers/{playlist_id}/")
    assert (await client.get(path)).headers["content-type"] == "image/png"
    assert (await client.get(path, params={"size": 64})).headers["content-type"] == "image/webp"


async def test_whoever_may_not_set_it_leaves_nothing(
    catalogue: Any, backend: Any, upload_as: Any, playlist_id: str
) -> None:
    album_id = catalogue.add_album()
    refused = [
        (None, playlist_id, 401),
        (STRANGER, playlist_id, 403),
        *((OWNER, each, 404) for each in (new_id("playlist"), "playlist-x", album_id)),
    ]
    for user_id, each, status in refused:
        answer = await upload_as(user_id, each)
        assert (answer.status_code, answer.json()["status"]) == (status, "fail"), (user_id, each)
        assert "Cache-Purge" not in answer.headers

    assert await backend.content() == []
    assert catalogue.covers == {album_id: None}


async def test_the_token_comes_before_the_picture_and_the_picture_before_the_playlist(
    upload_as: Any, playlist_id: str
) -> None:
    assert (await upload_as(None, playlist_id, b"no image")).status_code == 401
    assert (await upload_as(STRANGER, new_id("playlist"), b"no image")).status_code == 400
    assert (await upload_as(STRANGER, playlist_id, bytes(512_001))).status_code == 413


async def test_a_cover_is_kept_while_nobody_knows_whether_it_is_in_use(
    catalogue: Any, backend: Any, upload_as: Any, playlist_id: str
) -> None:
    catalogue.down.add("playlists")

    assert (await upload_as(OWNER, playlist_id)).status_code == 503
    assert len(await backend.content()) == 1


async def test_a_cover_that_nobody_needs_goes_with_its_thumbnails(
    events: Any, client: Any, backend: Any, upload_as: Any, playlist_id: str
) -> None:
    first, second = [(await upload_as(OWNER, playlist_id)).headers["Location"] for _ in range(2)]
    await client.get(first, params={"size": 64})

    await events.unused(playlist_id, first)

    async def only_the_second() -> bool:
        return bool(await backend.content() == [second.removeprefix("/covers/")])

    await eventually(only_the_second)


async def test_an_event_of_one_playlist_deletes_nothing_of_another(
    events: Any, client: Any, upload: Any, catalogue: Any, upload_as: Any, png: bytes, playlist_id: str
) -> None:
    mine = (await upload_as(OWNER, playlist_id)).headers["Location"]
    album_id = catalogue.add_album()
    await upload(album_id, png)
    other = new_id("playlist")
    for path in (mine, catalogue.path(album_id), f"/covers/{other}/../{playlist_id}/{mine.rpartition('/')[2]}"):
        await events.unused(other, path)

        body, reason = await eventually(events.next_dead)

        assert other.encode() in body
        assert reason == "not a cover of that playlist"
    assert (await client.get(mine)).status_code == 200
    assert (await client.get(catalogue.path(album_id))).status_code == 200
