"""What the playlist service tells us."""

from openmusic_kit.clients import ServiceClient
from openmusic_kit.ids import is_id
from openmusic_kit.schemas import WireModel


class PlaylistSong(WireModel):
    id: str
    title: str
    performer: str


class Playlist(WireModel):
    id: str
    name: str
    songs: list[PlaylistSong]


class Playlists:
    """Each call gives None when there is no such playlist, and raises Unavailable."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def owner_of(self, playlist_id: str) -> str | None:
        if not is_id("playlist", playlist_id):
            return None
        answer = await self._client.get(f"/internal/playlists/{playlist_id}/owner")
        return None if answer.status_code == 404 else str(answer.json()["data"]["ownerId"])

    async def get(self, playlist_id: str) -> Playlist | None:
        answer = await self._client.get(f"/internal/playlists/{playlist_id}")
        return None if answer.status_code == 404 else Playlist.model_validate(answer.json()["data"])
