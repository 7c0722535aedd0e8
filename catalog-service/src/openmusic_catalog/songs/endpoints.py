from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.invalidation import song_headers, songs_headers
from openmusic_catalog.songs.errors import SongNotFound
from openmusic_catalog.songs.repository import SongFields
from openmusic_catalog.songs.schemas import (
    SearchText,
    Song,
    SongCopies,
    SongCopy,
    SongData,
    SongId,
    SongPayload,
    SongsData,
)
from openmusic_catalog.songs.service import SongService
from openmusic_kit.web.openapi import LOCATED, PAGED, REPEATABLE, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, CursorInvalid, PageSize, decode_cursor, first_page
from openmusic_kit.web.routes import InternalRoute, TimedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, MessageResponse, StoredText


async def _songs(request: Request) -> SongService:
    service: SongService = request.app.state.songs
    return service


Songs = Annotated[SongService, Depends(_songs)]

router = APIRouter(prefix="/songs", tags=["songs"], route_class=TimedRoute)
internal_router = APIRouter(prefix="/internal/songs", route_class=InternalRoute, include_in_schema=False)


@router.post("", status_code=201, responses={**error_responses(AlbumNotFound), **LOCATED}, openapi_extra=REPEATABLE)
async def add_song(payload: SongPayload, songs: Songs, response: Response) -> CreatedResponse[SongId]:
    song_id = await songs.add(_fields(payload))
    response.headers["Location"] = f"/songs/{song_id}"
    return CreatedResponse(message="Song added", data=SongId(song_id=song_id))


@router.get("", responses={**error_responses(CursorInvalid), **PAGED})
async def search_songs(
    response: Response,
    songs: Songs,
    title: SearchText = "",
    performer: SearchText = "",
    limit: PageSize = PAGE_SIZE,
    cursor: str = "",
) -> DataResponse[SongsData]:
    """Returns the first ``limit`` songs that match; the header ``Link`` leads to the next page."""
    found = await songs.search(title, performer, decode_cursor(cursor), limit + 1)
    response.headers.update(songs_headers())
    query = {"title": title or None, "performer": performer or None}
    page = first_page(found, limit, response, "/songs", attrgetter("id"), **query)
    return DataResponse(data=SongsData.model_validate({"songs": page}, from_attributes=True))


@router.get("/{song_id}", responses=error_responses(SongNotFound))
async def get_song(song_id: str, songs: Songs, response: Response) -> DataResponse[SongData]:
    song = Song.model_validate(await songs.get(song_id), from_attributes=True)
    response.headers.update(song_headers(song_id, song.album_id))
    return DataResponse(data=SongData(song=song))


@router.put("/{song_id}", responses=error_responses(SongNotFound, AlbumNotFound))
async def update_song(song_id: str, payload: SongPayload, songs: Songs) -> MessageResponse:
    await songs.update(song_id, _fields(payload))
    return MessageResponse(message="Song updated")


@router.delete("/{song_id}", responses=error_responses(SongNotFound))
async def delete_song(song_id: str, songs: Songs) -> MessageResponse:
    await songs.delete(song_id)
    return MessageResponse(message="Song deleted")


@internal_router.get("")
async def get_song_copies(
    songs: Songs, after: StoredText = "", limit: PageSize = PAGE_SIZE
) -> DataResponse[SongCopies]:
    copies = await songs.list_copies(after, limit)
    return DataResponse(data=SongCopies.model_validate({"songs": copies}, from_attributes=True))


@internal_router.get("/by-ids")
async def get_song_copies_by_ids(
    songs: Songs, ids: Annotated[StoredText, Query(max_length=40_000)]
) -> DataResponse[SongCopies]:
    """``ids`` are separated by commas. The answer has the songs that exist, in any order."""
    copies = await songs.list_copies_of(ids.split(","))
    return DataResponse(data=SongCopies.model_validate({"songs": copies}, from_attributes=True))


@internal_router.get("/{song_id}")
async def get_song_copy(song_id: str, songs: Songs) -> DataResponse[SongCopy]:
    return DataResponse(data=SongCopy.model_validate(await songs.get(song_id), from_attributes=True))


def _fields(payload: SongPayload) -> SongFields:
    return SongFields(**payload.model_dump())
