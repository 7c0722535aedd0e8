"""Filters and orders of lists, page by page."""

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openmusic_catalog.listing.sorting import Order, parse_sort
from openmusic_catalog.songs.repository import ListedSong, SongFilter, SongRepository
from openmusic_kit.ids import new_id
from openmusic_kit.web.paging import CursorInvalid

SORTS = [
    "",
    "title",
    "-title",
    "year",
    "-year",
    "-year,title",
    "title,-year",
    "year,title",
    "-title,-year",
    "performer",
]
SORTS += ["performer,-year,-title", "-performer,year", "year,-year"]
ROWS = [
    ("Élan", 2001, "B"),
    ("elan", 2001, "b"),
    ("Elan", 1999, "Á"),
    ("zebra", 2001, "a"),
    ("Zebra", 1999, "B"),
    ("\N{OHM SIGN}", -5, "B"),
    ("x" * 100 + "b", 2001, "B"),
    ("x" * 100 + "a", 2001, "B"),
    ("same", 2000, "B"),
    ("same", 2000, "B"),
    ("same", 2000, "B"),
]
FOLDED = {"Élan": "elan", "Elan": "elan", "Zebra": "zebra", "\N{OHM SIGN}": "ω", "B": "b", "Á": "a"}


async def pages(client: httpx.AsyncClient, path: str, **query: str | int) -> list[list[str]]:
    """The ids on each page."""
    seen = []
    url: str | None = str(httpx.URL(path, params=query))
    while url:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        (items,) = answer.json()["data"].values()
        seen.append([item["id"] for item in items])
        url = answer.links["next"]["url"] if "next" in answer.links else None
    return seen


def ordered(ids: list[str], sort: str) -> list[str]:
    """What the pages must have, by Python's stable sort: the last key first, which gives ids their direction."""
    rows = sorted(zip(ids, ROWS, strict=True))
    names = list(dict.fromkeys(name.removeprefix("-") for name in sort.split(",") if name))
    fields = [next(name for name in sort.split(",") if name.removeprefix("-") == field) for field in names]
    if fields and fields[-1].startswith("-"):
        rows.reverse()
    keys: dict[str, Callable[[Any], Any]] = {
        "title": lambda row: FOLDED.get(row[1][0], row[1][0])[:100],
        "year": lambda row: row[1][1],
        "performer": lambda row: FOLDED.get(row[1][2], row[1][2]),
    }
    for field in reversed(fields):
        descending = field.startswith("-")
        key = keys[field.removeprefix("-")]
        rows = sorted(rows[::-1] if descending else rows, key=key)
        rows = rows[::-1] if descending else rows
    return [song_id for song_id, _ in rows]


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_have_every_song_once_in_the_order_asked_for(
    client: httpx.AsyncClient, add_song: Any, sort: str
) -> None:
    genre = uuid.uuid4().hex
    ids = [await add_song(title=title, year=year, performer=who, genre=genre) for title, year, who in ROWS]

    for limit in (1, 2, 5, 1000):
        seen = await pages(client, "/songs", genre=genre, sort=sort, limit=limit)
        assert [song_id for page in seen for song_id in page] == ordered(ids, sort)
        assert len(seen) == -(-len(ROWS) // limit)


async def test_pages_go_on_where_their_last_song_was(client: httpx.AsyncClient, add_song: Any) -> None:
    genre = uuid.uuid4().hex
    old, middle, new = [await add_song(year=year, genre=genre) for year in (1, 2, 3)]

    first = await client.get("/songs", params={"genre": genre, "sort": "-year", "limit": 2})
    await client.delete(f"/songs/{middle}")
    late = await add_song(year=0, genre=genre)
    second = await client.get(first.links["next"]["url"])

    assert [[song["id"] for song in answer.json()["data"]["songs"]] for answer in (first, second)] == [
        [new, middle],
        [old, late],
    ]


async def test_songs_are_narrowed_down_by_year_genre_and_album(
    client: httpx.AsyncClient, add_song: Any, add_album: Any
) -> None:
    genre, album_id = f"Élan {uuid.uuid4().hex}", await add_album()
    ids = {year: await add_song(year=year, genre=genre, albumId=album_id) for year in (1999, 2000, 2005, 2009, 2010)}
    other = await add_song(year=2005, genre=f"{genre} too")

    async def found(**query: str | int) -> list[str]:
        return [song_id for page in await pages(client, "/songs", **query) for song_id in page]

    assert await found(genre=genre.upper()) == list(ids.values())
    assert await found(genre=genre.replace("É", "e")) == list(ids.values())
    assert await found(genre=genre[:-1]) == []
    assert await found(album=album_id) == list(ids.values())
    assert await found(album=album_id, year=2005, title="lost", performer="cold") == [ids[2005]]
    assert await found(album=album_id, yearFrom=2000, yearTo=2009) == [ids[2000], ids[2005], ids[2009]]
    assert await found(album=album_id, yearFrom=2009) == [ids[2009], ids[2010]]
    assert await found(album=album_id, yearTo=1999, sort="year") == [ids[1999]]
    assert await found(album=album_id, yearFrom=2009, yearTo=2000) == []
    assert await found(album="xxx") == await found(album=album_id, genre="other") == []
    assert await found(genre=f"{genre} too", unknown="x", colour="blue") == [other]


@pytest.mark.parametrize("sort", ["", "name", "-name", "year", "-year,name", "year,-name"])
async def test_albums_are_sorted_as_well(client: httpx.AsyncClient, add_album: Any, sort: str) -> None:
    mark = uuid.uuid4().hex
    rows = [(f"É {mark}", 3), (f"a {mark}", 1), (f"e {mark}", 2), (f"e {mark}", 2), (f"B {mark}", 3)]
    ids = {await add_album(name, year): (FOLDED.get(name, name).lower().replace("é", "e"), year) for name, year in rows}
    keys = {
        "": lambda each: each,
        "name": lambda each: (ids[each][0], each),
        "year": lambda each: (ids[each][1], each),
        "-year,name": lambda each: (-ids[each][1], ids[each][0], each),
    }
    reverse = {"-name": "name", "year,-name": "-year,name"}
    expected = sorted(ids, key=keys[reverse.get(sort, sort)])

    for limit in (1, 2, 1000):
        seen = await pages(client, "/albums", name=mark, sort=sort, limit=limit)
        flat = [album_id for page in seen for album_id in page]
        assert flat == (expected[::-1] if sort in reverse else expected)


async def test_albums_of_one_year_come_by_name(client: httpx.AsyncClient, add_album: Any) -> None:
    mark = uuid.uuid4().hex
    second, first = await add_album(f"b {mark}", 7), await add_album(f"a {mark}", 7)

    assert await pages(client, "/albums", name=mark, year=7, sort="-name", limit=1) == [[second], [first]]


@pytest.mark.parametrize(
    "query",
    [
        *("sort=x", "sort=title,", "sort=--title", "sort=+title", "sort=id", "sort=title,year,title,year"),
        *("sort=title year", "sort=Title", "sort=-", "sort=title;year", "sort=genre"),
        *("year=x", "year=", "year=2008.5", f"yearFrom={2**31}", f"yearTo={-(2**31) - 1}", "yearFrom=2000..2009"),
        *("genre=%00", f"genre={'x' * 101}", "album=%00", f"album={'x' * 101}"),
    ],
)
async def test_a_filter_or_an_order_that_makes_no_sense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/songs?{query}")

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(query.partition("=")[0])


def encoded(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        encoded("year", 2000),
        encoded("year", "2000", "song-1"),
        encoded("year", 2000, 1),
        encoded("year", True, "song-1"),
        encoded("year", 2**31, "song-1"),
        encoded("year", 2000, "song-\0"),
        encoded("year", 2000, "song-\ud800"),
        encoded("-year", 2000, "song-1"),
        encoded("title", "x", "song-1"),
        encoded("year", 2000, "song-1", "more"),
        encoded(),
        base64.urlsafe_b64encode(b"song-1").decode().rstrip("="),
        base64.urlsafe_b64encode(b"7").decode().rstrip("="),
        base64.urlsafe_b64encode(b"{}").decode().rstrip("="),
        base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("="),
    ],
)
async def test_a_cursor_of_another_order_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/songs", params={"sort": "year", "cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("cursor: ")


