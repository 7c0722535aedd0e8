"""A request that its client has given up on is not carried out long after."""

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import SecretStr

from openmusic_kit.errors import ServiceError, Unauthenticated
from openmusic_kit.identity.token_verifier import CREDENTIAL_HEADER
from openmusic_kit.web import routes as web
from openmusic_kit.web.responses import on_service_error
from openmusic_kit.web.schemas import MessageResponse
from openmusic_testkit.interleavings import World, explore
from openmusic_testkit.tokens import OneUser


async def _post(app: FastAPI, sending: float = 0.0) -> int:
    """``sending`` are the seconds that the body takes to arrive."""
    statuses: list[int] = []

    async def receive() -> Any:
        await asyncio.sleep(sending)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"authorization", b"Bearer good"), (CREDENTIAL_HEADER.lower().encode(), b"shared")]
    scope = {"type": "http", "method": "POST", "path": "/mine", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("route_class", [web.TimedRoute, web.ProtectedRoute, web.UploadRoute, web.InternalRoute])
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


@pytest.mark.parametrize(("route_class", "expected"), [(web.ProtectedRoute, 503), (web.UploadRoute, 200)])
def test_the_time_of_an_upload_begins_when_it_is_there(route_class: type[APIRoute], expected: int) -> None:
    async def scenario(world: World) -> None:
        app = FastAPI()
        app.state.token_verifier = OneUser(Unauthenticated)
        app.add_exception_handler(ServiceError, on_service_error)
        router = APIRouter(route_class=route_class)

        @router.post("/mine")
        async def add(request: Request) -> MessageResponse:
            assert await request.body() == b""
            await asyncio.sleep(web.HANDLING_TIME - 1)
            return MessageResponse(message="added")

        app.include_router(router)
        assert await world.within(120, _post(app, sending=60)) == expected

    explore(f"upload: {route_class.__name__}", scenario, 5)


def test_a_few_uploads_are_taken_at_once_and_the_others_come_again() -> None:
    async def scenario(_: World) -> None:
        app = FastAPI()
        app.state.token_verifier = OneUser(Unauthenticated)
        app.add_exception_handler(ServiceError, on_service_error)
        router = APIRouter(route_class=web.UploadRoute)

        @router.post("/mine")
        async def add() -> MessageResponse:
            return MessageResponse(message="added")

        app.include_router(router)
        sent = [_post(app, sending=60) for _ in range(web.MAX_UPLOADS + 2)]
        assert sorted(await asyncio.gather(*sent)) == [200] * web.MAX_UPLOADS + [503] * 2
        assert await _post(app) == 200

    explore("uploads at once", scenario, 5)
