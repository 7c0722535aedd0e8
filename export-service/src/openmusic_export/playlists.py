"""The playlist service, as far as exports need it."""

from typing import TypeVar

from openmusic_kit.ids import is_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse, WireModel


class PlaylistOwner(WireModel):
    owner_id: str


class PlaylistSong(WireModel):
    id: str
    title: str
    performer: str


class Playlist(WireModel):
    id: str
    name: str
    songs: list[PlaylistSong]


T = TypeVar("T", bound=WireModel)


class Playlists:
    """Each call returns None if there is no such playlist. Raises Unavailable."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def owner_of(self, playlist_id: str) -> str | None:
        found = await self._get(playlist_id, "/owner", DataResponse[PlaylistOwner])
        return found.owner_id if found else None

    async def get(self, playlist_id: str) -> Playlist | None:
        return await self._get(playlist_id, "", DataResponse[Playlist])

    async def _get(self, playlist_id: str, suffix: str, shape: type[DataResponse[T]]) -> T | None:
        if not is_id("playlist", playlist_id):
            return None
        answer = await self._client.get(f"/internal/playlists/{playlist_id}{suffix}")
        return answer.parse(shape).data if answer.found else None
