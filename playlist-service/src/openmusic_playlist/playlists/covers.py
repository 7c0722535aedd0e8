from openmusic_kit.database.database import Connection
from openmusic_kit.messaging import outbox
from openmusic_playlist.events import PlaylistCoverUnused
from openmusic_playlist.playlists.models import CoverChange
from openmusic_playlist.playlists.repository import PlaylistRepository


async def delete_playlist(connection: Connection, playlist_id: str) -> None:
    """The caller holds its lock."""
    change = await PlaylistRepository(connection).delete(playlist_id)
    if change is not None:
        await announce_unused_cover(connection, playlist_id, change)


async def announce_unused_cover(connection: Connection, playlist_id: str, change: CoverChange) -> None:
    if change.previous_path is not None and change.position is not None:
        event = PlaylistCoverUnused(playlist_id=playlist_id, path=change.previous_path)
        await outbox.append(connection, event, aggregate_id=playlist_id, sequence=change.position)
