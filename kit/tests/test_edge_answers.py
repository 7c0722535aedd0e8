import asyncio

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from openmusic_kit.edge.answers import MAX_LIFTED, PurgeHeader, purge_with_answer


async def change(scope: Scope, _: Receive, send: Send) -> None:
    """Outdates the tag that the query names, in a task of its own as a unit of work does, and answers 503."""
    if scope["query_string"]:
        await asyncio.create_task(purge_with_answer([scope["query_string"].decode()]))
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture
def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(PurgeHeader(change)), base_url="http://service")


async def test_the_answer_to_a_change_purges_what_it_outdated_whatever_its_status(client: httpx.AsyncClient) -> None:
    assert (await client.delete("/?thing:1")).headers["Cache-Purge"] == "thing:1"
    assert (await client.delete("/?thing:1")).headers["Cache-Purge"] == "thing:1", "nothing is left over from the first"
    assert "Cache-Purge" not in (await client.delete("/")).headers


async def test_the_answer_to_a_change_lifts_as_many_of_its_holds_as_a_header_takes() -> None:
    async def change_much(_: Scope, __: Receive, send: Send) -> None:
        for number in range(MAX_LIFTED + 1):
            await purge_with_answer(["thing:1"], [f"h{number}"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    client = httpx.AsyncClient(transport=httpx.ASGITransport(PurgeHeader(change_much)), base_url="http://service")
    answer = await client.delete("/")
    assert answer.headers["Cache-Lift"].split(",") == [f"h{number}" for number in range(MAX_LIFTED)]


async def test_a_read_cannot_purge_with_its_answer(client: httpx.AsyncClient) -> None:
    with pytest.raises(LookupError):
        await client.get("/?thing:1")


async def test_outside_of_a_request_nothing_is_purged_by_mistake() -> None:
    with pytest.raises(LookupError):
        await purge_with_answer(["thing:1"])
