from typing import Any

from fastapi import APIRouter, Request, Response

router = APIRouter(prefix="/.well-known", tags=["keys"])


@router.get("/jwks.json")
async def get_key_set(request: Request, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "public, max-age=5"
    published: dict[str, Any] = request.app.state.signing_keys.published()
    return published
