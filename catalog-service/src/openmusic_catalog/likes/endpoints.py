from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.invalidation import likes_headers
from openmusic_catalog.likes.errors import AlreadyLiked, LikeNotFound
from openmusic_catalog.likes.schemas import LikedAlbum, LikesData
from openmusic_catalog.likes.service import LikeService
from openmusic_kit.web.openapi import CACHED, LOCATED, REPEATABLE, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, Section, section
from openmusic_kit.web.responses import cacheable_answer
from openmusic_kit.web.routes import CurrentUser, InternalRoute, ProtectedRoute, TimedRoute
from openmusic_kit.web.schemas import DataResponse, MessageResponse, StoredText


async def _likes(request: Request) -> LikeService:
    service: LikeService = request.app.state.likes
    return service


Likes = Annotated[LikeService, Depends(_likes)]

router = APIRouter(prefix="/albums/{album_id}/likes", tags=["likes"], route_class=TimedRoute)
internal_router = APIRouter(
    prefix="/internal/users/{user_id}/data/likes", route_class=InternalRoute, include_in_schema=False
)
protected_router = APIRouter(prefix="/albums/{album_id}/likes", tags=["likes"], route_class=ProtectedRoute)


@protected_router.post(
    "",
    status_code=201,
    responses={**error_responses(AlbumNotFound, AlreadyLiked), **LOCATED},
    openapi_extra=REPEATABLE,
)
async def like_album(album_id: str, user_id: CurrentUser, likes: Likes, response: Response) -> MessageResponse:
    await likes.like(album_id, user_id)
    response.headers["Location"] = f"/albums/{album_id}/likes"
    return MessageResponse(message="Album liked")


@protected_router.delete("", responses=error_responses(AlbumNotFound, LikeNotFound))
async def unlike_album(album_id: str, user_id: CurrentUser, likes: Likes) -> MessageResponse:
    await likes.unlike(album_id, user_id)
    return MessageResponse(message="Album no longer liked")


@router.get("", response_model=DataResponse[LikesData], responses={**error_responses(AlbumNotFound), **CACHED})
async def count_likes(album_id: str, likes: Likes) -> Response:
    return cacheable_answer(await likes.count(album_id, _encoded), likes_headers(album_id))


@internal_router.get("")
async def get_albums_liked_by(user_id: str, likes: Likes, after: StoredText = "") -> DataResponse[Section[LikedAlbum]]:
    rows = await likes.albums_liked_by(user_id, after, PAGE_SIZE)
    items = [LikedAlbum.model_validate(row, from_attributes=True) for row in rows]
    return DataResponse(data=section(items, PAGE_SIZE, attrgetter("id")))


def _encoded(likes: int) -> bytes:
    return DataResponse(data=LikesData(likes=likes)).model_dump_json(by_alias=True).encode()
