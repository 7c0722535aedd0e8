from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from openmusic_auth.authentications.errors import RefreshTokenInvalid, WrongCredentials
from openmusic_auth.authentications.schemas import AccessToken, Login, RefreshTokenPayload, Tokens
from openmusic_auth.authentications.service import AuthenticationService
from openmusic_kit.web.openapi import LOCATED, error_responses
from openmusic_kit.web.routes import TimedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, MessageResponse

USER_AGENT_LENGTH = 300  # characters


async def _authentications(request: Request) -> AuthenticationService:
    service: AuthenticationService = request.app.state.authentications
    return service


Authentications = Annotated[AuthenticationService, Depends(_authentications)]


async def _user_agent(request: Request) -> str | None:
    agent = request.headers.get("user-agent")
    return agent[:USER_AGENT_LENGTH] if agent else None


UserAgent = Annotated[str | None, Depends(_user_agent)]


async def _no_store(response: Response) -> None:
    """Tokens must not be cached (RFC 6749, section 5.1)."""
    response.headers["Cache-Control"] = "no-store"


router = APIRouter(
    prefix="/authentications", tags=["authentications"], dependencies=[Depends(_no_store)], route_class=TimedRoute
)


@router.post("", status_code=201, responses={**error_responses(WrongCredentials), **LOCATED})
async def log_in(
    login: Login, authentications: Authentications, user_agent: UserAgent, response: Response
) -> CreatedResponse[Tokens]:
    """Begins a session, which ``Location`` lists with the others."""
    access_token, refresh_token = await authentications.log_in(login.username, login.password, user_agent)
    response.headers["Location"] = "/users/me/sessions"
    return CreatedResponse(message="Logged in", data=Tokens(access_token=access_token, refresh_token=refresh_token))


@router.put("", responses=error_responses(RefreshTokenInvalid))
async def refresh(payload: RefreshTokenPayload, authentications: Authentications) -> DataResponse[AccessToken]:
    return DataResponse(data=AccessToken(access_token=await authentications.refresh(payload.refresh_token)))


@router.delete("", responses=error_responses(RefreshTokenInvalid))
async def log_out(payload: RefreshTokenPayload, authentications: Authentications) -> MessageResponse:
    await authentications.log_out(payload.refresh_token)
    return MessageResponse(message="Logged out")
