"""Answers a request that may be served: from the edge cache, or by its service."""

from dataclasses import dataclass
from typing import Any

from openmusic_gateway import answers, headers
from openmusic_gateway.body import Body
from openmusic_gateway.edge.cache import Answer, EdgeCache, not_modified
from openmusic_gateway.edge.entries import LARGEST, Entry, Key
from openmusic_gateway.forwarding import Forwarder, Reply
from openmusic_gateway.routes import Route
from openmusic_kit.edge import CACHE_PURGE, CACHE_TAG

OF_A_BODY = frozenset({b"content-type", b"content-length"})
FROM_CACHE = (b"x-data-source", b"cache")


@dataclass(slots=True)
class Request:
    """``user_id`` is empty on a route without a token; ``given`` are the headers, ``address`` is the client's."""

    scope: dict[str, Any]
    given: dict[bytes, bytes]
    send: Any
    route: Route
    user_id: str
    request_id: str
    address: str

    @property
    def key(self) -> Key:
        return (self.scope["raw_path"].decode("latin-1"), self.scope["query_string"], self.user_id)


class Proxy:
    """Each method that answers gives the status of the answer that it sent."""

    def __init__(self, forwarder: Forwarder, edge: EdgeCache) -> None:
        self._forwarder = forwarder
        self._edge = edge

    def deadline(self) -> float:
        """When what is asked now must begin to be answered, by the event loop's clock."""
        return self._forwarder.deadline()

    async def answer_from_edge(self, request: Request) -> int | None:
        """None when there is nothing that may be used; then nothing was sent."""
        if not request.route.kept:
            return None
        entry = self._edge.get(request.key)
        return None if entry is None else await self._send_kept(request, entry)

    async def answer(self, request: Request, body: Body, deadline: float) -> int:
        if request.route.kept:
            return await self._read(request, body, deadline)
        reply = await self._ask(request, body, deadline)
        try:
            if tags := reply.named(CACHE_PURGE):
                await self._edge.purge(tags)
        except BaseException:
            reply.abandon()
            raise
        return await reply.pass_on(request.send, request.request_id)

    async def _ask(self, request: Request, body: Body, deadline: float) -> Reply:
        return await self._forwarder.ask(
            request.scope, body, request.route.service, request.request_id, request.address, deadline
        )

    async def _read(self, request: Request, body: Body, deadline: float) -> int:
        service = request.route.service
        try:
            entry = await self._edge.fetched(request.key, deadline)
        except TimeoutError as error:
            raise answers.timed_out(service) from error
        if entry is not None:
            return await self._send_kept(request, entry)
        passing: Reply | None = None

        async def load() -> Answer | None:
            nonlocal passing
            reply = await self._ask(request, body, deadline)
            if _may_be_kept(reply, request.user_id):
                content = await reply.whole(service, LARGEST, deadline)
                if content is not None:
                    return Answer(headers.to_client(reply.headers), content, tuple(reply.named(CACHE_TAG)))
            passing = reply
            return None

        answer = await self._edge.fetch(request.key, load)
        if answer is None:
            assert passing is not None  # noqa: S101 - load has just set it
            # Only now: its client may be slow, and nobody else should wait for that.
            return await passing.pass_on(request.send, request.request_id)
        return await self._send(request, [*answer.headers, (b"etag", answer.etag)], answer.body, answer.etag)

    async def _send_kept(self, request: Request, entry: Entry) -> int:
        return await self._send(request, [*entry.headers, FROM_CACHE], entry.body, entry.etag)

    async def _send(self, request: Request, raw: list[tuple[bytes, bytes]], body: bytes, etag: bytes) -> int:
        """With the request's id; 304 without a body when the client has this very version."""
        raw.append((b"x-request-id", request.request_id.encode()))
        status = 200
        asked = request.given.get(b"if-none-match")
        if asked is not None and not_modified(etag, asked):
            status, body = 304, b""
            raw = [header for header in raw if header[0] not in OF_A_BODY]
        await request.send({"type": "http.response.start", "status": status, "headers": raw})
        await request.send({"type": "http.response.body", "body": body})
        return status


def _may_be_kept(reply: Reply, user_id: str) -> bool:
    if reply.status != 200 or not reply.named(CACHE_TAG):
        return False
    return bool(user_id) or "private" not in reply.named("Cache-Control")
