from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.invalidation import likes_headers
from openmusic_catalog.likes.errors import AlreadyLiked, LikeNotFound
from openmusic_catalog.likes.schemas import LikesData
from openmusic_catalog.likes.service import LikeService
from openmusic_kit.web.openapi import CACHED, LOCATED, error_responses
from openmusic_kit.web.responses import cacheable_answer
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute, TimedRoute
from openmusic_kit.web.schemas import DataResponse, MessageResponse


async def _likes(request: Request) -> LikeService:
    service: LikeService = request.app.state.likes
    return service


Likes = Annotated[LikeService, Depends(_likes)]

router = APIRouter(prefix="/albums/{album_id}/likes", tags=["likes"], route_class=TimedRoute)
protected_router = APIRouter(prefix="/albums/{album_id}/likes", tags=["likes"], route_class=ProtectedRoute)


@protected_router.post("", status_code=201, responses={**error_responses(AlbumNotFound, AlreadyLiked), **LOCATED})
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


def _encoded(likes: int) -> bytes:
    return DataResponse(data=LikesData(likes=likes)).model_dump_json(by_alias=True).encode()
