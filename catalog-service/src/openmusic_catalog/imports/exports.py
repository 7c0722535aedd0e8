"""All songs as a file that can be imported."""

import csv
import json
from typing import TextIO

from openmusic_catalog.imports.files import FIELDS
from openmusic_catalog.songs.repository import Song, SongRepository
from openmusic_kit.database.database import Database

PAGE = 1000


async def write_songs(database: Database, target: TextIO, *, jsonl: bool) -> None:
    """CSV unless ``jsonl``. A song that is added or deleted meanwhile may be in it or not."""
    table = csv.DictWriter(target, ("id", *FIELDS), lineterminator="\n")
    if not jsonl:
        table.writeheader()
    after = ""
    while True:
        async with database.read() as connection:
            page = await SongRepository(connection).list_all(after, PAGE)
        for song in page:
            if jsonl:
                target.write(json.dumps(_fields(song), ensure_ascii=False) + "\n")
            else:
                table.writerow(_fields(song))
        if len(page) < PAGE:
            return
        after = page[-1].id


def _fields(song: Song) -> dict[str, str | int | None]:
    return {
        "id": song.id,
        "title": song.title,
        "year": song.year,
        "genre": song.genre,
        "performer": song.performer,
        "duration": song.duration,
        "albumId": song.album_id,
    }
