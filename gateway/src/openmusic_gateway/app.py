"""Builds the gateway: an ASGI application without a framework around it."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial

from openmusic_gateway.asgi import LifespanApp
from openmusic_gateway.edge.cache import EdgeCache
from openmusic_gateway.edge.channel import Listener, PurgeChannel
from openmusic_gateway.edge.generations import Generations
from openmusic_gateway.forwarding import Forwarder
from openmusic_gateway.limits.clients import Clients, networks
from openmusic_gateway.limits.counting import Counters
from openmusic_gateway.pipeline.cors import Cors, origins
from openmusic_gateway.pipeline.edge import EdgeLookup
from openmusic_gateway.pipeline.headers import HeaderCheck
from openmusic_gateway.pipeline.limit import AttemptLimit, BodyLimit, RateLimit
from openmusic_gateway.pipeline.own_endpoints import OwnEndpoints
from openmusic_gateway.pipeline.pipeline import Pipeline
from openmusic_gateway.pipeline.proxy import Proxy
from openmusic_gateway.pipeline.route import Router
from openmusic_gateway.pipeline.token import TokenCheck
from openmusic_gateway.routes import ANNOUNCING
from openmusic_gateway.service_session import service_session
from openmusic_gateway.settings import Settings
from openmusic_gateway.upstreams import Upstream, resolving
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.identity.token_verification import open_token_verifier
from openmusic_kit.metrics import serving_metrics
from openmusic_kit.web.access_log import AccessLog
from openmusic_kit.web.health import HardCheck, Health, SoftCheck

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> LifespanApp:
    return LifespanApp(_open_pipeline(settings or Settings()))


@asynccontextmanager
async def _open_pipeline(settings: Settings) -> AsyncIterator[Pipeline]:
    upstreams = {
        "auth": Upstream.parse(settings.auth_url),
        "catalog": Upstream.parse(settings.catalog_url),
        "playlist": Upstream.parse(settings.playlist_url),
        "media": Upstream.parse(settings.media_url),
        "export": Upstream.parse(settings.export_url),
    }

    def open_channel(listener: Listener) -> PurgeChannel:
        return PurgeChannel(open_redis(settings), open_redis(settings, retries=0), listener)

    async with AsyncExitStack() as stack:
        access_log = None
        if logger.isEnabledFor(logging.INFO):
            access_log = AccessLog("gateway", asyncio.get_running_loop().call_later, sys.stdout)
            stack.callback(access_log.flush)
        await stack.enter_async_context(resolving(list(upstreams.values())))
        verifier = await stack.enter_async_context(open_token_verifier(settings))
        session = await stack.enter_async_context(service_session())
        forwarder = Forwarder(session, upstreams, settings.connect_timeout, settings.upstream_timeout)
        open_generations = partial(Generations, ANNOUNCING, forwarder.generation)
        cache = EdgeCache(settings.edge_cache_bytes, open_channel, open_generations)
        await stack.enter_async_context(cache.running())
        counters = Counters(open_redis(settings, retries=0), settings.limit_wait)
        await stack.enter_async_context(aclosing(counters))
        checks = {name: SoftCheck(partial(forwarder.check_ready, name)) for name in upstreams}
        await stack.enter_async_context(serving_metrics("gateway", settings, workers=settings.workers))
        yield Pipeline(
            access_log=access_log,
            headers=HeaderCheck(settings.header_limit, settings.hsts_age),
            cors=Cors(origins(settings.cors_origins)),
            router=Router(),
            own_endpoints=OwnEndpoints(Health({"signing keys": HardCheck(verifier.ready), **checks})),
            tokens=TokenCheck(verifier),
            clients=Clients(networks(settings.trusted_proxies)),
            edge=EdgeLookup(cache),
            rates=RateLimit(settings, counters.add_in_window),
            bodies=BodyLimit(settings),
            attempts=AttemptLimit(settings, counters),
            proxy=Proxy(forwarder, cache),
        )
