"""Every limit from both sides: the last value that is accepted, and the first that is not."""

import base64
import uuid
from typing import Any

import httpx
import pytest

from openmusic_catalog.app import create_app
from openmusic_catalog.listing.sorting import parse_sort
from openmusic_catalog.settings import Settings
from openmusic_catalog.songs.repository import SongFilter, SongRepository
from openmusic_kit.ids import new_id
from openmusic_testkit.serving import run_app

TRUSTED = {"X-Service-Credential": "the-shared-credential"}
SONG: dict[str, Any] = {"title": "Clocks", "year": 2002, "genre": "Pop", "performer": "Coldplay"}
ALBUM: dict[str, Any] = {"name": "Parachutes", "year": 2000}
LOWEST, HIGHEST = -(2**31), 2**31 - 1
TEXTS = [("x", True), ("x" * 1000, True), ("🎵" * 1000, True), ("", False), ("x" * 1001, False), ("é" * 1001, False)]
NUMBERS = [(LOWEST, True), (0, True), (HIGHEST, True), (2008.0, True), (LOWEST - 1, False), (HIGHEST + 1, False)]
DURATIONS = [(0, True), (HIGHEST, True), (7.0, True), (None, True), (-1, False), (HIGHEST + 1, False), (0.5, False)]
FIELDS = [
    *((field, text, good) for field in ("title", "genre", "performer") for text, good in TEXTS),
    *(("year", year, good) for year, good in NUMBERS),
    *(("duration", seconds, good) for seconds, good in DURATIONS),
]
ALBUM_FIELDS = [
    *(("name", text, good) for text, good in TEXTS),
    *(("year", year, good) for year, good in NUMBERS),
]


