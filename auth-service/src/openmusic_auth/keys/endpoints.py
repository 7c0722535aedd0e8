from fastapi import APIRouter, Request, Response

from openmusic_auth.keys.schemas import KeySet
from openmusic_auth.keys.service import SigningKeys
from openmusic_kit.web.routes import TimedRoute

router = APIRouter(prefix="/.well-known", tags=["keys"], route_class=TimedRoute)


@router.get("/jwks.json")
async def get_key_set(request: Request, response: Response) -> KeySet:
    signing_keys: SigningKeys = request.app.state.signing_keys
    published = KeySet.model_validate(signing_keys.published())
    response.headers["Cache-Control"] = "public, max-age=5"
    return published
