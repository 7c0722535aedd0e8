"""How many songs and albums match, up to a bound."""

import secrets
from typing import Any

import httpx
import pytest

from openmusic_kit.web import counting

COUNT = {"Prefer": "count=exact"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("title={name}", 4),
        ("title={name}&limit=1", 4),
        ("title={name}&sort=-year", 4),
        ("title={name}&year=2001", 1),
        ("title={name}&yearFrom=2001&yearTo=2002", 2),
        ("title={name}&performer=COLD", 4),
        ("title={name}&genre=pop", 4),
        ("title={name}&genre=po", 0),
        ("album={album}", 4),
    ],
)
async def test_songs_are_counted_as_they_are_found(
    client: httpx.AsyncClient, add_album: Any, add_song: Any, query: str, expected: int
) -> None:
    name, album = secrets.token_hex(8), await add_album()
    for year in range(2000, 2004):
        await add_song(title=name, year=year, albumId=album)

    answer = await client.get(f"/songs?{query.format(name=name, album=album)}", headers=COUNT)

    assert answer.headers["X-Total-Count"] == str(expected)


async def test_a_longer_list_is_not_counted(
    client: httpx.AsyncClient, add_album: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MAX_COUNT", 2)
    name = secrets.token_hex(8)

    for number in range(1, 4):
        await add_album(name)
        answer = await client.get(f"/albums?name={name}", headers=COUNT)
        assert answer.headers["Vary"] == "Prefer"
        assert answer.headers.get("X-Total-Count") == (str(number) if number <= 2 else None)
        assert ("Preference-Applied" in answer.headers) is (number <= 2)
