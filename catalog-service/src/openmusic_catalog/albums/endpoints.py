from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.albums.repository import AlbumWithSongs
from openmusic_catalog.albums.schemas import (
    AlbumData,
    AlbumId,
    AlbumPayload,
    AlbumsData,
    AlbumSort,
    ColoredAlbumData,
    CoverPayload,
    CoverReferences,
)
from openmusic_catalog.albums.service import AlbumService
from openmusic_catalog.invalidation import album_headers, albums_headers
from openmusic_catalog.listing.schemas import SearchText, Year
from openmusic_catalog.listing.sorting import parse_sort
from openmusic_kit.cache.cache import Cached
from openmusic_kit.web.conditions import RequestCondition
from openmusic_kit.web.counting import WantsTotal, total_headers
from openmusic_kit.web.openapi import CACHED, CONDITIONAL, COUNTED, LOCATED, PAGED, REPEATABLE, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, CursorInvalid, PageSize, decode_cursor, first_page
from openmusic_kit.web.responses import cacheable_answer
from openmusic_kit.web.routes import InternalRoute, TimedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, MessageResponse, StoredText


async def _albums(request: Request) -> AlbumService:
    service: AlbumService = request.app.state.albums
    return service


Albums = Annotated[AlbumService, Depends(_albums)]

router = APIRouter(prefix="/albums", tags=["albums"], route_class=TimedRoute)
internal_router = APIRouter(prefix="/internal/albums", route_class=InternalRoute, include_in_schema=False)


@router.post("", status_code=201, responses=LOCATED, openapi_extra=REPEATABLE)
async def add_album(payload: AlbumPayload, albums: Albums, response: Response) -> CreatedResponse[AlbumId]:
    album_id = await albums.add(payload.name, payload.year)
    response.headers["Location"] = f"/albums/{album_id}"
    return CreatedResponse(message="Album added", data=AlbumId(album_id=album_id))


@router.get("", responses={**error_responses(CursorInvalid), **PAGED}, openapi_extra=COUNTED)
async def list_albums(
    response: Response,
    albums: Albums,
    counted: WantsTotal,
    name: SearchText = "",
    year: Year = None,
    sort: AlbumSort = "",
    limit: PageSize = PAGE_SIZE,
    cursor: str = "",
) -> DataResponse[AlbumsData]:
    """Returns the first ``limit`` albums that match; the header ``Link`` leads to the next page.

    ``name`` is a part of the name; accents and letter case do not matter. Without ``sort``, albums come in the order
    of their creation.
    """
    order = parse_sort(sort)
    found = await albums.search(name, year, order, decode_cursor(cursor), limit + 1)
    response.headers.update(albums_headers() | await total_headers(counted, partial(albums.count, name, year)))
    query = {"name": name or None, "year": year, "sort": sort or None}
    page = first_page(found, limit, response, "/albums", order.cursor_of, **query)
    return DataResponse(data=AlbumsData.model_validate({"albums": page}, from_attributes=True))


@router.get(
    "/{album_id}",
    response_model=DataResponse[AlbumData] | DataResponse[ColoredAlbumData],
    responses={**error_responses(AlbumNotFound), **CACHED},
)
async def get_album(album_id: str, albums: Albums, color: bool = False) -> Response:
    """With ``color`` the album has ``coverColor``, the main colour of its cover: to show until that is loaded."""
    if color:
        album = Cached(_encoded_with_color(await albums.load(album_id)), hit=False)
    else:
        album = await albums.get(album_id, _encoded)
    return cacheable_answer(album, album_headers(album_id))


@router.put("/{album_id}", responses=error_responses(AlbumNotFound), openapi_extra=CONDITIONAL)
async def update_album(
    album_id: str, payload: AlbumPayload, condition: RequestCondition, albums: Albums
) -> MessageResponse:
    await albums.update(album_id, payload.name, payload.year, condition.on(_encoded, _encoded_with_color))
    return MessageResponse(message="Album updated")


@router.delete("/{album_id}", responses=error_responses(AlbumNotFound), openapi_extra=CONDITIONAL)
async def delete_album(album_id: str, condition: RequestCondition, albums: Albums) -> MessageResponse:
    await albums.delete(album_id, condition.on(_encoded, _encoded_with_color))
    return MessageResponse(message="Album deleted")


@internal_router.get("/covers")
async def get_covers(
    albums: Albums, after: StoredText = "", limit: PageSize = PAGE_SIZE
) -> DataResponse[CoverReferences]:
    """The covers in use, for the service that keeps them."""
    covers = await albums.covers(after, limit)
    return DataResponse(data=CoverReferences.model_validate({"covers": covers}, from_attributes=True))


@internal_router.put("/{album_id}/cover")
async def set_cover(album_id: str, payload: CoverPayload, albums: Albums) -> MessageResponse:
    await albums.set_cover(album_id, payload.path, payload.color)
    return MessageResponse(message="Cover set")


def _encoded(album: AlbumWithSongs) -> bytes:
    data = AlbumData.model_validate({"album": album}, from_attributes=True)
    return DataResponse(data=data).model_dump_json(by_alias=True).encode()


def _encoded_with_color(album: AlbumWithSongs) -> bytes:
    data = ColoredAlbumData.model_validate({"album": album}, from_attributes=True)
    return DataResponse(data=data).model_dump_json(by_alias=True).encode()