async def test_the_longest_query_still_leads_on(client: httpx.AsyncClient, connection: Any) -> None:
    """Bytes of a link are bounded where it is made."""
    text, genre = "🎵" * 1000, "🎵" * 100
    for _ in range(2):
        await connection.execute(
            "INSERT INTO songs (id, title, year, genre, performer) VALUES (%s, %s, -2147483648, %s, %s)",
            (new_id("song"), text, genre, text),
        )
    query = {"title": text, "performer": text, "genre": genre, "sort": "-performer,-title,-year"}
    years = {"year": -(2**31), "yearFrom": -(2**31), "yearTo": 2**31 - 1}

    assert [len(page) for page in await pages(client, "/songs", **query, **years, limit=1)] == [1, 1]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # processors are shared
@given(st.lists(st.sampled_from(["title", "-title", "year", "-year", "performer"]), max_size=3), st.data())
def test_a_cursor_is_read_as_it_was_made(names: list[str], data: st.DataObject) -> None:
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=100)
    order = parse_sort(",".join(names))
    song = ListedSong(
        data.draw(texts), "", "", data.draw(st.integers(-(2**31), 2**31 - 1)), data.draw(texts), data.draw(texts)
    )

    values = order.after(order.cursor_of(song))

    assert values == tuple(getattr(song, key.column) for key in order.keys)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_any_other_text_is_no_cursor(text: str) -> None:
    order: Order = parse_sort("-year")
    try:
        assert order.after(text) == ()
    except CursorInvalid:
        return
    assert text == ""


async def test_each_order_and_filter_has_an_index(connection: Any) -> None:
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY songs (id, title, year, genre, performer) FROM STDIN") as copy:
            for number in range(20_000):
                text = f"Row {number * 7919 % 20_000}"
                await copy.write_row((new_id("song"), text, number % 90, f"Genre {number % 1000}", text))
        await cursor.execute("VACUUM ANALYZE songs")
    songs = SongRepository(connection)

    for wanted, sort, index in (
        (SongFilter(), "title", "songs_by_title"),
        (SongFilter(), "-title,year", "songs_by_title"),
        (SongFilter(), "performer", "songs_by_performer"),
        (SongFilter(), "-year", "songs_by_year"),
        (SongFilter(), "-year,title", "songs_by_year"),
        (SongFilter(year=7), "", "songs_by_year"),
        (SongFilter(year_from=7, year_to=7), "title", "songs_by_year"),
        (SongFilter(genre="GENRE 7"), "title", "songs_by_genre"),
    ):
        for after in ((), (*(50 if key.field == "year" else "row 5" for key in parse_sort(sort).keys[:-1]), "song")):
            async with connection.transaction():
                await songs.search(wanted, parse_sort(sort), after, 11)
                cursor = await connection.execute("SELECT pg_stat_get_xact_numscans(%s::regclass) AS scans", (index,))
                assert (await cursor.fetchone())["scans"] > 0, (wanted, sort, after)
