from functools import partial
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from openmusic_export.exports.errors import ExportNotFound, OwnerOnly, PlaylistNotFound
from openmusic_export.exports.schemas import Export, ExportData, ExportId, ExportPayload, ExportsData
from openmusic_export.exports.service import ExportService
from openmusic_export.formats import FORMATS, FormatName
from openmusic_kit.web.counting import WantsTotal, total_headers
from openmusic_kit.web.openapi import COUNTED, LOCATED, PAGED, REPEATABLE, TAGGED, Responses, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, CursorInvalid, PageSize, Section, decode_cursor, first_page, section
from openmusic_kit.web.responses import tagged_answer
from openmusic_kit.web.routes import CurrentUser, InternalRoute, ProtectedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, StoredText

ACCEPTED = "Permintaan Anda sedang kami proses"  # existing clients compare this text


async def _exports(request: Request) -> ExportService:
    service: ExportService = request.app.state.exports
    return service


Exports = Annotated[ExportService, Depends(_exports)]

internal_router = APIRouter(
    prefix="/internal/users/{user_id}/data/exports", route_class=InternalRoute, include_in_schema=False
)
router = APIRouter(prefix="/export", tags=["exports"], route_class=ProtectedRoute)
playlists_router = APIRouter(prefix="/playlists", tags=["exports"], route_class=ProtectedRoute)
ROUTERS = (router, playlists_router, internal_router)

OBJECT = {"type": "object"}
TEXT = {"type": "string", "format": "binary"}
FILE: Responses = {
    200: {
        "description": "The file",
        "headers": {"Content-Disposition": {"required": True, "schema": {"type": "string"}}},
        "content": {
            each.media_type: {"schema": OBJECT if each.media_type.endswith("json") else TEXT}
            for each in FORMATS.values()
        },
    }
}


@router.post(
    "/playlists/{playlist_id}",
    status_code=201,
    responses={**error_responses(PlaylistNotFound, OwnerOnly), **LOCATED},
    openapi_extra=REPEATABLE,
)
async def export_playlist(
    playlist_id: str, payload: ExportPayload, user_id: CurrentUser, exports: Exports, response: Response
) -> CreatedResponse[ExportId]:
    export_id = await exports.request(playlist_id, payload.target_email, payload.format, user_id)
    response.headers["Location"] = f"/export/{export_id}"
    return CreatedResponse(message=ACCEPTED, data=ExportId(export_id=export_id))


@router.get("", responses={**error_responses(CursorInvalid), **PAGED}, openapi_extra=COUNTED)
async def list_exports(
    response: Response,
    user_id: CurrentUser,
    exports: Exports,
    counted: WantsTotal,
    limit: PageSize = PAGE_SIZE,
    cursor: str = "",
) -> DataResponse[ExportsData]:
    """The user's exports, newest first; the header ``Link`` leads to the next page."""
    jobs = await exports.list_requested(user_id, decode_cursor(cursor), limit + 1)
    response.headers.update(await total_headers(counted, partial(exports.count_requested, user_id)))
    page = first_page(jobs, limit, response, "/export", attrgetter("id"))
    return DataResponse(data=ExportsData(exports=[Export.of(job) for job in page]))


@internal_router.get("")
async def get_exports_of(user_id: str, exports: Exports, after: StoredText = "") -> DataResponse[Section[Export]]:
    """Newest first, as in the user's own list."""
    items = [Export.of(job) for job in await exports.list_requested(user_id, after, PAGE_SIZE)]
    return DataResponse(data=section(items, PAGE_SIZE, attrgetter("id")))


@router.get(
    "/{export_id}",
    response_model=DataResponse[ExportData],
    responses={**error_responses(ExportNotFound), **TAGGED},
)
async def get_export(export_id: str, user_id: CurrentUser, exports: Exports) -> Response:
    shown = DataResponse(data=ExportData(export=Export.of(await exports.get(export_id, user_id))))
    return tagged_answer(shown.model_dump_json(by_alias=True).encode())


@playlists_router.get(
    "/{playlist_id}/export",
    response_class=Response,
    responses={**error_responses(PlaylistNotFound, OwnerOnly), **FILE},
)
async def download_playlist(
    playlist_id: str,
    user_id: CurrentUser,
    exports: Exports,
    file_format: Annotated[FormatName, Query(alias="format")] = "json",
) -> Response:
    """The playlist as a file."""
    playlist = await exports.read(playlist_id, user_id)
    chosen = FORMATS[file_format]
    headers = {"Content-Disposition": f'attachment; filename="{chosen.file_name(playlist)}"'}
    return Response(chosen.content(playlist), headers=headers, media_type=chosen.media_type)
