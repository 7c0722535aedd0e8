from collections.abc import Mapping
from typing import LiteralString

from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection

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
           EXISTS (SELECT FROM song) AS song, EXISTS (SELECT FROM recorded) AS changed
"""


class PlaylistSongRepository:
    """Each change is one statement with its activity and with the question who may do it.

    It locks the row of the playlist before anything else, so changes of a playlist come one after the other, and the
    positions that they draw commit in that order. It locks the collaboration as well: a removal of the collaborator
    waits for the change, or the change sees it. The order in which rows are locked is in ``playlists.repository``.

    The functions tell what the statement found, as booleans: ``{playlist, member, song, changed}``.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, playlist_id: str, song_id: str, user_id: str, *, least_version: int) -> DictRow:
        """``song`` is whether there is a living copy of at least that version; nobody can bury it meanwhile.

        Raises UniqueViolation when it is in the playlist already.
        """
        return await self._execute(
            f"""
            WITH {_MEMBER}, song AS MATERIALIZED (
                SELECT id, title FROM songs
                WHERE id = %(song_id)s AND NOT deleted AND version >= %(version)s AND EXISTS (SELECT FROM member)
                FOR SHARE
            ), changed AS (
                INSERT INTO playlist_songs (playlist_id, song_id) SELECT member.id, song.id FROM member, song
                RETURNING playlist_id
            ), recorded AS (
                INSERT INTO activities (playlist_id, user_id, title, action, time)
                SELECT changed.playlist_id, %(user_id)s, song.title, 'add', clock_timestamp() FROM changed, song
                RETURNING playlist_id
            )
            {_FOUND}
            """,  # noqa: S608 - joined from constants
            {"playlist_id": playlist_id, "song_id": song_id, "user_id": user_id, "version": least_version},
        )

    async def delete(self, playlist_id: str, song_id: str, user_id: str) -> DictRow:
        """``song`` is whether there is a living copy."""
        return await self._execute(
            f"""
            WITH {_MEMBER}, song AS MATERIALIZED (
                SELECT id, title FROM songs WHERE id = %(song_id)s AND NOT deleted AND EXISTS (SELECT FROM member)
                FOR SHARE
            ), changed AS (
                DELETE FROM playlist_songs ps USING member, song
                WHERE ps.playlist_id = member.id AND ps.song_id = song.id
                RETURNING ps.playlist_id
            ), recorded AS (
                INSERT INTO activities (playlist_id, user_id, title, action, time)
                SELECT changed.playlist_id, %(user_id)s, song.title, 'delete', clock_timestamp() FROM changed, song
                RETURNING playlist_id
            )
            {_FOUND}
            """,  # noqa: S608 - joined from constants
            {"playlist_id": playlist_id, "song_id": song_id, "user_id": user_id},
        )

    async def _execute(self, statement: LiteralString, parameters: Mapping[str, object]) -> DictRow:
        cursor = await self._connection.execute(statement, parameters)
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM gives a row
        return row
