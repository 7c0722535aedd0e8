"""After a run: what is stored, queued and mailed, compared with what the crowd was promised."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from typing import Any

import aio_pika
import aio_pika.exceptions
import aiohttp
import psycopg
from crowd import Crowd
from minio import Minio
from models import Playlist
from pairs import Pair
from psycopg import sql
from psycopg.rows import tuple_row

from openmusic_local.servers import rabbitmq
from openmusic_local.stack import Stack

SETTLED_WITHIN = 75.0  # seconds; an export that failed several times comes back after a minute at the latest
QUEUES = ("playlist.read_copies", "media.covers", "export.jobs", "catalog.users", "export.users")
ANNOUNCING = ("auth", "catalog", "export")
TABLES = {"/albums": ("catalog", "albums", "name"), "/songs": ("catalog", "songs", "title"),
          "/playlists": ("playlist", "playlists", "name")}  # fmt: skip
OF_USERS = {
    ("auth", "refresh_tokens"): "user_id",
    ("playlist", "playlists"): "owner_id",
    ("catalog", "album_likes"): "user_id",
    ("export", "export_jobs"): "requested_by",
}
"""What goes with an account: the columns that name the user."""


class Auditor:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._mails = f"{stack.mail_url}/api/email"
        self._broker = rabbitmq.url(stack.server_port("rabbitmq"), stack.secret("rabbitmq"))

    def select(self, service: str, query: sql.Composable | str, *values: Any) -> list[tuple[Any, ...]]:
        with self._connect(service) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type]

    def execute(self, service: str, statement: str, *values: Any) -> None:
        with self._connect(service) as connection:
            connection.execute(statement, values)  # type: ignore[arg-type]

    def _connect(self, service: str) -> psycopg.Connection[tuple[Any, ...]]:
        """As the service itself would, past every proxy."""
        settings = self._stack.environment(service)
        return psycopg.connect(
            host="127.0.0.1",
            port=self._stack.server_port("postgres"),
            user=settings["PGUSER"],
            password=settings["PGPASSWORD"],
            dbname=settings["PGDATABASE"],
            row_factory=tuple_row,
        )

    async def forget_mails(self) -> None:
        async with aiohttp.ClientSession() as http, http.delete(f"{self._mails}/all"):
            pass

    async def copies(self, address: str) -> int:
        """How many mails arrived at the address."""
        return sum(mail["to"][0]["address"] == address for mail in await self._all_mails())

    async def settle(self, crowd: Crowd) -> None:
        """Waits until nothing is on its way any more; complains of what does not come."""
        complaints = crowd.pairs[0].client.journal.lost
        for what, settled in (
            ("a queue is missing", self.has_queues),
            ("events are still in an outbox", self._outboxes_are_empty),
            ("messages are still in a queue", self._queues_are_empty),
            ("exports were accepted and not sent", self._exports_are_settled),
        ):
            if not await _comes_true(settled, SETTLED_WITHIN):
                complaints.append(what)

    async def check(self, crowd: Crowd) -> None:
        await crowd.look_at_everything()
        await self._check_mails(crowd)
        await asyncio.to_thread(self._check_rows, crowd)
        await asyncio.to_thread(self._check_covers, crowd)
        await asyncio.to_thread(self._check_copies, crowd)
        await asyncio.to_thread(self._check_leavers, crowd)
        await self._check_read_copies(crowd)
        crowd.pairs[0].client.journal.lost.extend(await self._dead_letters())

    async def _outboxes_are_empty(self) -> bool:
        return not any(self._outboxes().values())

    def _outboxes(self) -> dict[str, int]:
        count = "SELECT count(*) FROM outbox"
        return {service: self.select(service, count)[0][0] for service in ANNOUNCING}

    async def _exports_are_settled(self) -> bool:
        return self.select("export", "SELECT count(*) FROM export_jobs WHERE status = 'pending'") == [(0,)]

    async def _queues_are_empty(self) -> bool:
        return not any((await self._depths([*QUEUES])).values())

    async def waiting(self) -> dict[str, int]:
        """How many messages are in each queue, and how many events in each outbox."""
        outboxes = {f"outbox of {service}": number for service, number in self._outboxes().items()}
        return {**await self._depths([*QUEUES, *(f"{queue}.dead" for queue in QUEUES)]), **outboxes}

    async def _dead_letters(self) -> list[str]:
        depths = await self._depths([f"{queue}.dead" for queue in QUEUES])
        return [f"{number} in {queue}" for queue, number in depths.items() if number]

    async def _depths(self, queues: list[str]) -> dict[str, int]:
        async with await aio_pika.connect(self._broker) as connection:
            channel = await connection.channel()
            declared = [await channel.declare_queue(queue, passive=True) for queue in queues]
        return {queue.name: queue.declaration_result.message_count or 0 for queue in declared}

    async def has_queues(self) -> bool:
        """Whether those that were there at first are there."""
        try:
            await self._depths([*QUEUES])
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return True

    async def _check_mails(self, crowd: Crowd) -> None:
        """One for each job that was stored; a job for each export that was acknowledged, at most one for the others."""
        jobs = Counter(address for (address,) in self.select("export", "SELECT target_email FROM export_jobs"))
        by_address: dict[str, list[dict[str, Any]]] = {}
        for mail in await self._all_mails():
            by_address.setdefault(mail["to"][0]["address"], []).append(mail)
        for pair in crowd.pairs:
            for playlist in pair.playlists:
                for address, acknowledged in playlist.exports:
                    mails = by_address.get(address, [])
                    _check_mails_to(pair, address, acknowledged, jobs[address], mails)
                    for mail in mails:
                        _check_attachment(pair, playlist, await self._attachment(mail))

    async def _attachment(self, mail: dict[str, Any]) -> Any:
        """Out of the mail as it came: a mail server that is killed may not have taken its attachment out of it yet."""
        async with aiohttp.ClientSession() as http, http.get(f"{self._mails}/{mail['id']}/source") as answer:
            message = message_from_bytes(await answer.read(), policy=policy.default)
        (attached,) = message.iter_attachments()
        return json.loads(attached.get_content())

    async def _all_mails(self) -> list[dict[str, Any]]:
        async with aiohttp.ClientSession() as http, http.get(self._mails) as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found

    def _check_rows(self, crowd: Crowd) -> None:
        """What may have been made although its id never came was made once at the most."""
        for pair in crowd.pairs:
            journal = pair.client.journal
            for kind, name in pair.unknown:
                service, table, column = TABLES[kind]
                query = sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(
                    sql.Identifier(table), sql.Identifier(column)
                )
                ((number,),) = self.select(service, query, name)
                if number > 1:
                    journal.halves.append(f"{number} of {name}")
            names = list(pair.accounts)
            found = self.select("auth", "SELECT username FROM users WHERE username = ANY(%s)", names)
            there = {name for (name,) in found}
            journal.lost.extend(f"user {name}" for name in names if pair.accounts[name] and name not in there)

    def _check_copies(self, crowd: Crowd) -> None:
        query = """
            SELECT array_agg(s.song_id) FILTER (WHERE s.song_id IS NOT NULL)
            FROM playlists p LEFT JOIN playlist_songs s ON s.playlist_id = p.id WHERE p.name = %s GROUP BY p.id
            """
        for pair in crowd.pairs:
            for copy in pair.copies_in_doubt:
                for (song_ids,) in self.select("playlist", query, copy.name):
                    copy.check(song_ids or [], pair.client.journal)
            made = self.select("playlist", "SELECT name FROM playlists WHERE name = ANY(%s)", pair.cut_off)
            pair.client.journal.halves.extend(f"an import that was cut off: {name}" for (name,) in made)

    def _check_leavers(self, crowd: Crowd) -> None:
        for pair in crowd.pairs:
            for leaver in pair.leavers:
                there = bool(self.select("auth", "SELECT 1 FROM users WHERE id = %s", leaver.id))
                found = {table for table in OF_USERS if self._has_row(*table, leaver.id)}
                leaver.check(there, found, pair.client.journal)

    def _has_row(self, service: str, table: str, user_id: str) -> bool:
        query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s LIMIT 1").format(
            sql.Identifier(table), sql.Identifier(OF_USERS[service, table])
        )
        return bool(self.select(service, query, user_id))

    def _check_covers(self, crowd: Crowd) -> None:
        """Every album's cover is stored; what else is stored came with an upload whose outcome nobody knew."""
        references = dict(self.select("catalog", "SELECT id, cover_path FROM albums"))
        stored: dict[str, list[str]] = {}
        for each in self._storage().list_objects(bucket_name="covers", recursive=True):
            stored.setdefault(str(each.object_name).partition("/")[0], []).append(f"/covers/{each.object_name}")
        for pair in crowd.pairs:
            for album in pair.albums:
                reference, objects = references.get(album.id), stored.get(album.id, [])
                if reference is not None and reference not in objects:
                    pair.client.journal.lost.append(f"the cover of {album.id} is not stored")
                unused = [each for each in objects if each != reference]
                if len(unused) > album.uploads_in_doubt:
                    pair.client.journal.halves.append(f"{len(unused)} covers of {album.id} are stored and not used")

    def _storage(self) -> Minio:
        settings = self._stack.environment("media")
        return Minio(
            endpoint=f"127.0.0.1:{self._stack.server_port('objectstore')}",
            access_key=settings["S3_ACCESS_KEY"],
            secret_key=settings["S3_SECRET_KEY"],
            secure=False,
            region="us-east-1",
        )

    async def _check_read_copies(self, crowd: Crowd) -> None:
        """What the playlist service tells of songs is what the catalogue says."""
        owners = {row[0]: row[1:] for row in self.select("catalog", "SELECT id, title, performer, version FROM songs")}
        copies = self.select("playlist", "SELECT id, title, performer, version FROM songs WHERE NOT deleted")
        wrong = [row[0] for row in copies if owners.get(row[0]) != row[1:]]
        if wrong:
            crowd.pairs[0].client.journal.lost.append(f"read copies differ: {wrong[:5]}, {len(wrong)} in all")


def _check_mails_to(pair: Pair, address: str, acknowledged: bool, jobs: int, mails: list[Any]) -> None:
    journal = pair.client.journal
    if acknowledged and jobs != 1:
        journal.lost.append(f"export to {address}: {jobs} jobs")
    if jobs > 1:
        journal.halves.append(f"export to {address}: {jobs} jobs")
    if jobs and not mails:
        journal.lost.append(f"mail to {address}")
    if len(mails) > jobs:
        ids = {mail["headers"]["message-id"] for mail in mails}
        (journal.twice if len(ids) == jobs else journal.wrong).append(f"{len(mails)} mails to {address}, ids {ids}")


def _check_attachment(pair: Pair, playlist: Playlist, attached: Any) -> None:
    shown = attached["playlist"]
    songs = {song["id"] for song in shown["songs"]}
    if (shown["id"], shown["name"]) != (playlist.id, playlist.name) or not songs <= {song.id for song in pair.songs}:
        pair.client.journal.wrong.append(f"the export of {playlist.id} is {shown}")


async def _comes_true(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.2)
    return True
