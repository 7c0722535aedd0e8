"""Fills the databases of a stack with as many songs, albums, users and playlists as are wanted, past the API.

Each service's data goes into its own database by ``COPY``, read copies as the events would have left them. The same
seed gives the same data; another seed adds to it. Clients must wait while a table is filled.
``data.py [--share 0.01] [--seed 1]`` fills the stack of ``make up``.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import psycopg
from argon2 import PasswordHasher
from psycopg import sql
from redis.asyncio import Redis
from vocabulary import GENRES, WORDS, invented

from openmusic_auth.settings import Settings as AuthSettings
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_local.configuration import settings
from openmusic_local.stack import Stack

PASSWORD = "secret"  # noqa: S105 - of every listener that is made here
INVENTED_WORDS = 30_000
SONGS_OF_PERFORMER = 40  # on average
SONGS_OF_PLAYLIST = 8  # on average
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)  # of seed 1; ids sort by time, so all come before what clients make
PACE = timedelta(seconds=15)  # between two of them; those of a seed make up most of a year

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Size:
    """``long_playlist`` is the number of songs of the first playlist, ``playlist_songs`` that of others on average.

    The first user owns ``collection`` playlists.
    """

    songs: int = 1_000_000
    albums: int = 100_000
    users: int = 50_000
    playlists: int = 200_000
    long_playlist: int = 10_000
    collection: int = 2_000
    playlist_songs: int = SONGS_OF_PLAYLIST

    def times(self, share: float) -> "Size":
        """The same mixture, but for the long playlist, which is as long as there are songs for it."""
        songs, playlists = round(self.songs * share), round(self.playlists * share)
        return Size(
            songs,
            round(self.albums * share),
            round(self.users * share),
            playlists,
            min(self.long_playlist, songs),
            min(self.collection, playlists // 2),
            self.playlist_songs,
        )


@dataclass(frozen=True)
class Filled:
    """What a client needs to know of it: a user, whose password is ``PASSWORD`` as everyone's, and two playlists."""

    user_id: str
    username: str
    long_playlist: str
    short_playlist: str


