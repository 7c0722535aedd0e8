"""Sends a request to a replica of its service, and to another one if the first certainly did not carry it out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from openmusic_gateway import header_filters, responses
from openmusic_gateway.body import Body, ClientDisconnected
from openmusic_gateway.edge.generations import Generation
from openmusic_gateway.reply import Reply, until
from openmusic_gateway.request import Request
from openmusic_gateway.responses import HttpError
from openmusic_gateway.upstreams import Upstream

logger = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD"})  # RFC 9110, section 9.2.1: executing them twice changes nothing
MAX_ATTEMPTS = 2  # that took time; a refused connection takes none


class Forwarder:
    """Repeats what was never sent, and what is safe to repeat.

    A PUT or DELETE that was sent is not repeated: it could undo what another client changed meanwhile, and a repeated
    DELETE would find nothing to delete, and so nothing to purge.

    ``connect_timeout`` and ``timeout`` are seconds to connect to a replica, and for the service to respond."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        upstreams: dict[str, Upstream],
        connect_timeout: float,
        timeout: float,
    ) -> None:
        self._session = session
        self._upstreams = upstreams
        self._timeout = timeout
        self._buffered_timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=timeout)
        self._streamed_timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)

    def deadline(self) -> float:
        """When the response to a request that is forwarded now must have started, as a time of the event loop."""
        return asyncio.get_running_loop().time() + self._timeout

    async def check_ready(self, service: str) -> None:
        """Raises when a replica is not ready."""
        replica = self._upstreams[service].to_check()
        async with self._session.get(f"{replica}/health/ready") as response:
            response.raise_for_status()

    async def generation(self, service: str) -> Generation:
        """What a replica says. Raises ClientError, OSError or ValidationError."""
        replica = self._upstreams[service].to_check()
        async with self._session.get(f"{replica}/health/cache-generation", raise_for_status=True) as response:
            return Generation.model_validate_json(await response.read())

    async def forward(self, request: Request, body: Body, deadline: float) -> Reply:
        """The service's response as it starts. Raises HttpError when there is none.

        All attempts together end at the deadline, unless the client is still sending the body.
        """
        service, method = request.route.service, request.route.method
        upstream = self._upstreams[service]
        target = _target(request)
        headers = header_filters.to_service(request)
        replicas = upstream.round_robin()
        attempts = 0
        for replica in replicas if len(replicas) > 1 else replicas * MAX_ATTEMPTS:
            try:
                response, first = await self._attempt(method, replica + target, headers, body, deadline)
            except aiohttp.ClientConnectorError:
                upstream.mark_down(replica)
            except aiohttp.ConnectionTimeoutError as error:
                upstream.mark_down(replica)  # nothing was sent, so any method may be repeated
                attempts += 1
                if attempts == MAX_ATTEMPTS:
                    raise responses.timed_out(service) from error
            except (aiohttp.ServerTimeoutError, TimeoutError) as error:
                upstream.mark_down(replica)  # the next requests should not wait for a replica that hangs
                raise responses.timed_out(service) from error
            except aiohttp.ClientResponseError as error:  # it responded, and would respond in the same way again
                logger.warning("response is not HTTP", extra={"service": service, "error": repr(error)})
                raise responses.bad_gateway(service) from error
            except (aiohttp.ClientError, OSError) as error:
                _raise_own_error_in(error)
                upstream.mark_down(replica)
                attempts += 1
                if attempts == MAX_ATTEMPTS or method not in SAFE_METHODS or body.buffered is None:
                    raise responses.bad_gateway(service) from error
            else:
                upstream.mark_up(replica)
                return Reply(response, first)
        raise responses.unavailable(service)

    async def _attempt(
        self, method: str, url: str, headers: CIMultiDict[str], body: Body, deadline: float
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """The response and the first chunk of its body: if a service dies between the two, another can take over."""
        if body.buffered is not None:
            async with until(deadline):
                return await self._exchange(method, url, headers, body.buffered or None, self._buffered_timeout)
        async with asyncio.timeout(None) as limit:
            return await self._exchange(method, url, headers, self._timed(body, limit), self._streamed_timeout)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: CIMultiDict[str],
        data: bytes | AsyncIterator[bytes] | None,
        limits: aiohttp.ClientTimeout,
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        response = await self._session.request(
            method, URL(url, encoded=True), headers=headers, data=data, timeout=limits, allow_redirects=False
        )
        try:
            return response, await response.content.readany()
        except BaseException:
            response.close()
            raise

    async def _timed(self, body: Body, limit: asyncio.Timeout) -> AsyncIterator[bytes]:
        """The service's time runs while it takes a chunk and after the last one, not while the client sends."""
        now = asyncio.get_running_loop().time
        with suppress(RuntimeError):  # the service has responded already, so the timeout is over
            async for chunk in body.stream():
                limit.reschedule(now() + self._timeout)
                yield chunk
                limit.reschedule(None)
            limit.reschedule(now() + self._timeout)


def _target(request: Request) -> str:
    path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _raise_own_error_in(error: BaseException) -> None:
    """aiohttp wraps what the streamed body raises in an error of its own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HttpError | ClientDisconnected):
            raise cause
        cause = cause.__cause__ or cause.__context__
