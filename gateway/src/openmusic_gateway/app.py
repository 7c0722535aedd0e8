"""The gateway as a bare ASGI application: route, check the token, forward."""

import asyncio
import logging
import re
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib import resources
from typing import Any

import aiohttp

from openmusic_gateway import answers, headers
from openmusic_gateway.answers import Refused
from openmusic_gateway.body import Body, ClientGone, WhileClientWaits
from openmusic_gateway.cors import Cors, origins, send_preflight
from openmusic_gateway.edge.cache import EdgeCache
from openmusic_gateway.edge.channel import PurgeChannel
from openmusic_gateway.forwarding import AnswerBroken, Forwarder
from openmusic_gateway.limits.clients import UNKNOWN, Clients, networks
from openmusic_gateway.limits.counting import Counts
from openmusic_gateway.limits.gate import Gate
from openmusic_gateway.proxying import Proxy, Request
from openmusic_gateway.routes import Route, RouteTable
from openmusic_gateway.service_session import service_session
from openmusic_gateway.settings import Settings
from openmusic_gateway.upstreams import Upstream, resolving
from openmusic_kit.cache.redis_client import open_redis
from openmusic_kit.context import new_request_id
from openmusic_kit.context import request_id as request_id_variable
from openmusic_kit.errors import ServiceError, Unauthenticated
from openmusic_kit.identity.token_verification import open_token_verifier
from openmusic_kit.identity.token_verifier import TokenVerifier, bearer_token
from openmusic_kit.web.access_log import AccessLog
from openmusic_kit.web.health import HardCheck, Health, SoftCheck

logger = logging.getLogger(__name__)

_GIVEN_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
MAX_HEADERS = 100
OWN_ROUTES = frozenset({"/health/live", "/health/ready", "/openapi.json"})
OWN_METHODS = ("GET", "HEAD")


