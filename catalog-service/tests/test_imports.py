"""Songs from files, and back into files."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from typer.testing import CliRunner, Result

from openmusic_catalog.imports import commands, service
from openmusic_catalog.settings import Settings
from openmusic_kit.ids import new_id

Operate = Callable[..., Awaitable[Result]]


@pytest.fixture
def operate(settings: Settings) -> Operate:
    """Runs ``openmusic catalogue``."""
    given = {
        **{name: getattr(settings, name) for name in ("pghost", "pgport", "pguser", "pgdatabase")},
        **{"pgpassword": settings.pgpassword.get_secret_value(), "redis_port": settings.redis_port},
    }
    runner = CliRunner(env={name.upper(): str(value) for name, value in given.items()})

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(runner.invoke, commands.app, arguments)

    return run


@pytest.fixture
async def titles(connection: AsyncConnection[DictRow]) -> Callable[[str], Awaitable[list[str]]]:
    async def of(genre: str) -> list[str]:
        cursor = await connection.execute("SELECT title FROM songs WHERE genre = %s ORDER BY title", [genre])
        return [row["title"] for row in await cursor.fetchall()]

    return of


@pytest.fixture
def genre() -> str:
    """So that a test finds its own songs."""
    return new_id("genre")


def write_csv(path: Path, genre: str, count: int) -> Path:
    lines = [f'"Song {number:05}",2008,{genre},"Sigur Rós, live",{number},' for number in range(count)]
    path.write_text("\n".join(["title,year,genre,performer,duration,albumId", *lines, ""]))
    return path


async def test_songs_of_both_kinds_of_files_are_found_and_announced(
    operate: Operate, client: httpx.AsyncClient, listening: Any, genre: str, tmp_path: Path
) -> None:
    table, lines = write_csv(tmp_path / "songs.csv", genre, 1), tmp_path / "songs.jsonl"
    song = {"title": f"Hoppípolla {genre}", "year": 2005, "genre": genre, "performer": "Sigur Rós"}
    lines.write_text(json.dumps(song) + "\n")

    async with listening() as events:
        done = [await operate("import", str(path)) for path in (table, lines)]
        wanted = {"Song 00000", song["title"]}
        while wanted:  # events of other tests may still wait to be published
            wanted.discard((await events.next("song.created.v1"))["data"]["title"])

    assert [each.output for each in done] == ["1 songs imported, 0 rows rejected\n"] * 2
    found = (await client.get("/songs", params={"title": genre})).json()["data"]["songs"]
    assert [each["title"] for each in found] == [song["title"]]


async def test_rows_that_are_no_songs_are_reported_and_the_others_imported(
    operate: Operate, titles: Any, genre: str, tmp_path: Path
) -> None:
    path = tmp_path / "songs.csv"
    rows = [
        f"Good,2008,{genre},Someone,,",
        f"Bad,soon,{genre},Someone,,",
        f"Lost,2008,{genre},Someone,,{new_id('album')}",
    ]
    path.write_text("\n".join(["title,year,genre,performer,duration,albumId", *rows, f",2008,{genre},Someone,,", ""]))

    done = await operate("import", str(path))

    assert done.exit_code == 1
    assert "1 songs imported, 3 rows rejected" in done.output
    rejected = [json.loads(line) for line in (tmp_path / "songs.csv.rejected.jsonl").read_text().splitlines()]
    assert [(each["row"], each["reason"].partition(":")[0]) for each in rejected] == [
        (2, "year"),
        (3, "albumId"),
        (4, "title"),
    ]
    assert await titles(genre) == ["Good"]


async def test_an_import_that_is_interrupted_continues_and_adds_no_song_twice(
    operate: Operate, titles: Any, genre: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 10)
    path = write_csv(tmp_path / "songs.csv", genre, 35)
    run, batches = service.ImportService._import, 0

    async def interrupted(*arguments: Any) -> None:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise KeyboardInterrupt
        await run(*arguments)

    monkeypatch.setattr(service.ImportService, "_import", interrupted)
    assert (await operate("import", str(path))).exit_code != 0
    assert len(await titles(genre)) == 20
    monkeypatch.setattr(service.ImportService, "_import", run)

    again, once_more = await operate("import", str(path)), await operate("import", str(path))

    assert again.output == "15 songs imported, 20 were there, 0 rows rejected\n"
    assert once_more.output == "0 songs imported, 35 were there, 0 rows rejected\n"
    assert await titles(genre) == [f"Song {number:05}" for number in range(35)]


async def test_a_file_with_the_same_content_adds_nothing_whatever_its_name(
    operate: Operate, titles: Any, genre: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "songs.csv", genre, 30)
    files = [path.rename(tmp_path / "one.csv"), write_csv(tmp_path / "two.csv", genre, 30)]

    done = [await operate("import", str(file)) for file in files]

    assert "30 were there" in done[1].output
    assert len(await titles(genre)) == 30


async def test_a_dry_run_checks_all_rows_and_adds_nothing(
    operate: Operate, titles: Any, genre: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "songs.csv", genre, 5)

    done = await operate("import", str(path), "--dry-run", "--json")

    assert json.loads(done.output) == {"imported": 5, "skipped": 0, "rejected": 0, "dry_run": True}
    assert await titles(genre) == []
    assert (await operate("import", str(path))).output.startswith("5 songs imported")


async def test_songs_of_an_album_show_in_it_at_once(
    operate: Operate, client: httpx.AsyncClient, genre: str, tmp_path: Path
) -> None:
    album_id = (await client.post("/albums", json={"name": "Takk", "year": 2005})).json()["data"]["albumId"]
    for _ in range(2):
        assert (await client.get(f"/albums/{album_id}")).json()["data"]["album"]["songs"] == []
    path = tmp_path / "songs.jsonl"
    song = {"title": "Glósóli", "year": 2005, "genre": genre, "performer": "Sigur Rós", "albumId": album_id}
    path.write_text(json.dumps(song))

    await operate("import", str(path))

    answer = await client.get(f"/albums/{album_id}")
    assert [each["title"] for each in answer.json()["data"]["album"]["songs"]] == ["Glósóli"]


async def test_an_export_can_be_imported(operate: Operate, genre: str, titles: Any, tmp_path: Path) -> None:
    await operate("import", str(write_csv(tmp_path / "songs.csv", genre, 2)))

    table, lines = await operate("export"), await operate("export", "--jsonl")

    rows = [row for row in csv.DictReader(io.StringIO(table.output)) if row["genre"] == genre]
    objects = [each for each in map(json.loads, lines.output.splitlines()) if each["genre"] == genre]
    assert [row["id"] for row in rows] == [each["id"] for each in objects]
    assert {row["performer"] for row in rows} == {"Sigur Rós, live"}
    path = tmp_path / "again.jsonl"
    path.write_text("\n".join(map(json.dumps, objects)))
    assert (await operate("import", str(path))).output.startswith("2 songs imported")
    assert len(await titles(genre)) == 4


async def test_a_file_without_the_columns_is_refused(operate: Operate, tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text("name,artist\nx,y\n")

    done = await operate("import", str(path))

    assert "has no column genre, performer, title, year" in str(done.exception)
