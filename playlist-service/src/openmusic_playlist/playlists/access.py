"""Who may do what with a playlist."""

from openmusic_kit.database.database import Connection
from openmusic_kit.ids import require_id
from openmusic_playlist.playlists.errors import NotYourPlaylist, OwnerOnly, PlaylistNotFound
from openmusic_playlist.playlists.repository import PlaylistRepository


class Access:
    """What a user is to a playlist."""

    def __init__(self, *, is_owner: bool, is_collaborator: bool) -> None:
        self._is_owner = is_owner
        self._is_collaborator = is_collaborator

    def require_member(self) -> None:
        """Raises NotYourPlaylist unless the user owns it or shares it."""
        if not (self._is_owner or self._is_collaborator):
            raise NotYourPlaylist

    def require_owner(self) -> None:
        """Raises OwnerOnly unless the user owns it."""
        if not self._is_owner:
            raise OwnerOnly


async def access_to(connection: Connection, playlist_id: str, user_id: str) -> Access:
    """Raises PlaylistNotFound."""
    require_id("playlist", playlist_id, PlaylistNotFound)
    row = await PlaylistRepository(connection).access(playlist_id, user_id)
    if row is None:
        raise PlaylistNotFound
    return Access(is_owner=row["owner_id"] == user_id, is_collaborator=row["is_collaborator"])