def _label(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 20 else f"{text[1]}*{len(value)}"


@pytest.mark.parametrize(("field", "value", "good"), FIELDS, ids=_label)
async def test_a_song_holds_what_fits_and_no_more(
    client: httpx.AsyncClient, add_song: Any, field: str, value: Any, good: bool
) -> None:
    song_id = await add_song()

    created = await client.post("/songs", json=SONG | {field: value})
    updated = await client.put(f"/songs/{song_id}", json=SONG | {field: value})

    assert (created.status_code, updated.status_code) == ((201, 200) if good else (400, 400))
    if good:
        for each in (created.json()["data"]["songId"], song_id):
            stored = (await client.get(f"/songs/{each}")).json()["data"]["song"]
            assert stored == {"id": each, "duration": None, "albumId": None} | SONG | {field: value}
            assert type(stored["year"]) is int


@pytest.mark.parametrize(("field", "value", "good"), ALBUM_FIELDS, ids=_label)
async def test_an_album_holds_what_fits_and_no_more(
    client: httpx.AsyncClient, add_album: Any, field: str, value: Any, good: bool
) -> None:
    album_id = await add_album()

    created = await client.post("/albums", json=ALBUM | {field: value})
    updated = await client.put(f"/albums/{album_id}", json=ALBUM | {field: value})

    assert (created.status_code, updated.status_code) == ((201, 200) if good else (400, 400))
    if good:
        for each in (created.json()["data"]["albumId"], album_id):
            stored = (await client.get(f"/albums/{each}")).json()["data"]["album"]
            assert stored == {"id": each, "coverUrl": None, "songs": []} | ALBUM | {field: value}


@pytest.fixture
async def titles(connection: Any) -> tuple[str, list[str]]:
    """A mark that the titles of 1 001 songs hold, and their ids in order; they were stored in the opposite one."""
    mark = uuid.uuid4().hex
    ids = sorted(new_id("song") for _ in range(1001))
    async with (
        connection.cursor() as cursor,
        cursor.copy("COPY songs (id, title, year, genre, performer) FROM STDIN") as copy,
    ):
        for song_id in reversed(ids):
            await copy.write_row((song_id, f"Same {mark}", 1, "g", "Same"))
    return mark, ids


def found(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [song["id"] for song in answer.json()["data"]["songs"]]


async def test_a_page_holds_as_many_as_were_asked_for_a_thousand_at_most(
    client: httpx.AsyncClient, titles: tuple[str, list[str]]
) -> None:
    mark, ids = titles

    one = await client.get("/songs", params={"title": mark, "limit": 1})
    most = await client.get("/songs", params={"title": mark, "limit": 1000})
    default = await client.get("/songs", params={"title": mark})
    rest = await client.get(default.links["next"]["url"])

    assert found(one) == ids[:1]
    assert found(most) == found(default) == ids[:1000]
    assert "next" in one.links
    assert found(rest) == ids[1000:]
    assert "next" not in rest.links
    assert (await client.get("/songs", params={"limit": 1001})).status_code == 400
    assert (await client.get("/songs", params={"limit": 0})).status_code == 400


async def test_no_more_rows_are_read_than_were_asked_for(connection: Any, titles: tuple[str, list[str]]) -> None:
    mark, ids = titles
    songs = SongRepository(connection)

    assert [song.id for song in await songs.search(SongFilter(title=mark), parse_sort(""), (), limit=3)] == ids[:3]
    same = await songs.search(SongFilter(performer="same"), parse_sort(""), (ids[0],), limit=2)
    assert [song.id for song in same] == ids[1:3]
    assert [copy.id for copy in await songs.list_copies(after=ids[0], limit=2)] == ids[1:3]


async def test_every_search_is_planned_for_its_own_texts(connection: Any) -> None:
    await SongRepository(connection).search(SongFilter(title="text"), parse_sort("-year"), (1, "song-"), limit=3)

    cursor = await connection.execute("SELECT statement FROM pg_prepared_statements")
    assert await cursor.fetchall() == []


async def test_a_page_that_ends_with_the_last_song_leads_nowhere(client: httpx.AsyncClient, add_song: Any) -> None:
    mark = uuid.uuid4().hex
    ids = [await add_song(title=mark) for _ in range(3)]

    exact = await client.get("/songs", params={"title": mark, "limit": 3})
    short = await client.get("/songs", params={"title": mark, "limit": 2})

    assert found(exact) == ids
    assert "next" not in exact.links
    assert found(await client.get(short.links["next"]["url"])) == ids[2:]


async def test_pages_neither_repeat_nor_skip_while_songs_come_and_go(client: httpx.AsyncClient, add_song: Any) -> None:
    mark = uuid.uuid4().hex
    ids = [await add_song(title=mark, performer="Abba & Co") for _ in range(6)]
    await add_song(title=mark, performer="nobody who is asked for")

    page = await client.get("/songs", params={"title": mark, "performer": "a & c", "limit": 2})
    seen = found(page)
    await client.delete(f"/songs/{seen[-1]}")  # the one that the cursor names
    late = await add_song(title=mark, performer="Abba & Co")
    while "next" in page.links:
        page = await client.get(page.links["next"]["url"])
        seen += found(page)

    assert seen == [*ids, late]


@pytest.mark.parametrize("column", ["title", "performer"])
async def test_the_texts_of_a_search_have_a_thousand_characters_at_most(client: httpx.AsyncClient, column: str) -> None:
    assert (await client.get("/songs", params={column: "🎵" * 1000})).status_code == 200
    assert (await client.get("/songs", params={column: "x" * 1001})).status_code == 400


def encoded(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


@pytest.mark.parametrize("cursor", ["%", "A", "====", "a b", "é", "/w==", "_w", "AA", encoded("song-\0"), "A" * 4097])
async def test_a_cursor_that_the_list_did_not_give_out_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/songs", params={"cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("cursor: ")


async def test_a_cursor_behind_the_end_gives_an_empty_page(client: httpx.AsyncClient) -> None:
    for cursor in (encoded("song-~"), encoded("🎵")):
        answer = await client.get("/songs", params={"cursor": cursor})
        assert found(answer) == []
        assert "next" not in answer.links


async def test_every_part_of_a_text_finds_it_however_short_and_in_any_case(
    client: httpx.AsyncClient, add_song: Any
) -> None:
    texts = ["aZ Ö%?", "Ÿ\\_é", "🎵-'\"", "x"]
    older = encoded(await add_song(title="Not among them"))
    songs = {text: await add_song(title=text, performer=text[::-1]) for text in texts}
    for text, song_id in songs.items():
        parts = {text[start:end] for start in range(len(text)) for end in range(start + 1, len(text) + 1)}
        for part in sorted(parts):
            for query in ({"title": part.swapcase()}, {"performer": part[::-1]}, {"title": text, "performer": ""}):
                assert song_id in found(await client.get("/songs", params={"cursor": older, **query})), query


async def test_a_sign_of_a_pattern_stands_for_itself_in_a_search(client: httpx.AsyncClient, add_song: Any) -> None:
    mark = uuid.uuid4().hex
    titles = {sign: await add_song(title=f"a{sign}b{mark}") for sign in ("%", "_", "\\", "\\%", "\\_", "x")}

    for sign, song_id in titles.items():
        assert found(await client.get("/songs", params={"title": f"a{sign}b{mark}"})) == [song_id], sign
    assert found(await client.get("/songs", params={"title": f"\\b{mark}"})) == [titles["\\"]]


async def test_an_albums_songs_stay_in_the_order_of_their_creation(
    client: httpx.AsyncClient, add_album: Any, add_song: Any
) -> None:
    album_id = await add_album()
    ids = [await add_song(title="Same", albumId=album_id) for _ in range(4)]
    for song_id in (ids[1], ids[0]):  # which moves them behind the others in the table
        await client.put(f"/songs/{song_id}", json=SONG | {"albumId": album_id})

    album = (await client.get(f"/albums/{album_id}")).json()["data"]["album"]

    assert [song["id"] for song in album["songs"]] == ids


async def test_copies_for_other_services_come_in_order_and_pages(
    client: httpx.AsyncClient, titles: tuple[str, list[str]]
) -> None:
    _, ids = titles
    before = ids[0][:-1]

    async def copies(**query: Any) -> list[str]:
        return found(await client.get("/internal/songs", params={"after": before, **query}, headers=TRUSTED))

    assert await copies(limit=1) == ids[:1]
    assert await copies(limit=1000) == await copies() == ids[:1000]
    assert await copies(after=ids[999]) == ids[1000:]


async def test_other_services_name_forty_thousand_characters_of_ids_at_most(
    client: httpx.AsyncClient, add_song: Any
) -> None:
    song_id = await add_song()
    most = f"{song_id},".ljust(40_000, "x")

    answer = await client.get("/internal/songs/by-ids", params={"ids": most}, headers=TRUSTED)
    more = await client.get("/internal/songs/by-ids", params={"ids": f"{most}x"}, headers=TRUSTED)

    assert found(answer) == [song_id]
    assert more.status_code == 400


async def test_a_cover_path_has_a_thousand_characters_at_most(client: httpx.AsyncClient, add_album: Any) -> None:
    path = f"/internal/albums/{await add_album()}/cover"

    for text, status in (("/" * 1000, 200), ("/" * 1001, 400), ("", 400)):
        assert (await client.put(path, json={"path": text}, headers=TRUSTED)).status_code == status


async def test_entries_of_the_cache_live_as_long_as_the_setting_says(
    settings: Settings, redis: Any, add_album: Any
) -> None:
    path = f"/albums/{await add_album()}"
    app = create_app(settings.model_copy(update={"album_cache_ttl": 100, "public_url": "https://music.example/"}))
    async with run_app(app) as client:
        await client.put(f"/internal{path}/cover", json={"path": "/covers/x.png"}, headers=TRUSTED)
        album = (await client.get(path)).json()["data"]["album"]
        assert (await client.get(f"{path}/likes")).is_success

    album_id = album["id"]
    for key in (f"catalog:album:{album_id}", f"catalog:likes:{album_id}"):
        assert 90 < await redis.ttl(key) <= 100
    assert album["coverUrl"] == "https://music.example/covers/x.png"
    assert Settings.model_fields["album_cache_ttl"].default == 1800
