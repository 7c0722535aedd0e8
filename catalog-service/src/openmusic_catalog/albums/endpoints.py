from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.albums.repository import AlbumWithSongs
from openmusic_catalog.albums.schemas import AlbumData, AlbumId, AlbumPayload, CoverPayload
from openmusic_catalog.albums.service import AlbumService
from openmusic_catalog.invalidation import album_headers
from openmusic_kit.web.app import InternalRoute, TimedRoute, cacheable_answer
from openmusic_kit.web.openapi import CACHED, error_responses
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, MessageResponse


async def _albums(request: Request) -> AlbumService:
    service: AlbumService = request.app.state.albums
    return service


Albums = Annotated[AlbumService, Depends(_albums)]

router = APIRouter(prefix="/albums", tags=["albums"], route_class=TimedRoute)
internal_router = APIRouter(prefix="/internal/albums", route_class=InternalRoute, include_in_schema=False)


@router.post("", status_code=201)
async def add_album(payload: AlbumPayload, albums: Albums) -> CreatedResponse[AlbumId]:
    album_id = await albums.add(payload.name, payload.year)
    return CreatedResponse(message="Album added", data=AlbumId(album_id=album_id))


@router.get(
    "/{album_id}", response_model=DataResponse[AlbumData], responses={**error_responses(AlbumNotFound), **CACHED}
)
async def get_album(album_id: str, albums: Albums) -> Response:
    return cacheable_answer(await albums.get(album_id, _encoded), album_headers(album_id))


@router.put("/{album_id}", responses=error_responses(AlbumNotFound))
async def update_album(album_id: str, payload: AlbumPayload, albums: Albums) -> MessageResponse:
    await albums.update(album_id, payload.name, payload.year)
    return MessageResponse(message="Album updated")


@router.delete("/{album_id}", responses=error_responses(AlbumNotFound))
async def delete_album(album_id: str, albums: Albums) -> MessageResponse:
    await albums.delete(album_id)
    return MessageResponse(message="Album deleted")


@internal_router.put("/{album_id}/cover")
async def set_cover(album_id: str, payload: CoverPayload, albums: Albums) -> MessageResponse:
    await albums.set_cover(album_id, payload.path)
    return MessageResponse(message="Cover set")


def _encoded(album: AlbumWithSongs) -> bytes:
    data = AlbumData.model_validate({"album": album}, from_attributes=True)
    return DataResponse(data=data).model_dump_json(by_alias=True).encode()
