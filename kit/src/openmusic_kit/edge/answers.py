"""Purges that travel with the answer to a request, in its header ``Cache-Purge``."""

from collections.abc import Iterable
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openmusic_kit.edge.tags import CACHE_PURGE, joined

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_outdated: ContextVar[list[str]] = ContextVar("outdated")


async def purge_with_answer(tags: Iterable[str]) -> None:
    """Adds tags to the answer of the request being served. Raises LookupError outside of a request that may change."""
    _outdated.get().extend(tags)


class PurgeHeader:
    """Writes the tags that were outdated while a request was served into its answer, whatever its status.

    The answer to a read has none: several reads may share one load, so what a read changes is published instead.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return
        outdated: list[str] = []

        async def purging(message: Message) -> None:
            if message["type"] == "http.response.start" and outdated:
                MutableHeaders(scope=message)[CACHE_PURGE] = joined(outdated)
            await send(message)

        token = _outdated.set(outdated)
        try:
            await self._app(scope, receive, purging)
        finally:
            _outdated.reset(token)
