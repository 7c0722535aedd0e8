from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_kit.web.app import CurrentUser, ProtectedRoute, cacheable_answer
from openmusic_kit.web.openapi import CACHED, error_responses
from openmusic_kit.web.schemas import DataResponse, MessageResponse
from openmusic_playlist.invalidation import songs_headers
from openmusic_playlist.playlist_songs.errors import AlreadyInPlaylist, NotInPlaylist, SongNotFound
from openmusic_playlist.playlist_songs.schemas import PlaylistData, SongPayload
from openmusic_playlist.playlist_songs.service import PlaylistSongService
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound


async def _playlist_songs(request: Request) -> PlaylistSongService:
    service: PlaylistSongService = request.app.state.playlist_songs
    return service


PlaylistSongs = Annotated[PlaylistSongService, Depends(_playlist_songs)]

router = APIRouter(prefix="/playlists/{playlist_id}/songs", tags=["playlists"], route_class=ProtectedRoute)


@router.post(
    "",
    status_code=201,
    responses=error_responses(PlaylistNotFound, SongNotFound, NotYourPlaylist, AlreadyInPlaylist),
)
async def add_playlist_song(
    playlist_id: str, payload: SongPayload, user_id: CurrentUser, songs: PlaylistSongs
) -> MessageResponse:
    await songs.add(playlist_id, payload.song_id, user_id)
    return MessageResponse(message="Song added to the playlist")


@router.get(
    "",
    response_model=DataResponse[PlaylistData],
    responses={**error_responses(PlaylistNotFound, NotYourPlaylist), **CACHED},
)
async def get_playlist_songs(playlist_id: str, user_id: CurrentUser, songs: PlaylistSongs) -> Response:
    found = await songs.get(playlist_id, user_id)
    return cacheable_answer(found.answer, songs_headers(playlist_id, found.song_ids))


@router.delete("", responses=error_responses(PlaylistNotFound, SongNotFound, NotInPlaylist, NotYourPlaylist))
async def delete_playlist_song(
    playlist_id: str, payload: SongPayload, user_id: CurrentUser, songs: PlaylistSongs
) -> MessageResponse:
    await songs.delete(playlist_id, payload.song_id, user_id)
    return MessageResponse(message="Song deleted from the playlist")
