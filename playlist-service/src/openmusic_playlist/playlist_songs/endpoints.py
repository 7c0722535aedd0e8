from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_kit.web.openapi import CACHED, LOCATED, REPEATABLE, error_responses
from openmusic_kit.web.responses import cacheable_answer
from openmusic_kit.web.routes import CurrentUser, InternalRoute, ProtectedRoute
from openmusic_kit.web.schemas import DataResponse, MessageResponse
from openmusic_playlist.invalidation import songs_headers
from openmusic_playlist.playlist_songs.document import encode_for_client, encode_for_export
from openmusic_playlist.playlist_songs.errors import AlreadyInPlaylist, NotInPlaylist, SongNotFound, SongsNotFound
from openmusic_playlist.playlist_songs.reader import PlaylistReader
from openmusic_playlist.playlist_songs.schemas import PlaylistCopy, PlaylistData, SongPayload, SongsPayload
from openmusic_playlist.playlist_songs.service import PlaylistSongService
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound


async def _songs(request: Request) -> PlaylistSongService:
    service: PlaylistSongService = request.app.state.playlist_songs
    return service


async def _reader(request: Request) -> PlaylistReader:
    reader: PlaylistReader = request.app.state.playlist_reader
    return reader


Songs = Annotated[PlaylistSongService, Depends(_songs)]
Reader = Annotated[PlaylistReader, Depends(_reader)]

router = APIRouter(prefix="/playlists/{playlist_id}/songs", tags=["playlists"], route_class=ProtectedRoute)
internal_router = APIRouter(prefix="/internal/playlists", route_class=InternalRoute, include_in_schema=False)


@router.post(
    "",
    status_code=201,
    responses={**error_responses(PlaylistNotFound, SongNotFound, NotYourPlaylist, AlreadyInPlaylist), **LOCATED},
    openapi_extra=REPEATABLE,
)
async def add_playlist_song(
    playlist_id: str, payload: SongPayload, user_id: CurrentUser, songs: Songs, response: Response
) -> MessageResponse:
    await songs.add(playlist_id, payload.song_id, user_id)
    response.headers["Location"] = f"/playlists/{playlist_id}/songs"
    return MessageResponse(message="Song added to the playlist")


@router.get(
    "",
    response_model=DataResponse[PlaylistData],
    responses={**error_responses(PlaylistNotFound, NotYourPlaylist), **CACHED},
)
async def get_playlist_songs(playlist_id: str, user_id: CurrentUser, reader: Reader) -> Response:
    found = await reader.read_document(playlist_id, user_id, encode_for_client)
    return cacheable_answer(found.document, songs_headers(playlist_id, found.song_ids))


@router.delete("", responses=error_responses(PlaylistNotFound, SongNotFound, NotInPlaylist, NotYourPlaylist))
async def delete_playlist_song(
    playlist_id: str, payload: SongPayload, user_id: CurrentUser, songs: Songs
) -> MessageResponse:
    await songs.delete(playlist_id, payload.song_id, user_id)
    return MessageResponse(message="Song deleted from the playlist")


@router.post(
    "/batch",
    status_code=201,
    responses={**error_responses(PlaylistNotFound, SongsNotFound, NotYourPlaylist, AlreadyInPlaylist), **LOCATED},
    openapi_extra=REPEATABLE,
)
async def add_playlist_songs(
    playlist_id: str, payload: SongsPayload, user_id: CurrentUser, songs: Songs, response: Response
) -> MessageResponse:
    """All of them in this order, or none. The ids of songs that were not found are in ``data.notFound``."""
    await songs.add_all(playlist_id, payload.song_ids, user_id)
    response.headers["Location"] = f"/playlists/{playlist_id}/songs"
    return MessageResponse(message="Songs added to the playlist")


@router.delete("/batch", responses=error_responses(PlaylistNotFound, SongsNotFound, NotYourPlaylist))
async def delete_playlist_songs(
    playlist_id: str, payload: SongsPayload, user_id: CurrentUser, songs: Songs
) -> MessageResponse:
    """All of them, or none. The ids of those that are not in the playlist are in ``data.notFound``."""
    await songs.delete_all(playlist_id, payload.song_ids, user_id)
    return MessageResponse(message="Songs deleted from the playlist")


@internal_router.get("/{playlist_id}", response_model=DataResponse[PlaylistCopy])
async def get_playlist_copy(playlist_id: str, reader: Reader) -> Response:
    return Response(encode_for_export(await reader.read(playlist_id)), media_type="application/json")
