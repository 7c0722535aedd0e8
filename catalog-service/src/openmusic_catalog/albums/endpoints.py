from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.albums.schemas import AlbumData, AlbumId, AlbumPayload, CoverPayload
from openmusic_catalog.albums.service import AlbumService
from openmusic_catalog.edge_tags import album_tag, likes_tag
from openmusic_kit import edge
from openmusic_kit.openapi import CACHED, failing
from openmusic_kit.schemas import Answer, Created, Done
from openmusic_kit.web import InternalRoute, TimedRoute, cacheable_answer


async def _albums(request: Request) -> AlbumService:
    service: AlbumService = request.app.state.albums
    return service


Albums = Annotated[AlbumService, Depends(_albums)]

router = APIRouter(prefix="/albums", tags=["albums"], route_class=TimedRoute)
internal_router = APIRouter(prefix="/internal/albums", route_class=InternalRoute, include_in_schema=False)


@router.post("", status_code=201)
async def add_album(payload: AlbumPayload, albums: Albums) -> Created[AlbumId]:
    return Created(message="Album added", data=AlbumId(album_id=await albums.add(payload)))


@router.get("/{album_id}", response_model=Answer[AlbumData], responses={**failing(AlbumNotFound), **CACHED})
async def get_album(album_id: str, albums: Albums) -> Response:
    return cacheable_answer(await albums.get(album_id), edge.public(album_tag(album_id)))


@router.put("/{album_id}", responses=failing(AlbumNotFound))
async def update_album(album_id: str, payload: AlbumPayload, albums: Albums, response: Response) -> Done:
    await albums.update(album_id, payload)
    response.headers.update(edge.purging(album_tag(album_id)))
    return Done(message="Album updated")


@router.delete("/{album_id}", responses=failing(AlbumNotFound))
async def delete_album(album_id: str, albums: Albums, response: Response) -> Done:
    await albums.delete(album_id)
    response.headers.update(edge.purging(album_tag(album_id), likes_tag(album_id)))
    return Done(message="Album deleted")


@internal_router.put("/{album_id}/cover")
async def set_cover(album_id: str, payload: CoverPayload, albums: Albums) -> Done:
    await albums.set_cover(album_id, payload.path)
    return Done(message="Cover set")