class Gateway:
    """Call :meth:`open` before the first request; the ASGI lifespan protocol does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._routes = RouteTable()
        self._upstreams = {
            "auth": Upstream.of(settings.auth_url),
            "catalog": Upstream.of(settings.catalog_url),
            "playlist": Upstream.of(settings.playlist_url),
            "media": Upstream.of(settings.media_url),
            "export": Upstream.of(settings.export_url),
        }
        self._cors = Cors(origins(settings.cors_origins))
        self._on_every_answer = _transport_security(settings.hsts_age)
        self._clients = Clients(networks(settings.trusted_proxies))
        self._document = resources.files(__package__).joinpath("openapi.json").read_bytes()
        self._stack = AsyncExitStack()
        self._access_log: AccessLog | None = None
        self._verifier: TokenVerifier
        self._proxy: Proxy
        self._gate: Gate
        self._health: Health

    async def open(self) -> None:
        settings = self._settings
        if logger.isEnabledFor(logging.INFO):
            self._access_log = AccessLog("gateway", asyncio.get_running_loop().call_later, sys.stdout)
            self._stack.callback(self._access_log.flush)
        await self._stack.enter_async_context(resolving(list(self._upstreams.values())))
        self._verifier = await self._stack.enter_async_context(open_token_verifier(settings))
        session = await self._stack.enter_async_context(service_session())
        forwarder = Forwarder(session, self._upstreams, settings.connect_timeout, settings.upstream_timeout)
        edge = EdgeCache(settings.edge_cache_bytes, self._open_channel)
        await self._stack.enter_async_context(edge.running())
        self._proxy = Proxy(forwarder, edge)
        counts = Counts(open_redis(settings, retries=0), settings.limit_wait)
        self._stack.push_async_callback(counts.aclose)
        self._gate = Gate(settings, counts)
        checks = {name: SoftCheck(self._check(session, name)) for name in self._upstreams}
        self._health = Health({"signing keys": HardCheck(self._verifier.ready), **checks})

    def _open_channel(self, on_purge: Callable[[list[str]], None], on_silence: Callable[[], None]) -> PurgeChannel:
        return PurgeChannel(open_redis(self._settings), open_redis(self._settings, retries=0), on_purge, on_silence)

    async def close(self) -> None:
        await self._stack.aclose()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        started = time.perf_counter()
        given = dict(scope["headers"])
        request_id = _request_id(given.get(b"x-request-id", b""))
        request_id_variable.set(request_id)
        if more := [*self._on_every_answer, *self._cors.headers(given.get(b"origin"))]:
            send = headers.adding(send, more)
        status = 0
        try:
            status = await self._answer(scope, given, receive, send, request_id)
        except Refused as refused:
            status = refused.status
            await answers.send_refusal(send, refused, request_id)
        except ClientGone:
            status = 499  # as nginx calls a client that did not wait
        except AnswerBroken:
            status = 502
            raise  # the server then cuts the connection, so that the client knows
        except Exception:  # nothing was sent yet: what breaks after that is an AnswerBroken
            logger.exception("unexpected error")
            status = 500
            await answers.send_refusal(send, Refused(500, answers.UNEXPECTED), request_id)
        finally:
            if self._access_log is not None:
                seconds = time.perf_counter() - started
                self._access_log.add(scope["method"], scope["path"], status, seconds, request_id)

    async def _answer(
        self, scope: dict[str, Any], given: dict[bytes, bytes], receive: Any, send: Any, request_id: str
    ) -> int:
        path = scope["raw_path"].decode("latin-1")
        self._check_headers(scope, given)
        if scope["method"] == "OPTIONS":
            return await self._tell_options(path, given, send, request_id)
        if path in OWN_ROUTES:
            if scope["method"] not in OWN_METHODS:
                raise answers.method_not_allowed(OWN_METHODS)
            return await self._answer_itself(path, send, request_id)
        route = self._find(scope["method"], path)
        if scope["method"] == "HEAD":
            scope = {**scope, "method": route.method}
        user_id = await self._user(scope["headers"]) if route.protected else ""
        request = Request(scope, given, send, route, user_id, request_id, self._address(scope))
        if (status := await self._proxy.answer_from_edge(request)) is not None:
            return status
        self._gate.admit(request)
        limit = self._settings.cover_body_limit if route.upload else self._settings.body_limit
        body = Body(receive, given, limit, self._settings.body_timeout)
        await body.prepare()
        deadline = self._proxy.deadline()
        async with self._gate.passing(request, body, deadline) as passed:
            with WhileClientWaits(body):
                return await self._proxy.answer(passed, body, deadline)

    def _address(self, scope: dict[str, Any]) -> str:
        client = scope.get("client")
        return self._clients.address(client[0], scope["headers"]) if client else UNKNOWN

    async def _user(self, headers: list[tuple[bytes, bytes]]) -> str:
        tokens = [value for name, value in headers if name == b"authorization"]
        if len(tokens) > 1:  # the service could take another one for the one that counts
            raise answers.of(Unauthenticated("Only one access token may be sent"))
        try:
            return await self._verifier.verify(bearer_token(tokens[0].decode("latin-1") if tokens else None))
        except ServiceError as error:
            raise answers.of(error) from error

    async def _tell_options(self, path: str, given: dict[bytes, bytes], send: Any, request_id: str) -> int:
        """What may be asked of a path, for a browser on behalf of a page or for anybody; it needs no token."""
        methods = OWN_METHODS if path in OWN_ROUTES else tuple(self._methods(path))
        if self._cors.is_preflight(given):
            return await send_preflight(send, methods, request_id)
        return await answers.send_options(send, methods, request_id)

    def _methods(self, path: str) -> dict[str, Route]:
        methods = self._routes.match(path)
        if not methods:
            raise Refused(404, answers.NOT_FOUND)
        return methods

    def _find(self, method: str, path: str) -> Route:
        methods = self._methods(path)
        if method not in methods:
            raise answers.method_not_allowed(methods)
        return methods[method]

    def _check_headers(self, scope: dict[str, Any], given: dict[bytes, bytes]) -> None:
        raw = scope["headers"]
        size = sum(len(name) + len(value) for name, value in raw)
        if len(raw) > MAX_HEADERS or size > self._settings.header_limit:
            raise Refused(431, answers.HEADERS_TOO_LARGE)
        if b"host" not in given:
            if scope["http_version"] != "1.0":
                raise Refused(400, answers.ONE_HOST)
        elif len(given) < len(raw) and [name for name, _ in raw].count(b"host") > 1:
            raise Refused(400, answers.ONE_HOST)

    async def _answer_itself(self, path: str, send: Any, request_id: str) -> int:
        if path == "/openapi.json":
            await answers.send_content(send, 200, self._document, {}, request_id)
            return 200
        if path == "/health/live":
            await answers.send_json(send, 200, {"status": "success", "message": "alive"}, {}, request_id)
            return 200
        report = await self._health.report()
        data = {"data": {"dependencies": report.dependencies}}
        if report.ready:
            await answers.send_json(send, 200, {"status": "success", **data}, {}, request_id)
            return 200
        message = f"Not ready: {', '.join(report.missing)} missing"
        headers = {"Retry-After": "1"}
        await answers.send_json(send, 503, {"status": "error", "message": message, **data}, headers, request_id)
        return 503

    def _check(self, session: aiohttp.ClientSession, name: str) -> Any:
        async def check() -> None:
            replica = self._upstreams[name].in_turn()[0]
            async with session.get(f"{replica}/health/ready") as answer:
                answer.raise_for_status()

        return check

    async def _lifespan(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.open()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _request_id(given: bytes) -> str:
    return given.decode() if _GIVEN_REQUEST_ID.fullmatch(given) else new_request_id()


def _transport_security(age: int) -> list[tuple[bytes, bytes]]:
    return [(b"strict-transport-security", b"max-age=%d" % age)] if age else []


def create_app(settings: Settings | None = None) -> Gateway:
    return Gateway(settings or Settings())
