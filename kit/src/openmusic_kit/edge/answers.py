"""Purges that travel with the answer to a request, in its headers ``Cache-Purge`` and ``Cache-Lift``."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openmusic_kit.edge.tags import CACHE_LIFT, CACHE_PURGE, joined

MAX_LIFTED = 16  # holds in one header; each further one lapses
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass
class _Outdated:
    tags: list[str] = field(default_factory=list)
    lifted: list[str] = field(default_factory=list)


_outdated: ContextVar[_Outdated] = ContextVar("outdated")


async def purge_with_answer(tags: Iterable[str], lifted: Iterable[str] = ()) -> None:
    """Adds tags, and holds that end, to the answer of the request being served.

    Raises LookupError outside of a request that may change something.
    """
    outdated = _outdated.get()
    outdated.tags.extend(tags)
    outdated.lifted.extend(lifted)


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
        outdated = _Outdated()

        async def purging(message: Message) -> None:
            if message["type"] == "http.response.start" and outdated.tags:
                headers = MutableHeaders(scope=message)
                headers[CACHE_PURGE] = joined(outdated.tags)
                if outdated.lifted:
                    headers[CACHE_LIFT] = ",".join(outdated.lifted[:MAX_LIFTED])
            await send(message)

        token = _outdated.set(outdated)
        try:
            await self._app(scope, receive, purging)
        finally:
            _outdated.reset(token)
