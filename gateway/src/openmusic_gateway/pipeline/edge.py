"""Responds from the edge cache."""

from openmusic_gateway.edge.cache import EdgeCache
from openmusic_gateway.edge.sending import send_cached
from openmusic_gateway.request import Request
from openmusic_kit.metrics import CACHE_LOOKUPS


class EdgeLookup:
    def __init__(self, cache: EdgeCache) -> None:
        self._cache = cache

    async def respond(self, request: Request) -> int | None:
        """The status of the response that was sent, or None if nothing usable is cached."""
        if not request.route.cacheable:
            return None
        entry = self._cache.get(request.cache_key)
        if entry is None:
            CACHE_LOOKUPS.add("edge", "miss")
            return None
        CACHE_LOOKUPS.add("edge", "hit")
        return await send_cached(request, entry)
