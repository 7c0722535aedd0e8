"""A long list is whole, is read no faster than it is sent, and never ends as if it were whole when it is not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi import FastAPI, Response

from openmusic_kit.web.paging import PAGE_SIZE
from openmusic_kit.web.schemas import DataResponse, WireModel
from openmusic_kit.web.streaming import stream_list
from openmusic_testkit import plain_http
from openmusic_testkit.serving import serving


class Item(WireModel):
    item_number: int


class Items(WireModel):
    of_list: str
    items: list[Item]


EMPTY = DataResponse(data=Items(of_list="[]", items=[]))


class Source:
    """So many items; what is behind ``failing_after`` cannot be read."""

    def __init__(self, size: int, failing_after: int | None = None) -> None:
        self.batches = 0
        self._size = size
        self._failing_after = failing_after

    async def behind(self, last: Item | None) -> list[Item]:
        await asyncio.sleep(0)  # a database takes a moment, in which a client that has left is noticed
        begin = last.item_number if last else 0
        if self._failing_after is not None and begin >= self._failing_after:
            raise RuntimeError("the database went away")
        self.batches += 1
        return [Item(item_number=number + 1) for number in range(begin, min(begin + PAGE_SIZE, self._size))]


async def response(source: Source) -> Response:
    return stream_list(EMPTY, await source.behind(None), source.behind)


@pytest.mark.parametrize("size", [PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE, 3 * PAGE_SIZE - 1])
async def test_the_list_is_whole_and_in_order(size: int) -> None:
    streamed = await response(Source(size))
    body = b"".join([piece async for piece in streamed.body_iterator])  # type: ignore[attr-defined]

    expected = {"ofList": "[]", "items": [{"itemNumber": number + 1} for number in range(size)]}
    assert json.loads(body) == {"status": "success", "data": expected}


async def test_the_next_batch_is_read_when_the_one_before_was_sent() -> None:
    source = Source(10 * PAGE_SIZE)
    pieces = (await response(source)).body_iterator  # type: ignore[attr-defined]
    for number in range(1, 5):
        await anext(pieces)
        assert source.batches == number


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Source], Awaitable[str]]]:
    """Serves the list at an address."""
    async with AsyncExitStack() as servers:

        async def start(source: Source) -> str:
            app = FastAPI()

            @app.get("/")
            async def items() -> Response:
                return await response(source)

            return f"http://127.0.0.1:{await servers.enter_async_context(serving(app))}/"

        yield start


async def test_a_failure_in_the_middle_breaks_the_connection(serve: Callable[[Source], Awaitable[str]]) -> None:
    url = await serve(Source(3 * PAGE_SIZE, failing_after=2 * PAGE_SIZE))

    async with plain_http.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(url)


async def test_a_client_that_does_not_read_holds_up_the_reading(
    serve: Callable[[Source], Awaitable[str]],
) -> None:
    source = Source(5000 * PAGE_SIZE)  # a hundred megabytes, more than any buffer on the way
    url = await serve(source)

    async with plain_http.AsyncClient() as client, client.stream("GET", url) as answer:
        assert "content-length" not in answer.headers
        batches = -1
        while batches != source.batches:  # until the buffers are full
            batches = source.batches
            await asyncio.sleep(0.3)
        assert source.batches < 2500
