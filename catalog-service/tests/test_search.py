"""``GET /search``: what is found, and what comes first."""

import secrets
from typing import Any

import httpx
import pytest

from openmusic_catalog.search.repository import CANDIDATES, SearchRepository
from openmusic_kit.ids import new_id

LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")


def word() -> str:
    """One that no other test has, and that has no letter in common with hexadecimal numbers."""
    return secrets.token_hex(5).translate(LETTERS)


async def search(client: httpx.AsyncClient, q: str, **query: Any) -> dict[str, list[Any]]:
    answer = await client.get("/search", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data.keys() == {"songs", "albums", "performers"}
    return {
        "songs": [each["id"] for each in data["songs"]],
        "albums": [each["id"] for each in data["albums"]],
        "performers": [each["name"] for each in data["performers"]],
    }


async def test_each_kind_has_its_own_shape(client: httpx.AsyncClient, add_song: Any, add_album: Any) -> None:
    mark = word()
    album_id = await add_album(f"Album {mark}", 2008)
    song_id = await add_song(title="Talk", performer=f"The {mark}", albumId=album_id)

    answer = await client.get("/search", params={"q": mark})

    assert answer.json() == {
        "status": "success",
        "data": {
            "songs": [{"id": song_id, "title": "Talk", "performer": f"The {mark}"}],
            "albums": [{"id": album_id, "name": f"Album {mark}", "year": 2008, "coverUrl": None}],
            "performers": [{"name": f"The {mark}"}],
        },
    }


async def test_equal_texts_come_first_then_those_that_begin_with_it_then_the_most_similar(
    client: httpx.AsyncClient, add_song: Any, add_album: Any
) -> None:
    mark = word()
    texts = [f"A long text that ends with {mark}", f"My {mark}", f"{mark} and more of it", mark.upper()]
    songs = [await add_song(title=text, performer="P") for text in texts]
    albums = [await add_album(text) for text in texts]
    for text in texts:
        await add_song(performer=text)
        await add_song(performer=text)

    found = await search(client, mark)

    assert found["songs"][:3] == songs[:0:-1]  # then songs whose performer has such a name
    assert found["albums"] == albums[::-1]
    assert found["performers"] == texts[::-1]


async def test_all_words_are_in_the_title_or_the_name_of_the_performer(
    client: httpx.AsyncClient, add_song: Any
) -> None:
    title, performer = word(), word()
    both = await add_song(title=f"Héy {title}", performer=f"Thé {performer}")
    await add_song(title=title, performer="Nobody")
    await add_song(title="Nothing", performer=performer)

    for q in (f"{performer} {title}", f" HEY  {title} the ", f"{title[2:]} {performer[:-2]}"):
        assert (await search(client, q))["songs"] == [both], q
    assert (await search(client, f"{performer} {title}"))["performers"] == []


@pytest.mark.parametrize(
    ("text", "q"),
    [
        *(("Beyoncé Knowles", "beyonse"), ("Röyksopp", "roiksopp"), ("Led Zeppelin", "led zepelin")),
        *(
            ("Καζαντζίδης", "καζαντζιδησ"),
            ("Чайковский", "чайковски"),
            ("Metallica", "metalica"),
            ("Nightwish", "nigthwish"),
        ),
    ],
)
async def test_a_typo_does_not_matter(
    client: httpx.AsyncClient, add_song: Any, add_album: Any, text: str, q: str
) -> None:
    song_id, album_id = await add_song(title=text, performer=text), await add_album(text)

    found = await search(client, q, limit=50)

    assert song_id in found["songs"]
    assert album_id in found["albums"]
    assert text in found["performers"]


@pytest.mark.parametrize("q", ["鷹", "鷹の", "ー", "ㄱ", "!?", "ж", "🎷"])
async def test_one_and_two_characters_are_enough(
    client: httpx.AsyncClient, add_song: Any, add_album: Any, q: str
) -> None:
    text = f"{word()} {q} {word()}"
    song_id, album_id = await add_song(title=text, performer=text), await add_album(text)

    found = await search(client, q, limit=50)

    assert song_id in found["songs"]
    assert album_id in found["albums"]
    assert text in found["performers"]


async def test_signs_of_patterns_stand_for_themselves(client: httpx.AsyncClient, add_song: Any) -> None:
    mark = word()
    percent = await add_song(title=f"%{mark}")
    await add_song(title=f"x{mark}")

    assert (await search(client, f"%{mark}"))["songs"] == [percent]
    assert (await search(client, f"_{mark}_"))["songs"] != [percent]


async def test_each_kind_is_limited(client: httpx.AsyncClient, add_song: Any, add_album: Any) -> None:
    mark = word()
    for number in range(12):
        await add_song(title=f"{mark} {number}", performer=f"{mark} {number}")
        await add_album(f"{mark} {number}")

    for limit, query in ((10, {}), (1, {"limit": 1}), (12, {"limit": 50})):
        assert {kind: len(each) for kind, each in (await search(client, mark, **query)).items()} == {
            "songs": limit,
            "albums": limit,
            "performers": limit,
        }


@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=%00", f"q={'x' * 201}", "q=x&limit=0", "q=x&limit=51"])
async def test_a_search_that_makes_no_sense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/search?{query}")).status_code == 400


@pytest.mark.parametrize("q", ["x" * 200, "🎵 " * 100, "́", "ﷺ" * 200, "a " * 100, "'; --", "\\", "{}", "%(x)s"])
async def test_any_text_may_be_looked_for(client: httpx.AsyncClient, q: str) -> None:
    await search(client, q)


async def test_an_equal_text_is_first_among_any_number_of_others(connection: Any) -> None:
    mark = word()
    async with (
        connection.cursor() as cursor,
        cursor.copy("COPY songs (id, title, year, genre, performer) FROM STDIN") as copy,
    ):
        for number in range(3 * CANDIDATES):
            text = f"A {mark} {number}"
            await copy.write_row((new_id("song"), text, 1, "g", text))
        await copy.write_row((new_id("song"), mark.upper(), 1, "g", mark.title()))
    repository = SearchRepository(connection, "")

    assert [song.title for song in await repository.songs(mark, 1, similar=False)] == [mark.upper()]
    assert [each.name for each in await repository.performers(mark, 1, similar=False)] == [mark.title()]
