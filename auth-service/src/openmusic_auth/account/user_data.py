"""Gathers what all services store for a user, as one JSON document that is sent as it is read."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.paging import Section
from openmusic_kit.web.schemas import DataResponse

SECTIONS = {
    "playlists": "playlist",
    "collaborations": "playlist",
    "activities": "playlist",
    "likes": "catalog",
    "exports": "export",
}
"""The service that has each section. Its items are passed on as they are."""


class UserDataCollector:
    """``clients`` are those of other services, by their names."""

    def __init__(self, clients: Mapping[str, ServiceClient]) -> None:
        self._clients = clients

    async def collect(self, user_id: str, head: bytes) -> AsyncIterator[bytes]:
        """Appends all sections to ``head``, a JSON object, and completes the answer around it.

        Raises Unavailable unless every service has answered once; a later failure ends the iteration with an error.
        """
        first = await asyncio.gather(*(self._page(user_id, name, "") for name in SECTIONS))
        return self._pieces(user_id, head, dict(zip(SECTIONS, first, strict=True)))

    async def _pieces(self, user_id: str, head: bytes, first: Mapping[str, Section[Any]]) -> AsyncIterator[bytes]:
        yield b'{"status":"success","data":' + head.removesuffix(b"}")
        for name, page in first.items():
            yield f',"{name}":['.encode() + _items(page)
            while page.next is not None:
                page = await self._page(user_id, name, page.next)  # noqa: PLW2901 - the next one
                yield b"," + _items(page) if page.items else b""
            yield b"]"
        yield b"}}"

    async def _page(self, user_id: str, name: str, after: str) -> Section[Any]:
        query = f"?{urlencode({'after': after})}" if after else ""
        reply = await self._clients[SECTIONS[name]].get(f"/internal/users/{user_id}/data/{name}{query}")
        if not reply.found:
            raise Unavailable(f"The service that has the {name} is too old: it does not list them")
        return reply.parse(DataResponse[Section[Any]]).data


def _items(page: Section[Any]) -> bytes:
    return json.dumps(page.items, ensure_ascii=False, separators=(",", ":")).encode()[1:-1]
