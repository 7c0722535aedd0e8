from collections.abc import Mapping, Sequence
from typing import LiteralString

from psycopg.rows import class_row

from openmusic_kit.database.database import Connection
from openmusic_playlist.playlist_songs.models import ChangeResult, Membership, StoredPlaylist
from openmusic_playlist.projections.models import SongCopy

_MEMBER: LiteralString = """
    playlist AS MATERIALIZED (
        SELECT id, owner_id FROM playlists WHERE id = %(playlist_id)s FOR NO KEY UPDATE
    ), collaboration AS MATERIALIZED (
        SELECT c.playlist_id FROM collaborations c
        WHERE c.playlist_id = (SELECT id FROM playlist) AND c.user_id = %(user_id)s FOR KEY SHARE
    ), member AS MATERIALIZED (
        SELECT id FROM playlist WHERE owner_id = %(user_id)s UNION SELECT playlist_id FROM collaboration
    )
"""

_FOUND = """
    SELECT EXISTS (SELECT FROM playlist) AS playlist, EXISTS (SELECT FROM member) AS member,
           ARRAY(SELECT id FROM song) AS found, EXISTS (SELECT FROM recorded) AS changed
"""


class PlaylistSongRepository:
    """Each change is one statement that also checks permission and records the activities.

    It locks the playlist's row first, so changes of a playlist are serialised and their positions commit in order. It
    locks the collaboration as well: the removal of a collaborator waits for the change, or the change sees it.
    ``playlists.repository`` lists the order in which rows are locked.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, playlist_id: str, *, without: list[str]) -> StoredPlaylist | None:
        """Returns the playlist with its songs in order, except the songs ``without``."""
        cursor = await self._connection.cursor(row_factory=class_row(StoredPlaylist)).execute(
            """
            SELECT p.id, p.name, u.username, p.compared_in, p.public,
                   ARRAY[p.owner_id] || ARRAY(
                       SELECT c.user_id FROM collaborations c WHERE c.playlist_id = p.id
                   ) AS members,
                   coalesce(song.ids, '{}') AS song_ids,
                   concat('[', song.items, ']') AS songs
            FROM playlists p JOIN users u ON u.id = p.owner_id
            CROSS JOIN LATERAL (
                SELECT array_agg(shown.id ORDER BY coalesce(ps.place, ps.position)) AS ids,
                       string_agg(row_to_json(shown)::text, ',' ORDER BY coalesce(ps.place, ps.position)) AS items
                FROM playlist_songs ps
                JOIN (SELECT id, title, performer FROM songs WHERE NOT deleted) AS shown ON shown.id = ps.song_id
                WHERE ps.playlist_id = p.id AND shown.id <> ALL(%(without)s)
            ) AS song
            WHERE p.id = %(id)s
            """,
            {"id": playlist_id, "without": without},
        )
        return await cursor.fetchone()

    async def set_compared(self, playlist_id: str, incarnation: str) -> None:
        await self._connection.execute(
            "UPDATE playlists SET compared_in = %(incarnation)s WHERE id = %(id)s",
            {"id": playlist_id, "incarnation": incarnation},
        )

    async def lock(self, playlist_id: str, user_id: str) -> Membership:
        """Until the transaction ends, nobody else changes the playlist or its songs, or removes the user from it."""
        cursor = await self._connection.cursor(row_factory=class_row(Membership)).execute(
            f"""
            WITH {_MEMBER}
            SELECT EXISTS (SELECT FROM playlist) AS playlist, EXISTS (SELECT FROM member) AS member
            """,  # noqa: S608 - joined from constants
            {"playlist_id": playlist_id, "user_id": user_id},
        )
        membership = await cursor.fetchone()
        assert membership is not None  # noqa: S101 - a SELECT without FROM gives a row
        return membership

    async def add(self, playlist_id: str, songs: Sequence[SongCopy], user_id: str) -> ChangeResult:
        """Adds the songs, or none of them. It finds those whose copy is active and not older than the song.

        Copies are locked against deletion. Raises UniqueViolation if a song is in the playlist already.
        """
        return await self._execute(
            f"""
            WITH {_MEMBER}, wanted AS (
                SELECT id, version, number FROM unnest(%(song_ids)s::text[], %(versions)s::bigint[])
                    WITH ORDINALITY AS song (id, version, number)
            ), song AS MATERIALIZED (
                SELECT s.id, s.title, wanted.number FROM wanted JOIN songs s ON s.id = wanted.id
                WHERE NOT s.deleted AND s.version >= wanted.version AND EXISTS (SELECT FROM member)
                ORDER BY s.id FOR SHARE OF s
            ), changed AS (
                INSERT INTO playlist_songs (playlist_id, song_id) SELECT member.id, song.id FROM member, song
                WHERE (SELECT count(*) FROM song) = %(number)s ORDER BY song.number
                RETURNING playlist_id, song_id
            ), recorded AS (
                INSERT INTO activities (playlist_id, user_id, title, action, time)
                SELECT changed.playlist_id, %(user_id)s, song.title, 'add', clock_timestamp()
                FROM changed JOIN song ON song.id = changed.song_id ORDER BY song.number
                RETURNING playlist_id
            )
            {_FOUND}
            """,  # noqa: S608 - joined from constants
            {
                "playlist_id": playlist_id,
                "user_id": user_id,
                "song_ids": [song.id for song in songs],
                "versions": [song.version for song in songs],
                "number": len(songs),
            },
        )

    async def delete(self, playlist_id: str, song_ids: list[str], user_id: str, *, number: int) -> ChangeResult:
        """Deletes the songs if it finds that number of them, or none. It finds those whose copy is active."""
        return await self._execute(
            f"""
            WITH {_MEMBER}, song AS MATERIALIZED (
                SELECT s.id, s.title, wanted.number
                FROM unnest(%(song_ids)s::text[]) WITH ORDINALITY AS wanted (id, number)
                JOIN songs s ON s.id = wanted.id JOIN playlist_songs ps ON ps.song_id = s.id
                WHERE ps.playlist_id = (SELECT id FROM member) AND NOT s.deleted
                ORDER BY s.id FOR SHARE OF s FOR UPDATE OF ps
            ), changed AS (
                DELETE FROM playlist_songs ps USING member, song
                WHERE ps.playlist_id = member.id AND ps.song_id = song.id
                    AND (SELECT count(*) FROM song) = %(number)s
                RETURNING ps.playlist_id, ps.song_id
            ), recorded AS (
                INSERT INTO activities (playlist_id, user_id, title, action, time)
                SELECT changed.playlist_id, %(user_id)s, song.title, 'delete', clock_timestamp()
                FROM changed JOIN song ON song.id = changed.song_id ORDER BY song.number
                RETURNING playlist_id
            )
            {_FOUND}
            """,  # noqa: S608 - joined from constants
            {"playlist_id": playlist_id, "user_id": user_id, "song_ids": song_ids, "number": number},
        )

    async def _execute(self, statement: LiteralString, parameters: Mapping[str, object]) -> ChangeResult:
        cursor = self._connection.cursor(row_factory=class_row(ChangeResult))
        result = await (await cursor.execute(statement, parameters)).fetchone()
        assert result is not None  # noqa: S101 - a SELECT without FROM gives a row
        return result
