from functools import partial
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from openmusic_auth.account.errors import SessionNotFound, WrongPassword
from openmusic_auth.account.schemas import (
    AccountPart,
    AccountPayload,
    AllData,
    DeletionPayload,
    PasswordPayload,
    Session,
    SessionsData,
)
from openmusic_auth.account.service import AccountService
from openmusic_auth.account.user_data import UserDataCollector
from openmusic_auth.invalidation import account_headers
from openmusic_auth.users.errors import UsernameTaken
from openmusic_auth.users.schemas import User, UserData, encode_user
from openmusic_kit.web.conditions import RequestCondition
from openmusic_kit.web.counting import WantsTotal, total_headers
from openmusic_kit.web.openapi import CONDITIONAL, COUNTED, PAGED, error_responses
from openmusic_kit.web.paging import PAGE_SIZE, CursorInvalid, PageSize, decode_cursor, first_page
from openmusic_kit.web.responses import tagged_answer
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute
from openmusic_kit.web.schemas import DataResponse, MessageResponse


async def _account(request: Request) -> AccountService:
    service: AccountService = request.app.state.account
    return service


async def _collector(request: Request) -> UserDataCollector:
    collector: UserDataCollector = request.app.state.user_data
    return collector


Collector = Annotated[UserDataCollector, Depends(_collector)]
Account = Annotated[AccountService, Depends(_account)]

MAX_SESSIONS = 10_000  # in the file with all data; the newest

router = APIRouter(prefix="/users/me", tags=["account"], route_class=ProtectedRoute)


@router.get("", response_model=DataResponse[UserData])
async def get_account(user_id: CurrentUser, account: Account) -> Response:
    return tagged_answer(encode_user(await account.get(user_id)), account_headers(user_id))


@router.get("/data", response_model=DataResponse[AllData])
async def get_all_data(user_id: CurrentUser, account: Account, collector: Collector) -> Response:
    """All that is stored about you, in every service, as one file."""
    user, sessions = await account.get(user_id), await account.list_sessions(user_id, "", MAX_SESSIONS)
    part = AccountPart.model_validate({"user": user, "sessions": sessions}, from_attributes=True)
    pieces = await collector.collect(user_id, part.model_dump_json(by_alias=True).encode())
    headers = {"Content-Disposition": f'attachment; filename="{user_id}.json"', "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type="application/json", headers=headers)


@router.patch("", responses=error_responses(UsernameTaken), openapi_extra=CONDITIONAL)
async def update_account(
    payload: AccountPayload, condition: RequestCondition, user_id: CurrentUser, account: Account
) -> DataResponse[UserData]:
    """Changes what the body names. Playlists and activities show a new username within seconds."""
    names = payload.model_dump(exclude_unset=True)
    check = condition.on(encode_user)
    user = await account.update(user_id, names.get("username"), names.get("fullname"), check)
    return DataResponse(data=UserData(user=User.model_validate(user, from_attributes=True)))


@router.delete("", responses=error_responses(WrongPassword))
async def delete_account(payload: DeletionPayload, user_id: CurrentUser, account: Account) -> MessageResponse:
    """Deletes the user with sessions, playlists, collaborations, likes and exports, for good.

    The user and the sessions are gone at once, the rest within seconds. What the user did in others' playlists stays,
    under the name "deleted user".
    """
    await account.delete(user_id, payload.password)
    return MessageResponse(message="Account deleted")


@router.put("/password", responses=error_responses(WrongPassword))
async def change_password(payload: PasswordPayload, user_id: CurrentUser, account: Account) -> MessageResponse:
    """Ends all sessions but that of the refresh token, if there is one. Access tokens stay valid until they expire."""
    await account.change_password(user_id, payload.password, payload.new_password, payload.refresh_token)
    return MessageResponse(message="Password changed")


@router.get("/sessions", responses={**error_responses(CursorInvalid), **PAGED}, openapi_extra=COUNTED)
async def list_sessions(
    response: Response,
    user_id: CurrentUser,
    account: Account,
    counted: WantsTotal,
    limit: PageSize = PAGE_SIZE,
    cursor: str = "",
) -> DataResponse[SessionsData]:
    """Each login begins a session. Newest first; the header ``Link`` leads to the next page."""
    sessions = await account.list_sessions(user_id, decode_cursor(cursor), limit + 1)
    response.headers.update(await total_headers(counted, partial(account.count_sessions, user_id)))
    page = first_page(sessions, limit, response, "/users/me/sessions", attrgetter("id"))
    return DataResponse(
        data=SessionsData(sessions=[Session.model_validate(each, from_attributes=True) for each in page])
    )


@router.delete("/sessions")
async def end_all_sessions(user_id: CurrentUser, account: Account) -> MessageResponse:
    """Access tokens stay valid until they expire."""
    await account.end_all_sessions(user_id)
    return MessageResponse(message="Logged out everywhere")


@router.delete("/sessions/{session_id}", responses=error_responses(SessionNotFound))
async def end_session(session_id: str, user_id: CurrentUser, account: Account) -> MessageResponse:
    """Access tokens stay valid until they expire."""
    await account.end_session(user_id, session_id)
    return MessageResponse(message="Session ended")
