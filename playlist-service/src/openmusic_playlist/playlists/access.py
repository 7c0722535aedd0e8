from openmusic_kit.database.database import Connection
from openmusic_kit.ids import require_id
from openmusic_playlist.playlists.errors import PlaylistNotFound
from openmusic_playlist.playlists.models import Access
from openmusic_playlist.playlists.repository import PlaylistRepository


async def access_to(connection: Connection, playlist_id: str, user_id: str) -> Access:
    """Raises PlaylistNotFound."""
    require_id("playlist", playlist_id, PlaylistNotFound)
    access = await PlaylistRepository(connection).access(playlist_id, user_id)
    if access is None:
        raise PlaylistNotFound
    return access
