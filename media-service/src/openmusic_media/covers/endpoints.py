from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from openmusic_kit.web.compiled import Handler
from openmusic_kit.web.failures import Failure
from openmusic_kit.web.openapi import LOCATED, error_responses
from openmusic_kit.web.responses import failure
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute, TimedRoute
from openmusic_kit.web.schemas import CreatedResponse, MessageResponse
from openmusic_media.covers import documentation
from openmusic_media.covers.direct_uploads import DirectUploads
from openmusic_media.covers.errors import (
    AlbumNotFound,
    CoverTooLarge,
    ImageTooBig,
    NoDirectUploads,
    NotAnImage,
    OwnerOnly,
    PlaylistNotFound,
    UploadNotFound,
)
from openmusic_media.covers.forms import extract_cover
from openmusic_media.covers.keys import ThumbnailSize
from openmusic_media.covers.ranges import RangeNotSatisfiable, requested_range
from openmusic_media.covers.schemas import DirectUploadForm
from openmusic_media.covers.service import MAX_BYTES, CoverService

FOREVER = "public, max-age=31536000, immutable"


async def _covers(request: Request) -> CoverService:
    service: CoverService = request.app.state.covers
    return service


async def _uploads(request: Request) -> DirectUploads:
    uploads: DirectUploads = request.app.state.direct_uploads
    return uploads


Covers = Annotated[CoverService, Depends(_covers)]
Uploads = Annotated[DirectUploads, Depends(_uploads)]

router = APIRouter(tags=["covers"])
timed_router = APIRouter(tags=["covers"], route_class=TimedRoute)


class UploadRoute(ProtectedRoute):
    """Takes as long as its client needs for the bytes."""

    def get_route_handler(self) -> Handler:
        return self.authorized(self._endpoint_handler())


protected_router = APIRouter(tags=["covers"], route_class=UploadRoute)


@router.post(
    "/albums/{album_id}/covers",
    status_code=201,
    responses=documentation.uploading(AlbumNotFound),
    openapi_extra={"requestBody": documentation.FORM},
)
async def upload_cover(album_id: str, request: Request, response: Response, covers: Covers) -> MessageResponse:
    """Takes a multipart form with the file field ``cover``."""
    response.headers["Location"] = await covers.replace_of_album(album_id, await _uploaded(request))
    return MessageResponse(message="Cover uploaded")


@timed_router.post(
    "/albums/{album_id}/covers/uploads",
    status_code=201,
    responses={**error_responses(AlbumNotFound, NoDirectUploads), **LOCATED},
)
async def begin_upload(album_id: str, uploads: Uploads, response: Response) -> CreatedResponse[DirectUploadForm]:
    """Says how to upload a cover to the storage itself. It is checked and shown once the upload is completed."""
    upload = await uploads.begin(album_id)
    response.headers["Location"] = f"/albums/{album_id}/covers/uploads/{upload.id}"
    form = DirectUploadForm(
        upload_id=upload.id,
        url=upload.form.url,
        fields=upload.form.fields,
        max_bytes=MAX_BYTES,
        expires_at=upload.expires_at,
    )
    return CreatedResponse(message="Upload the cover, then complete it", data=form)


@timed_router.post(
    "/albums/{album_id}/covers/uploads/{upload_id}",
    status_code=201,
    responses={**error_responses(NotAnImage, ImageTooBig, AlbumNotFound, UploadNotFound), **LOCATED},
)
async def complete_upload(album_id: str, upload_id: str, uploads: Uploads, response: Response) -> MessageResponse:
    """Checks what was uploaded to the storage, and makes it the cover."""
    response.headers["Location"] = await uploads.complete(album_id, upload_id)
    return MessageResponse(message="Cover uploaded")


@protected_router.post(
    "/playlists/{playlist_id}/cover",
    status_code=201,
    responses=documentation.uploading(PlaylistNotFound, OwnerOnly),
    openapi_extra={"requestBody": documentation.FORM},
)
async def upload_playlist_cover(
    playlist_id: str, user_id: CurrentUser, request: Request, response: Response, covers: Covers
) -> MessageResponse:
    """Takes the same form from the owner of the playlist."""
    response.headers["Location"] = await covers.replace_of_playlist(playlist_id, user_id, await _uploaded(request))
    return MessageResponse(message="Cover uploaded")


async def _uploaded(request: Request) -> bytes:
    try:
        body = await request.body()
    except HTTPException as error:
        if error.status_code == 413:
            raise CoverTooLarge from error
        raise
    return extract_cover(request.headers.get("content-type", ""), body)


@router.head(
    "/covers/{folder}/{file}",
    name="get_cover_headers",
    response_class=Response,
    responses=documentation.WHOLE,
    openapi_extra={"parameters": [documentation.IF_NONE_MATCH]},
)
@router.get(
    "/covers/{folder}/{file}",
    response_class=Response,
    responses={**documentation.WHOLE, **documentation.PART},
    openapi_extra={"parameters": [documentation.IF_NONE_MATCH, *documentation.RANGE]},
)
async def get_cover(
    folder: str, file: str, request: Request, covers: Covers, size: ThumbnailSize | None = None
) -> Response:
    """With ``size`` a thumbnail: WebP that fits into a square of so many pixels, of an animation the first frame."""
    cover, tag = await covers.get(f"{folder}/{file}", size)
    etag = f'"{tag}"'
    headers = {
        "ETag": etag,
        "Cache-Control": FOREVER,
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "inline",
        "Content-Security-Policy": "default-src 'none'",
    }
    asked = request.headers.get("if-none-match", "")
    if asked == "*" or etag in [each.strip().removeprefix("W/") for each in asked.split(",")]:
        return Response(status_code=304, headers=headers)
    length = len(cover.content)
    wants_part = request.method == "GET" and request.headers.get("if-range", etag) == etag
    try:
        part = requested_range(request.headers.get("range") if wants_part else None, length)
    except RangeNotSatisfiable:
        failed = Failure(416, documentation.OUTSIDE)
        return failure(failed, request.headers, {"Content-Range": f"bytes */{length}"})
    if part is None:
        return Response(cover.content, media_type=cover.content_type, headers=headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{length}"
    return Response(cover.content[part.start : part.stop], 206, headers, cover.content_type)
