"""A request that its client has given up on is not carried out long after."""

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr

from openmusic_kit.errors import ServiceError, Unauthenticated
from openmusic_kit.identity.token_verifier import CREDENTIAL_HEADER
from openmusic_kit.web import routes as web
from openmusic_kit.web.responses import on_service_error
from openmusic_kit.web.schemas import MessageResponse
from openmusic_testkit.interleavings import World, explore
from openmusic_testkit.tokens import OneUser


async def _post(app: FastAPI) -> int:
    statuses: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"authorization", b"Bearer good"), (CREDENTIAL_HEADER.lower().encode(), b"shared")]
    scope = {"type": "http", "method": "POST", "path": "/mine", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("route_class", [web.TimedRoute, web.ProtectedRoute, web.InternalRoute])
def test_a_route_gives_up_in_time_and_stops_what_it_did(route_class: type[APIRoute]) -> None:
    async def scenario(world: World) -> None:
        done = []
        app = FastAPI()
        app.state.token_verifier = OneUser(Unauthenticated)
        app.state.service_credential = SecretStr("shared")
        app.add_exception_handler(ServiceError, on_service_error)
        router = APIRouter(route_class=route_class)
        seconds = world.dice.choice((1.0, web.HANDLING_TIME - 1, web.HANDLING_TIME + 1, 60.0))

        @router.post("/mine")
        async def add() -> MessageResponse:
            await asyncio.sleep(seconds)
            done.append(seconds)
            return MessageResponse(message="added")

        app.include_router(router)
        status = await world.within(web.HANDLING_TIME + 0.5, _post(app))
        await asyncio.sleep(120)
        assert (status, done) == ((200, [seconds]) if seconds < web.HANDLING_TIME else (503, []))

    explore(f"time limit: {route_class.__name__}", scenario, 20)
