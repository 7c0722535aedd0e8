"""Responds with what the service says, and keeps the edge cache up to date with it."""

from openmusic_gateway import header_filters, responses
from openmusic_gateway.body import Body
from openmusic_gateway.compression import Compressed, is_compressible
from openmusic_gateway.edge.cache import EdgeCache, FetchedResponse
from openmusic_gateway.edge.entries import MAX_BODY
from openmusic_gateway.edge.sending import send_cached, send_fetched, send_streamed
from openmusic_gateway.forwarding import Forwarder
from openmusic_gateway.reply import Reply
from openmusic_gateway.request import Request
from openmusic_gateway.routes import ANNOUNCING
from openmusic_kit.edge.tags import CACHE_LIFT, CACHE_PURGE, CACHE_TAG


class Proxy:
    def __init__(self, forwarder: Forwarder, cache: EdgeCache) -> None:
        self._forwarder = forwarder
        self._cache = cache

    def deadline(self) -> float:
        """When the response to a request that is forwarded now must have started, as a time of the event loop."""
        return self._forwarder.deadline()

    async def respond(self, request: Request, body: Body, deadline: float) -> int:
        """Returns the status of the response that was sent."""
        if request.route.cacheable:
            return await self._read(request, body, deadline)
        reply = await self._forwarder.forward(request, body, deadline)
        try:
            if tags := reply.values(CACHE_PURGE):
                await self._cache.purge(tags, reply.values(CACHE_LIFT))
        except BaseException:
            reply.close()
            raise
        return await send_streamed(request, reply)

    async def _read(self, request: Request, body: Body, deadline: float) -> int:
        service = request.route.service
        try:
            entry = await self._cache.join(request.cache_key, deadline)
        except TimeoutError as error:
            raise responses.timed_out(service) from error
        if entry is not None:
            return await send_cached(request, entry)
        uncached: Reply | None = None

        async def fetch() -> FetchedResponse | None:
            nonlocal uncached
            reply = await self._forwarder.forward(request, body, deadline)
            if _is_cacheable(reply, request.user_id):
                content = await reply.read(service, MAX_BODY, deadline)
                if content is not None:
                    headers = header_filters.to_client(reply.headers)
                    tags = tuple(reply.values(CACHE_TAG))
                    compressed = Compressed(content) if is_compressible(service, headers, content) else None
                    return FetchedResponse(headers, content, tags, service in ANNOUNCING, compressed)
            uncached = reply
            return None

        response = await self._cache.fetch(request.cache_key, fetch)
        if response is not None:
            return await send_fetched(request, response)
        assert uncached is not None  # noqa: S101 - fetch has just set it
        return await send_streamed(request, uncached)  # after the fetch: nobody waits for a client that reads slowly


def _is_cacheable(reply: Reply, user_id: str) -> bool:
    if reply.status != 200 or not reply.values(CACHE_TAG):
        return False
    return bool(user_id) or "private" not in reply.values("Cache-Control")
