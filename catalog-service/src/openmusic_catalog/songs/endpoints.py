from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.invalidation import song_headers, songs_headers
from openmusic_catalog.listing.schemas import ExactText, SearchText, Year
from openmusic_catalog.listing.sorting import parse_sort
from openmusic_catalog.songs.errors import SongNotFound
from openmusic_catalog.songs.repository import Song, SongFields, SongFilter
from openmusic_catalog.songs.schemas import (
    SongCopies,
    SongCopy,
    SongData,
    SongId,
    SongPayload,
    SongsData,
    SongSort,
)
from openmusic_catalog.songs.service import SongService
from openmusic_kit.web.conditions import RequestCondition
from openmusic_kit.web.counting import WantsTotal, total_headers
from openmusic_kit.web.openapi import CONDITIONAL, COUNTED, LOCATED, PAGED, REPEATABLE, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, CursorInvalid, PageSize, decode_cursor, first_page
from openmusic_kit.web.responses import tagged_answer
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


@router.get("", responses={**error_responses(CursorInvalid), **PAGED}, openapi_extra=COUNTED)
async def search_songs(
    response: Response,
    songs: Songs,
    counted: WantsTotal,
    title: SearchText = "",
    performer: SearchText = "",
    genre: ExactText = "",
    album: ExactText = "",
    year: Year = None,
    year_from: Annotated[Year, Query(alias="yearFrom")] = None,
    year_to: Annotated[Year, Query(alias="yearTo")] = None,
    sort: SongSort = "",
    limit: PageSize = PAGE_SIZE,
    cursor: str = "",
) -> DataResponse[SongsData]:
    """Returns the first ``limit`` songs that match everything; the header ``Link`` leads to the next page.

    ``title`` and ``performer`` are parts of the texts, ``genre`` is the whole one; accents and letter case do not
    matter. ``yearFrom`` and ``yearTo`` are included. Without ``sort``, songs come in the order of their creation.
    """
    order = parse_sort(sort)
    wanted = SongFilter(title, performer, genre, album, year, year_from, year_to)
    found = await songs.search(wanted, order, decode_cursor(cursor), limit + 1)
    response.headers.update(songs_headers() | await total_headers(counted, partial(songs.count, wanted)))
    texts = {"title": title, "performer": performer, "genre": genre, "album": album, "sort": sort}
    years = {"year": year, "yearFrom": year_from, "yearTo": year_to}
    query = {name: text or None for name, text in texts.items()} | years
    page = first_page(found, limit, response, "/songs", order.cursor_of, **query)
    return DataResponse(data=SongsData.model_validate({"songs": page}, from_attributes=True))


@router.get("/{song_id}", response_model=DataResponse[SongData], responses=error_responses(SongNotFound))
async def get_song(song_id: str, songs: Songs) -> Response:
    song = await songs.get(song_id)
    return tagged_answer(_encoded(song), song_headers(song_id, song.album_id))


@router.put("/{song_id}", responses=error_responses(SongNotFound, AlbumNotFound), openapi_extra=CONDITIONAL)
async def update_song(song_id: str, payload: SongPayload, condition: RequestCondition, songs: Songs) -> MessageResponse:
    await songs.update(song_id, _fields(payload), condition.on(_encoded))
    return MessageResponse(message="Song updated")


@router.delete("/{song_id}", responses=error_responses(SongNotFound), openapi_extra=CONDITIONAL)
async def delete_song(song_id: str, condition: RequestCondition, songs: Songs) -> MessageResponse:
    await songs.delete(song_id, condition.on(_encoded))
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


def _encoded(song: Song) -> bytes:
    data = SongData.model_validate({"song": song}, from_attributes=True)
    return DataResponse(data=data).model_dump_json(by_alias=True).encode()
