"""OpenAPI descriptions of covers that types cannot express: the form, the headers, the ranges."""

from typing import Any

from openmusic_kit.errors import ServiceError
from openmusic_kit.web.openapi import LOCATED, Responses, error_responses
from openmusic_media.covers.errors import (
    CoverMissing,
    CoverNotFound,
    CoverTooLarge,
    ImageTooBig,
    NotAForm,
    NotAnImage,
    SeveralCovers,
)
from openmusic_media.storage.content_types import CONTENT_TYPES

OUTSIDE = "The range is outside of the image"

_FIELDS = {
    "type": "object",
    "required": ["cover"],
    "properties": {
        "cover": {
            "type": "string",
            "format": "binary",
            "description": "A PNG, JPEG, WebP, GIF, AVIF or APNG image of at most 512000 bytes",
        }
    },
}
FORM: dict[str, Any] = {"required": True, "content": {"multipart/form-data": {"schema": _FIELDS}}}


def uploading(*refusals: type[ServiceError]) -> Responses:
    refused = error_responses(NotAForm, CoverMissing, SeveralCovers, NotAnImage, ImageTooBig, CoverTooLarge, *refusals)
    return {**refused, **LOCATED}


def _response_header(description: str, pattern: str) -> dict[str, Any]:
    return {"description": description, "required": True, "schema": {"type": "string", "pattern": pattern}}


def _request_header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


_CACHING = {
    "ETag": _response_header("Names the content", '^"[0-9a-f]{32}(-[0-9]+)?"$'),
    "Cache-Control": _response_header("An address never gets another image", "^public, max-age=[0-9]+, immutable$"),
    "Accept-Ranges": _response_header("The unit of ranges", "^bytes$"),
}
_PART = {"Content-Range": _response_header("Which bytes these are", "^bytes [0-9]+-[0-9]+/[0-9]+$")}
_SIZE = {"Content-Range": _response_header("How many bytes there are", r"^bytes \*/[0-9]+$")}
_IMAGE = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(set(CONTENT_TYPES.values()))}
WHOLE: Responses = {
    **error_responses(CoverNotFound),
    200: {"description": "The image", "headers": _CACHING, "content": _IMAGE},
    304: {"description": "The client has it already", "headers": _CACHING},
}
PART: Responses = {
    206: {"description": "A part of the image", "headers": _CACHING | _PART, "content": _IMAGE},
    416: {"description": OUTSIDE, "headers": _SIZE},
}
IF_NONE_MATCH = _request_header("If-None-Match", "The entity tag that the client has")
RANGE = [
    _request_header("Range", "A single range of bytes"),
    _request_header("If-Range", "The entity tag that the range is of"),
]
