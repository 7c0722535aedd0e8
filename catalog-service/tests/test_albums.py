from typing import Any

import httpx
import pytest

COVER = {"path": "/covers/album-1/abc.png"}
TRUSTED = {"X-Service-Credential": "the-shared-credential"}


async def test_an_album_can_be_read_back_with_its_songs_in_order(
    client: httpx.AsyncClient, add_album: Any, add_song: Any
) -> None:
    album_id = await add_album("Parachutes", 2000)
    first, second = await add_song(title="Shiver", albumId=album_id), await add_song(title="Yellow", albumId=album_id)

    answer = await client.get(f"/albums/{album_id}")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "success",
        "data": {
            "album": {
                "id": album_id,
                "name": "Parachutes",
                "year": 2000,
                "coverUrl": None,
                "songs": [
                    {"id": first, "title": "Shiver", "performer": "Coldplay"},
                    {"id": second, "title": "Yellow", "performer": "Coldplay"},
                ],
            }
        },
    }


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"name": "X"},
        {"year": 2008},
        {"name": 1, "year": 2008},
        {"name": "X", "year": "2008"},
        {"name": "X", "year": 2008.5},
        {"name": "X", "year": True},
        {"name": "X", "year": 2**31},
        {"name": "", "year": 2008},
        {"name": "  ", "year": 2008},
        {"name": "a\0b", "year": 2008},
        {"name": None, "year": 2008},
        [],
        "text",
        None,
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_an_album_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, add_album: Any, method: str, payload: Any
) -> None:
    path = "/albums" if method == "POST" else f"/albums/{await add_album()}"

    answer = await client.request(method, path, json=payload)

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"
    assert answer.json()["message"]


@pytest.mark.parametrize("odd_id", ["xxx", "a" * 300, "album-", "%00", "..%2f..%2fusers", "%F0%9F%8E%B5"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_id_of_any_text_is_not_found(client: httpx.AsyncClient, method: str, odd_id: str) -> None:
    answer = await client.request(method, f"/albums/{odd_id}", json={"name": "X", "year": 1})

    assert answer.status_code == 404
    assert answer.json()["status"] == "fail"


async def test_every_change_shows_at_once_and_a_repeated_read_comes_from_the_cache(
    client: httpx.AsyncClient, add_album: Any, add_song: Any
) -> None:
    album_id = await add_album()
    song_id = await add_song(albumId=album_id)
    other_album = await add_album("Other")
    changes: list[tuple[str, str, Any]] = [
        ("PUT", f"/albums/{album_id}", {"name": "New name", "year": 1999}),
        ("PUT", f"/internal/albums/{album_id}/cover", COVER),
        (
            "PUT",
            f"/songs/{song_id}",
            {"title": "Renamed", "year": 1, "genre": "x", "performer": "y", "albumId": album_id},
        ),
        (
            "PUT",
            f"/songs/{song_id}",
            {"title": "Moved", "year": 1, "genre": "x", "performer": "y", "albumId": other_album},
        ),
        (
            "PUT",
            f"/songs/{song_id}",
            {"title": "Back", "year": 1, "genre": "x", "performer": "y", "albumId": album_id},
        ),
        ("DELETE", f"/songs/{song_id}", None),
    ]
    seen = [(await client.get(f"/albums/{album_id}")).json()]
    for method, path, body in changes:
        assert (await client.request(method, path, json=body, headers=TRUSTED)).status_code == 200

        first, second = await client.get(f"/albums/{album_id}"), await client.get(f"/albums/{album_id}")

        assert "X-Data-Source" not in first.headers, path
        assert second.headers["X-Data-Source"] == "cache"
        assert first.json() == second.json()
        assert first.json() != seen[-1]
        seen.append(first.json())
    assert seen[1]["data"]["album"]["name"] == "New name"
    assert seen[2]["data"]["album"]["coverUrl"] == "https://music.example/covers/album-1/abc.png"
    assert seen[3]["data"]["album"]["songs"][0]["title"] == "Renamed"
    assert seen[-1]["data"]["album"]["songs"] == []


async def test_a_deleted_album_keeps_its_songs_and_takes_its_likes(
    client: httpx.AsyncClient, add_album: Any, add_song: Any
) -> None:
    album_id = await add_album()
    song_id = await add_song(albumId=album_id)
    for path in (f"/albums/{album_id}", f"/albums/{album_id}/likes"):
        await client.get(path)
        assert (await client.get(path)).headers["X-Data-Source"] == "cache"

    assert (await client.delete(f"/albums/{album_id}")).status_code == 200

    assert (await client.get(f"/albums/{album_id}")).status_code == 404
    assert (await client.get(f"/albums/{album_id}/likes")).status_code == 404
    assert (await client.get(f"/songs/{song_id}")).json()["data"]["song"]["albumId"] is None
    assert (await client.delete(f"/albums/{album_id}")).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"X-Service-Credential": "guessed"}, {"X-Service-Credential": "é"}])
async def test_internal_routes_demand_the_service_credential(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, headers: dict[str, str]
) -> None:
    raw = {name: value.encode() for name, value in headers.items()}
    cover = await client.put(f"/internal/albums/{await add_album()}/cover", json=COVER, headers=raw)
    song = await client.get(f"/internal/songs/{await add_song()}", headers=raw)

    assert (cover.status_code, song.status_code) == (401, 401)


async def test_the_colour_of_a_cover_is_shown_to_whoever_asks(client: httpx.AsyncClient, add_album: Any) -> None:
    album_id = await add_album()
    path, cover = f"/albums/{album_id}", f"/internal/albums/{album_id}/cover"

    async def seen() -> Any:
        album = (await client.get(path)).json()["data"]["album"]
        colored = (await client.get(path, params={"color": "true"})).json()["data"]["album"]
        assert "coverColor" not in album
        assert {name: value for name, value in colored.items() if name != "coverColor"} == album
        return colored["coverColor"]

    assert await seen() is None
    for color in ("#0a1b2c", "#ffffff"):
        assert (await client.put(cover, json=COVER | {"color": color}, headers=TRUSTED)).is_success
        assert await seen() == color
    assert (await client.put(path, json={"name": "Renamed", "year": 1})).is_success
    assert await seen() == "#ffffff"
    assert (await client.put(cover, json=COVER, headers=TRUSTED)).is_success  # by a version that knows no colours
    assert await seen() is None
    for wrong in ("red", "#12345", "#1234567", "#FFFFFF", "", 1):
        assert (await client.put(cover, json=COVER | {"color": wrong}, headers=TRUSTED)).status_code == 400
    assert (await client.get(f"/albums/album-{'0' * 32}", params={"color": "true"})).status_code == 404


async def test_the_service_that_keeps_covers_learns_in_pages_which_are_in_use(
    client: httpx.AsyncClient, add_album: Any
) -> None:
    albums = [await add_album() for _ in range(5)]
    used = {album_id: f"/covers/{album_id}/x.png" for album_id in albums[1:4]}
    for album_id, path in used.items():
        assert (await client.put(f"/internal/albums/{album_id}/cover", json={"path": path}, headers=TRUSTED)).is_success
    await client.delete(f"/albums/{albums[2]}")
    address = "/internal/albums/covers"

    first = await client.get(address, params={"after": albums[0], "limit": 1}, headers=TRUSTED)
    second = await client.get(address, params={"after": albums[1], "limit": 2}, headers=TRUSTED)

    assert first.json()["data"] == {"covers": [{"id": albums[1], "path": used[albums[1]]}]}
    assert second.json()["data"]["covers"][0] == {"id": albums[3], "path": used[albums[3]]}
    assert (await client.get(address)).status_code == 401
