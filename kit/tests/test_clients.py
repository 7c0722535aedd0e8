import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import BaseModel

from openmusic_kit.context import request_id
from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import Reply, ServiceClient
from openmusic_testkit.peers import serve_routes


class Peer:
    """Answers with the statuses it is told, then always with 200. 0 is none for ``silence`` seconds, -1 hangs up."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        self.asked: list[web.Request] = []
        self.silence = 60.0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 302:
            raise web.HTTPFound(f"{self.url}/elsewhere")
        if status == 0:
            await asyncio.sleep(self.silence)
            status = 200
        if status == -1:
            assert request.transport is not None
            await request.read()
            request.transport.abort()
        return web.json_response({"data": len(self.asked)}, status=status)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    async with serve_routes(web.route("*", "/{path:.*}", peer.answer)) as peer.url:
        yield peer


@pytest.fixture
async def client(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServiceClient]:
    monkeypatch.setattr("openmusic_kit.web.clients.TIMEOUT", 0.2)
    monkeypatch.setattr("openmusic_kit.web.clients.CHANGE_TIMEOUT", 1.0)
    async with ServiceClient("peer", peer.url, "the credential") as client:
        yield client


async def test_a_call_carries_the_credential_and_the_id_of_its_cause(peer: Peer, client: ServiceClient) -> None:
    token = request_id.set("request-1")
    answer = await client.get("/internal/thing")
    request_id.reset(token)

    assert (answer.found, json.loads(answer.body)) == (True, {"data": 1})
    assert peer.asked[0].headers["X-Service-Credential"] == "the credential"
    assert peer.asked[0].headers["X-Request-ID"] == "request-1"


@pytest.mark.parametrize("failure", [-1, 0, 500, 503])
async def test_a_question_is_asked_once_more(peer: Peer, client: ServiceClient, failure: int) -> None:
    peer.statuses = [failure]

    assert json.loads((await client.get("/internal/thing")).body) == {"data": 2}


@pytest.mark.parametrize("failure", [-1, 0, 500, 503])
async def test_a_question_with_a_body_is_asked_once_more_as_well(
    peer: Peer, client: ServiceClient, failure: int
) -> None:
    peer.statuses = [failure]

    assert json.loads((await client.query("/internal/things", {"value": 1})).body) == {"data": 2}
    assert [request.method for request in peer.asked] == ["POST", "POST"]


@pytest.mark.parametrize("failure", [0, 500])
async def test_a_question_is_not_asked_for_ever(peer: Peer, client: ServiceClient, failure: int) -> None:
    peer.statuses = [failure] * 10

    with pytest.raises(Unavailable):
        await client.get("/internal/thing")
    assert len(peer.asked) == 2


@pytest.mark.parametrize("failure", [-1, 0, 500])
async def test_a_change_that_may_have_been_made_is_not_made_again(
    peer: Peer, client: ServiceClient, failure: int
) -> None:
    peer.statuses = [failure]

    with pytest.raises(Unavailable):
        await client.put("/internal/thing", {"value": 1})
    assert len(peer.asked) == 1


async def test_a_change_is_waited_for_longer_than_an_answer(peer: Peer, client: ServiceClient) -> None:
    """It waits for a cache that hangs, to be told or given up."""
    peer.statuses, peer.silence = [0], 0.4

    assert json.loads((await client.put("/internal/thing", {})).body) == {"data": 1}


async def test_what_is_not_there_is_an_answer_and_a_refusal_is_none(peer: Peer, client: ServiceClient) -> None:
    peer.statuses = [404, 401]

    assert not (await client.get("/internal/thing")).found
    with pytest.raises(Unavailable):
        await client.get("/internal/thing")


async def test_nobody_there_is_unavailable() -> None:
    async with ServiceClient("peer", "http://127.0.0.1:1", "the credential") as client:
        for call in (client.get("/internal/thing"), client.put("/internal/thing", {})):
            with pytest.raises(Unavailable):
                await call


async def test_a_redirect_is_not_followed_with_the_credential(peer: Peer, client: ServiceClient) -> None:
    for call in (client.get, lambda path: client.put(path, {})):
        peer.statuses = [302]
        with pytest.raises(Unavailable):
            await call("/internal/thing")
    assert [request.path for request in peer.asked] == ["/internal/thing"] * 2


async def test_a_question_is_sent_twice_in_all_even_on_a_connection_that_was_used(
    peer: Peer, client: ServiceClient
) -> None:
    await client.get("/internal/thing")
    peer.statuses = [-1] * 10

    with pytest.raises(Unavailable):
        await client.get("/internal/thing")
    assert len(peer.asked) == 1 + 2


async def test_a_change_is_sent_once_even_on_a_connection_that_was_used(peer: Peer, client: ServiceClient) -> None:
    await client.get("/internal/thing")
    peer.statuses = [-1] * 10

    with pytest.raises(Unavailable):
        await client.put("/internal/thing", {})
    assert len(peer.asked) == 1 + 1


class Thing(BaseModel):
    data: int


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"data": "text"}', b"\xff"])
def test_an_answer_that_makes_no_sense_is_unavailable(body: bytes) -> None:
    with pytest.raises(Unavailable):
        Reply(True, body).parse(Thing)


async def test_an_answer_is_parsed_into_its_shape(client: ServiceClient) -> None:
    assert (await client.get("/internal/thing")).parse(Thing) == Thing(data=1)
