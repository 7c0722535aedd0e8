"""What a search takes for the same text (ADR 97)."""

import sys
import unicodedata
import uuid
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow

from openmusic_kit.database.database import connection_string

IOTA_SUBSCRIPT, OLD_CYRILLIC = "\N{COMBINING GREEK YPOGEGRAMMENI}", range(0x1C80, 0x1C89)
"""An accent by its look, but a letter in upper case; and historic forms of letters."""

SAME = [
    ("Beyoncé", "BEYONCE"),
    ("Beyonce\N{COMBINING ACUTE ACCENT}", "beyoncé"),
    ("Die Straße", "DIE STRASSE"),
    ("Die STRAẞE", "die straße"),
    ("Οδυσσεύς", "ΟΔΥΣΣΕΥΣ"),
    ("İstanbul'da Sonbahar", "istanbul"),
    ("ISTANBUL", "ıstanbul"),
    ("Ólafur Arnalds", "olafur"),
    ("Ænima", "aenima"),
    ("Łódź", "lodz"),
    ("Røyksopp", "ROYKSOPP"),
    ("Sigur Rós - Ágætis byrjun", "agaetis"),
    ("Đorđe", "dorde"),
    ("Don’t Stop", "don't stop"),
    ("Ёлка", "ёлка"),
    ("ЗЕМФИРА", "земфира"),
    ("ＡＢＢＡ", "abba"),
    ("ﬁne", "FINE"),
    ("ﾊﾟﾌｭｰﾑ", "パフューム"),
    ("방탄소년단", unicodedata.normalize("NFD", "소년")),
    ("فَيْرُوز", "فيروز"),
    ("שָׁלוֹם", "שלום"),
    ("ქართული", "ᲥᲐᲠᲗᲣᲚᲘ"),
    ("周杰倫", "杰"),
    ("周杰倫", "杰倫"),
    ("宇多田ヒカル", "多田"),
]
DIFFERENT = [("각", "가"), ("が", "か"), ("ท่า", "ทำ"), ("कि", "का"), ("Mo", "Mø%")]


@pytest.mark.parametrize(("text", "sought"), SAME)
async def test_a_search_finds_a_text_however_it_is_written(
    client: httpx.AsyncClient, add_song: Any, add_album: Any, text: str, sought: str
) -> None:
    mark = uuid.uuid4().hex
    song_id = await add_song(title=f"{mark} {text}", performer=f"{text} {mark}")
    album_id = await add_album(f"{text} {mark}")

    for query in ({"title": sought}, {"performer": sought}):
        answer = await client.get("/songs", params={"title": mark, **query} if "performer" in query else query)
        assert song_id in [song["id"] for song in answer.json()["data"]["songs"]], query
    answer = await client.get("/albums", params={"name": sought})
    assert album_id in [album["id"] for album in answer.json()["data"]["albums"]]


@pytest.mark.parametrize(("text", "sought"), DIFFERENT)
async def test_letters_that_differ_stay_different(
    client: httpx.AsyncClient, add_song: Any, text: str, sought: str
) -> None:
    song_id = await add_song(title=text)

    answer = await client.get("/songs", params={"title": sought})

    assert song_id not in [song["id"] for song in answer.json()["data"]["songs"]]


async def test_what_is_stored_stays_as_it_came(client: httpx.AsyncClient, add_song: Any) -> None:
    title = "Beyonce\N{COMBINING ACUTE ACCENT} ﬁ İ ẞ"
    song_id = await add_song(title=title)

    assert (await client.get(f"/songs/{song_id}")).json()["data"]["song"]["title"] == title


async def test_every_character_is_found_in_each_letter_case_and_normal_form(
    connection: AsyncConnection[DictRow],
) -> None:
    assigned = [
        character
        for character in map(chr, range(1, sys.maxunicode + 1))
        if unicodedata.category(character) not in {"Cn", "Cs", "Co"}
    ]
    usual = [
        character
        for character in assigned
        if IOTA_SUBSCRIPT not in unicodedata.normalize("NFD", character) and ord(character) not in OLD_CYRILLIC
    ]

    async def fold(texts: list[str]) -> list[str]:
        cursor = await connection.execute(
            "SELECT fold(text) FROM unnest(%s::text[]) WITH ORDINALITY AS given (text, place) ORDER BY place", (texts,)
        )
        return [row["fold"] for row in await cursor.fetchall()]

    folded = await fold(assigned)
    assert await fold(folded) == folded
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert await fold([unicodedata.normalize(form, character) for character in assigned]) == folded, form  # type: ignore[arg-type]
    folded = await fold(usual)
    for change in (str.upper, str.lower, str.casefold):
        assert await fold([change(character) for character in usual]) == folded, change


@pytest.fixture
def sync_connection(settings: Any) -> Any:
    with Connection.connect(connection_string(settings), autocommit=True) as connection:
        yield connection


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
LETTERS = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd", "Zs"], max_codepoint=0x24F), max_size=10)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(text=TEXTS)
def test_folding_knows_no_normal_form_and_is_done_once(sync_connection: Connection, text: str) -> None:
    forms = [text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD"))]  # type: ignore[arg-type]

    row = sync_connection.execute(
        "SELECT count(DISTINCT fold(text)), bool_and(fold(fold(text)) = fold(text)) FROM unnest(%s::text[]) text",
        (forms,),
    ).fetchone()

    assert row == (1, True)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=LETTERS, part=LETTERS, after=LETTERS, signs=st.text("%_\\'\"", max_size=3))
def test_a_text_is_found_by_each_of_its_parts(
    sync_connection: Connection, before: str, part: str, after: str, signs: str
) -> None:
    part = part + signs

    row = sync_connection.execute(
        """
        SELECT fold(%(text)s) LIKE containing(fold(%(part)s)), short_grams(fold(%(text)s)) @> pairs(fold(%(part)s)),
               fold(%(part)s) = '' OR 'x' NOT LIKE containing(fold(%(part)s)) OR fold(%(part)s) = 'x'
        """,
        {"text": before + part + after, "part": part.swapcase()},
    ).fetchone()

    assert row == (True, True, True)
