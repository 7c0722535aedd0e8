"""Long lists are sent as they are read, a batch at a time.

Neither the list nor a connection to the database is held while a slow client reads. A failure in the middle breaks the
connection: the JSON that was begun is never completed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

from fastapi.responses import StreamingResponse

from openmusic_kit.web.paging import PAGE_SIZE
from openmusic_kit.web.schemas import WireModel

T = TypeVar("T", bound=WireModel)


def stream_list(
    empty: WireModel,
    first: list[T],
    more: Callable[[T], Awaitable[list[T]]],
    headers: Mapping[str, str] | None = None,
) -> StreamingResponse:
    """``empty`` is the answer with an empty list, where the items go; ``more`` gives the batch that follows an item.

    A batch has PAGE_SIZE items, the last one fewer.
    """
    head, _, tail = empty.model_dump_json(by_alias=True).encode().rpartition(b"[]")
    return StreamingResponse(_pieces(head, tail, first, more), media_type="application/json", headers=headers)


async def _pieces(
    head: bytes, tail: bytes, batch: list[T], more: Callable[[T], Awaitable[list[T]]]
) -> AsyncIterator[bytes]:
    separator = head + b"["
    while batch:
        yield separator + b",".join(item.model_dump_json(by_alias=True).encode() for item in batch)
        separator = b","
        batch = await more(batch[-1]) if len(batch) == PAGE_SIZE else []
    yield b"]" + tail
