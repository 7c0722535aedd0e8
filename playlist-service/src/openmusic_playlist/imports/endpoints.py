from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from openmusic_kit.web.openapi import LOCATED, REPEATABLE, error_responses
from openmusic_kit.web.routes import CurrentUser, UploadRoute
from openmusic_kit.web.schemas import CreatedResponse
from openmusic_playlist.imports.errors import FileInvalid, FormatUnknown
from openmusic_playlist.imports.formats.reading import format_of
from openmusic_playlist.imports.schemas import FILE, Format, ImportedPlaylist, Name
from openmusic_playlist.imports.service import ImportService

PATH = "/playlists/import"


async def _imports(request: Request) -> ImportService:
    service: ImportService = request.app.state.imports
    return service


router = APIRouter(prefix=PATH, tags=["playlists"], route_class=UploadRoute)


@router.post(
    "",
    status_code=201,
    responses={**error_responses(FileInvalid, FormatUnknown), **LOCATED},
    openapi_extra={**REPEATABLE, "requestBody": FILE},
)
async def import_playlist(
    request: Request,
    response: Response,
    user_id: CurrentUser,
    imports: Annotated[ImportService, Depends(_imports)],
    file_format: Annotated[Format, Query(alias="format")] = "",
    name: Name = "",
) -> CreatedResponse[ImportedPlaylist]:
    """Makes a playlist of yours from a file of up to 10000 songs: an export, or the CSV of a migration tool.

    Songs are found by id, else by title and performer, accents and letter case aside. A song that two rows name is
    added once. What is not found is left out, and reported.
    """
    chosen = file_format or format_of(request.headers.get("content-type", ""))
    report = await imports.add(await request.body(), chosen, name, user_id)
    response.headers["Location"] = f"/playlists/{report.playlist_id}"
    data = ImportedPlaylist.model_validate(report, from_attributes=True)
    return CreatedResponse(message="Playlist imported", data=data)
