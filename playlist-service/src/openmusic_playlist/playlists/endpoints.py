from functools import partial
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_kit.ids import created_at_of
from openmusic_kit.web.conditions import RequestCondition
from openmusic_kit.web.counting import WantsTotal, total_headers
from openmusic_kit.web.openapi import CONDITIONAL, COUNTED, LOCATED, PAGED, REPEATABLE, TAGGED, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, CursorInvalid, Limit, PageSize, decode_cursor, first_page
from openmusic_kit.web.responses import tagged_answer
from openmusic_kit.web.routes import CurrentUser, InternalRoute, ProtectedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, MessageResponse, StoredText
from openmusic_kit.web.streaming import stream_list
from openmusic_playlist.invalidation import playlists_headers
from openmusic_playlist.playlists import schemas
from openmusic_playlist.playlists.errors import CoverNotFound, NotYourPlaylist, OwnerOnly, PlaylistNotFound
from openmusic_playlist.playlists.models import DetailChanges, PlaylistDetails
from openmusic_playlist.playlists.schemas import (
    CopyPayload,
    CoverAnswer,
    CoverPayload,
    CoverReferences,
    DetailsData,
    DetailsPayload,
    Owner,
    PlaylistId,
    PlaylistOwner,
    PlaylistPayload,
    PlaylistsData,
    PlaylistSummary,
)
from openmusic_playlist.playlists.service import PlaylistService


async def _playlists(request: Request) -> PlaylistService:
    service: PlaylistService = request.app.state.playlists
    return service


Playlists = Annotated[PlaylistService, Depends(_playlists)]

router = APIRouter(prefix="/playlists", tags=["playlists"], route_class=ProtectedRoute)
internal_router = APIRouter(prefix="/internal/playlists", route_class=InternalRoute, include_in_schema=False)


@router.post("", status_code=201, responses=LOCATED, openapi_extra=REPEATABLE)
async def add_playlist(
    payload: PlaylistPayload, user_id: CurrentUser, playlists: Playlists, response: Response
) -> CreatedResponse[PlaylistId]:
    playlist_id = await playlists.add(payload.name, user_id)
    response.headers["Location"] = f"/playlists/{playlist_id}"
    return CreatedResponse(message="Playlist added", data=PlaylistId(playlist_id=playlist_id))


@router.get(
    "",
    response_model=DataResponse[PlaylistsData],
    responses={**error_responses(CursorInvalid), **PAGED},
    openapi_extra=COUNTED,
)
async def list_playlists(
    response: Response,
    user_id: CurrentUser,
    playlists: Playlists,
    counted: WantsTotal,
    limit: Limit = None,
    cursor: str = "",
) -> DataResponse[PlaylistsData] | Response:
    """Returns the whole list unless there is a ``limit``."""

    async def page_after(playlist_id: str, number: int) -> list[PlaylistSummary]:
        rows = await playlists.visible_to(user_id, playlist_id, number)
        return [PlaylistSummary.model_validate(row, from_attributes=True) for row in rows]

    after = decode_cursor(cursor)
    page = await page_after(after, limit + 1 if limit else PAGE_SIZE)
    total = await total_headers(counted, partial(playlists.count_visible_to, user_id))
    if limit is None and len(page) == PAGE_SIZE:
        empty = DataResponse(data=PlaylistsData(playlists=[]))
        return stream_list(empty, page, lambda last: page_after(last.id, PAGE_SIZE), total)
    response.headers.update(playlists_headers(user_id) | total)
    if limit is not None:
        page = first_page(page, limit, response, "/playlists", attrgetter("id"))
    return DataResponse(data=PlaylistsData(playlists=page))


@router.get(
    "/{playlist_id}",
    response_model=DataResponse[DetailsData],
    responses={**error_responses(PlaylistNotFound, NotYourPlaylist), **TAGGED},
)
async def get_playlist(playlist_id: str, user_id: CurrentUser, playlists: Playlists) -> Response:
    """For its members; for every user if it is public. ``revision`` grows with each change."""
    return tagged_answer(_encoded(await playlists.details(playlist_id, user_id)))


