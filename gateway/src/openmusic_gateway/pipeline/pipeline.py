"""Takes a request through the stages, from its headers to the service's response."""

import logging
import time
from dataclasses import dataclass

from openmusic_gateway import responses
from openmusic_gateway.asgi import HTTPScope, Receive, Send
from openmusic_gateway.body import CancelOnDisconnect, ClientDisconnected
from openmusic_gateway.header_filters import adding
from openmusic_gateway.limits.clients import Clients
from openmusic_gateway.pipeline.cors import Cors
from openmusic_gateway.pipeline.edge import EdgeLookup
from openmusic_gateway.pipeline.headers import HeaderCheck, request_id_from
from openmusic_gateway.pipeline.limit import AttemptLimit, BodyLimit, RateLimit
from openmusic_gateway.pipeline.own_endpoints import OwnEndpoints
from openmusic_gateway.pipeline.proxy import Proxy
from openmusic_gateway.pipeline.route import Router
from openmusic_gateway.pipeline.token import TokenCheck
from openmusic_gateway.pipeline.visit import Visit
from openmusic_gateway.reply import UpstreamInterrupted
from openmusic_gateway.request import Request
from openmusic_gateway.responses import HttpError
from openmusic_gateway.routes import GATEWAY
from openmusic_kit.context import request_id as request_id_variable
from openmusic_kit.web.access_log import AccessLog

logger = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499  # as nginx logs it


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Its fields are in the order in which a request meets them."""

    access_log: AccessLog | None
    headers: HeaderCheck
    cors: Cors
    router: Router
    own_endpoints: OwnEndpoints
    tokens: TokenCheck
    clients: Clients
    edge: EdgeLookup
    rates: RateLimit
    bodies: BodyLimit
    attempts: AttemptLimit
    proxy: Proxy

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = request_id_from(headers)
        request_id_variable.set(request_id)
        if extra := [*self.headers.on_every_response, *self.cors.headers(headers.get(b"origin"))]:
            send = adding(send, extra)
        visit = Visit(self.clients.address(scope["client"], scope["headers"]))
        status = 0
        try:
            status = await self._respond(visit, scope, headers, receive, send, request_id)
        except HttpError as error:
            status = await responses.send_error(send, request_id, scope["headers"], error, visit.limits)
        except ClientDisconnected:
            status = CLIENT_CLOSED_REQUEST
        except UpstreamInterrupted:
            status = 502
            raise  # the server closes the connection, which tells the client
        except Exception:  # nothing was sent yet: later failures raise UpstreamInterrupted
            logger.exception("unexpected error")
            failed = HttpError(500, responses.UNEXPECTED)
            status = await responses.send_error(send, request_id, scope["headers"], failed, visit.limits)
        finally:
            seconds = time.perf_counter() - started
            visit.count(scope["method"], status, seconds)
            if self.access_log is not None:
                members = visit.as_members()
                self.access_log.add(scope["method"], scope["path"], status, seconds, request_id, members)

    async def _respond(
        self,
        visit: Visit,
        scope: HTTPScope,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        request_id: str,
    ) -> int:
        """Returns the status of the response that was sent."""
        self.headers.check(scope, headers)
        methods = self.router.match(scope["raw_path"])
        if scope["method"] == "OPTIONS":
            return await self.cors.send_options(send, request_id, headers, methods)
        visit.route = route = self.router.select(methods, scope["method"])
        if route.service == GATEWAY:
            return await self.own_endpoints.respond(route, scope["path"], headers, send, request_id)
        if route.protected:
            visit.user_id = await self.tokens.user_id(scope["headers"])
        request = Request(scope, headers, receive, send, route, visit.user_id, request_id, visit.address)
        if (status := await self.edge.respond(request)) is not None:
            return status
        visit.limits = self.rates.admit(request)
        request.send = adding(send, responses.encoded(visit.limits))
        body = await self.bodies.open(request)
        deadline = self.proxy.deadline()
        async with self.attempts.limited(request, body, deadline) as limited:
            with CancelOnDisconnect(body):
                return await self.proxy.respond(limited, body, deadline)