class Generator:
    """All of it in memory: a million songs take about a gigabyte."""

    def __init__(self, size: Size, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - data, not secrets
        self._moment = FIRST_DAY + (seed - 1) * timedelta(days=365)
        self._words = [*WORDS, *islice(invented(random.Random(0)), INVENTED_WORDS)]  # noqa: S311
        self._common = list(accumulate(1 / (rank + 3) for rank in range(len(self._words))))  # Zipf's law
        self.albums = self._make_albums(size)
        self.songs = self._make_songs(size)
        self.users = [(self._id("user"), f"listener_{seed}_{number}") for number in range(size.users)]
        self.playlists = [
            (self._id("playlist"), self._title(), self.users[0 if n < size.collection else n % size.users][0])
            for n in range(size.playlists)
        ]
        self.contents = list(self._fill_playlists(size))
        self.collaborations = list(self._share())
        self.end = self._moment

    def _id(self, kind: str) -> str:
        """A kind and a version 7 UUID, as services make them, a little later than the one before."""
        self._moment += PACE
        bits = int(self._moment.timestamp() * 1000) << 80 | self._random.getrandbits(80)
        versioned = bits & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62
        return f"{kind}-{versioned:032x}"

    def _text(self, lengths: list[int]) -> str:
        words = self._random.choices(self._words, cum_weights=self._common, k=self._random.choice(lengths))
        return " ".join(words)

    def _title(self) -> str:
        return self._text([1, 2, 2, 3, 3, 4, 5]).capitalize()

    def _make_albums(self, size: Size) -> list[tuple[str, str, int, str]]:
        """id, name, year, performer; the last is what its songs have in common"""
        performers = [self._text([1, 2, 2, 3]).title() for _ in range(max(size.songs // SONGS_OF_PERFORMER, 1))]
        return [
            (self._id("album"), self._title(), self._random.randint(1955, 2025), self._random.choice(performers))
            for _ in range(size.albums)
        ]

    def _make_songs(self, size: Size) -> list[tuple[str, str, int, str, str, int | None, str | None]]:
        """id, title, year, genre, performer, duration, album"""
        songs = []
        for _ in range(size.songs):
            album_id, _, year, performer = self._random.choice(self.albums)
            single, measured = self._random.random() < 0.1, self._random.random() < 0.9
            duration = self._random.randint(90, 480) if measured else None
            genre = self._random.choice(GENRES)
            songs.append(
                (self._id("song"), self._title(), year, genre, performer, duration, None if single else album_id)
            )
        return songs

    def _fill_playlists(self, size: Size) -> Iterator[tuple[str, str, str, str]]:
        """playlist, song, its title, owner"""
        for number, (playlist_id, _, owner_id) in enumerate(self.playlists):
            songs = size.long_playlist if number == 0 else self._random.randint(1, 2 * size.playlist_songs - 1)
            for song in self._random.sample(self.songs, min(songs, size.songs)):
                yield playlist_id, song[0], song[1], owner_id

    def _share(self) -> Iterator[tuple[str, str, str]]:
        """id, playlist, user; every tenth playlist is shared with somebody."""
        for playlist_id, _, owner_id in self.playlists[::10]:
            user_id = self._random.choice(self.users)[0]
            if user_id != owner_id:
                yield self._id("collab"), playlist_id, user_id


def fill(stack: Stack, size: Size, seed: int = 1, report: Callable[[str], None] = lambda _: None) -> Filled:
    report("making up the data")
    made = Generator(size, seed)
    load_into(stack, made, report)
    return Filled(*made.users[0], made.playlists[0][0], made.playlists[1][0])


def load_into(stack: Stack, made: Generator, report: Callable[[str], None] = lambda _: None) -> None:
    """Each service's data into its own database."""
    with connected(stack, "auth") as connection:
        hashed = _password_hash()
        users = ((user_id, username, username.replace("_", " ").title(), hashed) for user_id, username in made.users)
        load(connection, "users", "id, username, fullname, password_hash", users)
        report("auth: users")
    with connected(stack, "catalog") as connection:
        load(connection, "albums", "id, name, year", (album[:3] for album in made.albums))
        load(connection, "songs", "id, title, year, genre, performer, duration, album_id", made.songs)
        report("catalog: albums, songs")
    with connected(stack, "playlist") as connection:
        load(connection, "users", "id, username", made.users)
        load(connection, "songs", "id, title, performer, version", ((s[0], s[1], s[4], 1) for s in made.songs))
        compared_in = asyncio.run(_incarnation(stack))  # as if their songs had been added while this Redis was there
        playlists = ((*playlist, compared_in) for playlist in made.playlists)
        load(connection, "playlists", "id, name, owner_id, compared_in", playlists)
        load(connection, "playlist_songs", "playlist_id, song_id", (each[:2] for each in made.contents))
        load(connection, "collaborations", "id, playlist_id, user_id", made.collaborations)
        activities = (
            (playlist_id, owner_id, title, "add", made.end + timedelta(seconds=number))
            for number, (playlist_id, _, title, owner_id) in enumerate(made.contents)
        )
        load(connection, "activities", "playlist_id, user_id, title, action, time", activities)
        report("playlist: read copies, playlists, their songs, collaborations, activities")


def load(connection: psycopg.Connection, table: str, columns: str, rows: Iterable[Row]) -> None:
    """Copies the rows in one transaction. Indexes that guard nothing are made anew: faster than growing them."""
    name = sql.Identifier(table)
    with connection.transaction():
        indexes = connection.execute(
            """
            SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
            WHERE indrelid = %s::regclass AND NOT indisunique
            """,
            (table,),
        ).fetchall()
        for index, _ in indexes:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, sql.SQL(columns))) as copy,
        ):
            for row in rows:
                copy.write_row(row)
        for _, definition in indexes:
            connection.execute(definition)
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(name))


@contextmanager
def connected(stack: Stack, service: str) -> Iterator[psycopg.Connection]:
    """A service's own database as the service itself sees it, in autocommit mode."""
    given = stack.environment(service)
    with psycopg.connect(
        host=given["PGHOST"],
        port=int(given["PGPORT"]),
        user=given["PGUSER"],
        password=given["PGPASSWORD"],
        dbname=given["PGDATABASE"],
        autocommit=True,
        options="-c maintenance_work_mem=256MB -c synchronous_commit=off",
    ) as connection:
        yield connection


async def _incarnation(stack: Stack) -> str:
    async with Redis(port=stack.server_port("redis"), password=stack.secret("redis")) as redis:
        pending = await PendingChanges(redis, "songs").look()
    assert pending is not None, "Redis does not answer"
    return pending.incarnation


def _password_hash() -> str:
    """One for all, as the auth service makes them; a hash for each would take half an hour."""
    fields = AuthSettings.model_fields
    memory, rounds = fields["password_memory"].default, fields["password_rounds"].default
    return PasswordHasher(time_cost=rounds, memory_cost=memory, parallelism=1).hash(PASSWORD, salt=b"salt of everyone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1, help="of the full size, 1 000 000 songs and so on")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chosen = settings()
    stack = Stack(Path(chosen["OPENMUSIC_DATA"]), chosen)
    if not stack.running:
        sys.exit("OpenMusic is not running: start it with `make up`")
    started = time.monotonic()
    try:
        filled = fill(stack, Size().times(arguments.share), arguments.seed, lambda line: print(line, flush=True))
    except psycopg.errors.UniqueViolation:
        sys.exit("This data is in there already: another --seed adds more")
    print(f"Done after {time.monotonic() - started:.0f} s. Listen as {filled.username!r}, password {PASSWORD!r}:")
    print(f"  its playlist of many songs is {filled.long_playlist}")


if __name__ == "__main__":
    main()