@router.patch("/{playlist_id}", responses=error_responses(PlaylistNotFound, OwnerOnly), openapi_extra=CONDITIONAL)
async def update_playlist(
    playlist_id: str,
    payload: DetailsPayload,
    condition: RequestCondition,
    user_id: CurrentUser,
    playlists: Playlists,
) -> MessageResponse:
    """Changes what the body names. Every user may read a public playlist, but not find it."""
    changes = DetailChanges(**payload.model_dump(exclude_unset=True))
    await playlists.update(playlist_id, user_id, changes, condition.on(_encoded))
    return MessageResponse(message="Playlist updated")


@router.delete("/{playlist_id}", responses=error_responses(PlaylistNotFound, OwnerOnly), openapi_extra=CONDITIONAL)
async def delete_playlist(
    playlist_id: str, condition: RequestCondition, user_id: CurrentUser, playlists: Playlists
) -> MessageResponse:
    await playlists.delete(playlist_id, user_id, condition.on(_encoded))
    return MessageResponse(message="Playlist deleted")


@router.delete("/{playlist_id}/cover", responses=error_responses(PlaylistNotFound, CoverNotFound, OwnerOnly))
async def delete_cover(playlist_id: str, user_id: CurrentUser, playlists: Playlists) -> MessageResponse:
    await playlists.delete_cover(playlist_id, user_id)
    return MessageResponse(message="Cover deleted")


@router.post(
    "/{playlist_id}/copy",
    status_code=201,
    responses={**error_responses(PlaylistNotFound, NotYourPlaylist), **LOCATED},
    openapi_extra=REPEATABLE,
)
async def copy_playlist(
    playlist_id: str,
    user_id: CurrentUser,
    playlists: Playlists,
    response: Response,
    payload: CopyPayload | None = None,
) -> CreatedResponse[PlaylistId]:
    """A private playlist of yours with the same songs in the same order, of one that you may read."""
    copy_id = await playlists.copy(playlist_id, user_id, (payload and payload.name) or None)
    response.headers["Location"] = f"/playlists/{copy_id}"
    return CreatedResponse(message="Playlist copied", data=PlaylistId(playlist_id=copy_id))


@internal_router.get("/{playlist_id}/owner")
async def get_owner(playlist_id: str, playlists: Playlists) -> DataResponse[Owner]:
    return DataResponse(data=Owner(owner_id=await playlists.owner_of(playlist_id)))


@internal_router.get("/covers")
async def get_covers(
    playlists: Playlists, after: StoredText = "", limit: PageSize = PAGE_SIZE
) -> DataResponse[CoverReferences]:
    """The covers in use, for the service that keeps them."""
    covers = await playlists.covers(after, limit)
    return DataResponse(data=CoverReferences.model_validate({"covers": covers}, from_attributes=True))


@internal_router.put("/{playlist_id}/cover")
async def set_cover(playlist_id: str, payload: CoverPayload, playlists: Playlists) -> DataResponse[CoverAnswer]:
    try:
        await playlists.set_cover(playlist_id, payload.user_id, payload.path)
    except OwnerOnly:
        return DataResponse(data=CoverAnswer(allowed=False))
    return DataResponse(data=CoverAnswer(allowed=True))


def _encoded(playlist: PlaylistDetails) -> bytes:
    created_at = created_at_of(playlist.id)
    shown = schemas.PlaylistDetails(
        id=playlist.id,
        name=playlist.name,
        description=playlist.description,
        public=playlist.public,
        owner=PlaylistOwner(id=playlist.owner_id, username=playlist.username),
        song_count=playlist.song_count,
        collaborator_count=playlist.collaborator_count,
        created_at=created_at,
        changed_at=playlist.changed_at or created_at,
        revision=playlist.revision,
        cover_url=playlist.cover_url,
    )
    return DataResponse(data=DetailsData(playlist=shown)).model_dump_json(by_alias=True).encode()
