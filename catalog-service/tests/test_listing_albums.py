import uuid
from typing import Any

import httpx
import pytest

from openmusic_catalog.albums.repository import AlbumRepository
from openmusic_catalog.listing.sorting import parse_sort
from openmusic_kit.ids import new_id

TRUSTED = {"X-Service-Credential": "the-shared-credential"}


async def found(client: httpx.AsyncClient, **query: str | int) -> list[str]:
    answer = await client.get("/albums", params=query)
    assert answer.status_code == 200
    return [album["id"] for album in answer.json()["data"]["albums"]]


async def test_albums_are_listed_by_parts_of_their_names_and_by_year(client: httpx.AsyncClient, add_album: Any) -> None:
    mark = uuid.uuid4().hex
    first = await add_album(f"Viva {mark}", 2008)
    second = await add_album(f"100%_{mark}", 2008)
    third = await add_album(f"viva {mark}", 2009)

    assert await found(client, name=mark.upper()) == [first, second, third]
    assert await found(client, name=f"VIVA {mark}") == [first, third]
    assert await found(client, name=f"%_{mark}") == [second]
    assert await found(client, name=f"Viva%{mark}") == []
    assert await found(client, name=mark, year=2008) == [first, second]
    assert await found(client, name=mark, year=2010) == []
    assert await found(client, name=mark, unknown="x") == [first, second, third]
    assert first in await found(client, year=2008)


async def test_a_listed_album_has_its_cover_but_no_songs(client: httpx.AsyncClient, add_album: Any) -> None:
    mark = uuid.uuid4().hex
    with_cover, without = await add_album(mark, 1), await add_album(mark, 2)
    path = f"/internal/albums/{with_cover}/cover"
    assert (await client.put(path, json={"path": "/covers/x.png"}, headers=TRUSTED)).is_success

    answer = await client.get("/albums", params={"name": mark})

    assert answer.json() == {
        "status": "success",
        "data": {
            "albums": [
                {"id": with_cover, "name": mark, "year": 1, "coverUrl": "https://music.example/covers/x.png"},
                {"id": without, "name": mark, "year": 2, "coverUrl": None},
            ]
        },
    }


async def test_pages_follow_each_other_until_the_end(client: httpx.AsyncClient, add_album: Any) -> None:
    mark = uuid.uuid4().hex
    albums = [await add_album(f"{mark} & more", 7) for _ in range(5)]

    answer = await client.get("/albums", params={"name": f"{mark} &", "year": 7, "limit": 2})
    seen, pages = [album["id"] for album in answer.json()["data"]["albums"]], 1
    while "next" in answer.links:
        answer = await client.get(answer.links["next"]["url"])
        seen += [album["id"] for album in answer.json()["data"]["albums"]]
        pages += 1

    assert (seen, pages) == (albums, 3)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "cursor=%25%25", "name=%00", "year=x", "year=2008.5", f"year={2**31}"]
)
async def test_a_query_that_makes_no_sense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/albums?{query}")).status_code == 400


async def test_albums_are_found_through_indexes_among_many(connection: Any) -> None:
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY albums (id, name, year) FROM STDIN") as copy:
            for number in range(20_000):
                await copy.write_row((new_id("album"), f"Number {number}", 1000 + number % 900))
        await cursor.execute("VACUUM ANALYZE albums")

    for name, year, index in (("NUMBER 12345", None, "albums_by_name_trigrams"), ("", 1899, "albums_by_year")):
        async with connection.transaction():
            assert await AlbumRepository(connection).search(name, year, parse_sort(""), (), 1001, "")
            cursor = await connection.execute("SELECT pg_stat_get_xact_numscans(%s::regclass) AS scans", (index,))
            assert (await cursor.fetchone())["scans"] > 0, index


async def test_each_creation_names_its_path(client: httpx.AsyncClient, add_album: Any, bearer: Any) -> None:
    song = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay"}
    created = {
        "albums": await client.post("/albums", json={"name": "Parachutes", "year": 2000}),
        "songs": await client.post("/songs", json=song),
    }
    liked = await client.post(f"/albums/{await add_album()}/likes", headers=bearer("user-" + "a" * 32))

    for kind, answer in created.items():
        (new,) = answer.json()["data"].values()
        assert answer.headers["Location"] == f"/{kind}/{new}"
    for answer in (*created.values(), liked):
        assert (await client.get(answer.headers["Location"])).status_code == 200


async def test_the_document_says_what_a_list_may_be_asked_for(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    albums, songs = (
        {each["name"]: each["schema"] for each in paths[path]["get"]["parameters"]} for path in ("/albums", "/songs")
    )

    year = next(each for each in albums["year"].get("anyOf", [albums["year"]]) if each["type"] == "integer")
    assert (year["minimum"], year["maximum"]) == (-2_147_483_648, 2_147_483_647)
    assert songs["title"]["pattern"] == songs["performer"]["pattern"] == r"^[^\x00]*$"
