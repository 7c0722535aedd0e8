"""Sends a request to a replica of its service and streams the answer back."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
from yarl import URL

from openmusic_gateway import answers, headers
from openmusic_gateway.answers import Refused
from openmusic_gateway.body import Body, ClientGone
from openmusic_gateway.upstreams import Upstream

logger = logging.getLogger(__name__)

SAFE = frozenset({"GET", "HEAD"})  # RFC 9110, section 9.2.1: to carry them out twice changes nothing
TRIES = 2
SHORTEST = 0.05  # seconds that a try gets at the least


class AnswerBroken(Exception):
    """The service stopped in the middle of its answer, after its beginning had been passed on."""


class Reply:
    """The answer of a service whose body may still be on its way; it must be passed on, read or abandoned."""

    def __init__(self, answer: aiohttp.ClientResponse, first: bytes) -> None:
        self._answer = answer
        self._first = first

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> headers.Raw:
        return self._answer.raw_headers

    def named(self, header: str) -> list[str]:
        """The comma-separated values of a header."""
        return [each.strip() for each in self._answer.headers.get(header, "").split(",") if each.strip()]

    async def pass_on(self, send: Any, request_id: str) -> int:
        """Streams it to the client and returns its status."""
        answer, chunk = self._answer, self._first
        try:
            raw = [*headers.to_client(answer.raw_headers), (b"x-request-id", request_id.encode())]
            await send({"type": "http.response.start", "status": answer.status, "headers": raw})
            while not answer.content.at_eof():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await answer.content.readany()
            await send({"type": "http.response.body", "body": chunk})
        except Exception as error:  # whatever it was, the client must not take what it has for the whole
            logger.warning("answer broke off", extra={"error": repr(error)})
            raise AnswerBroken from error
        finally:
            answer.release()
        return answer.status

    def abandon(self) -> None:
        self._answer.close()

    async def whole(self, service: str, limit: int, deadline: float) -> bytes | None:
        """All of its body; None if that is more than ``limit`` bytes, and then it must still be passed on.

        Raises Refused when it breaks off, or is not there by the deadline.
        """
        content = self._answer.content
        chunks, size = [self._first], len(self._first)
        try:
            async with _until(deadline):
                while size <= limit and not content.at_eof():
                    chunks.append(await content.readany())
                    size += len(chunks[-1])
        except TimeoutError as error:
            self.abandon()
            raise answers.timed_out(service) from error
        except (aiohttp.ClientError, OSError) as error:
            self.abandon()
            raise answers.bad_gateway(service) from error
        except BaseException:
            self.abandon()
            raise
        self._first = b"".join(chunks)
        if size > limit:
            return None
        self._answer.release()
        return self._first


class Forwarder:
    """What certainly was not carried out is tried again: anything that was never sent, and what is safe to repeat.

    A PUT or DELETE that was sent is not: meanwhile another client may have changed what it would change back, and a
    DELETE that is repeated finds nothing to delete, and so nothing to purge.

    ``connect_timeout`` and ``timeout`` are seconds that a replica has to be reached, and the service to answer."""

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
        self._with_whole_body = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=timeout)
        self._with_stream = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)

    def deadline(self) -> float:
        """When what is asked now must begin to be answered, by the event loop's clock."""
        return asyncio.get_running_loop().time() + self._timeout

    async def ask(
        self, scope: dict[str, Any], body: Body, service: str, request_id: str, address: str, deadline: float
    ) -> Reply:
        """The service's answer as it begins. Raises Refused when there is none.

        However often it is tried, it ends at the deadline; a body that is still coming has more time.
        """
        upstream = self._upstreams[service]
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        passed = headers.to_service(scope, request_id, address)
        replicas = upstream.in_turn()
        tries = 0  # those that took time; to be refused a connection does not
        for replica in replicas if len(replicas) > 1 else replicas * TRIES:
            try:
                answer, first = await self._request(scope["method"], replica + target, passed, body, deadline)
            except aiohttp.ClientConnectorError:
                upstream.dead(replica)
            except aiohttp.ConnectionTimeoutError as error:
                upstream.dead(replica)  # nothing was sent: anything may be repeated
                tries += 1
                if tries == TRIES:
                    raise answers.timed_out(service) from error
            except (aiohttp.ServerTimeoutError, TimeoutError) as error:
                upstream.dead(replica)  # if it hangs, the next requests should not wait as long as this one did
                raise answers.timed_out(service) from error
            except aiohttp.ClientResponseError as error:  # it answered, and would answer so again
                logger.warning("answer is not HTTP", extra={"service": service, "error": repr(error)})
                raise answers.bad_gateway(service) from error
            except (aiohttp.ClientError, OSError) as error:
                _raise_own_error_in(error)
                upstream.dead(replica)
                tries += 1
                if tries == TRIES or scope["method"] not in SAFE or body.small is None:
                    raise answers.bad_gateway(service) from error
            else:
                upstream.alive(replica)
                return Reply(answer, first)
        raise answers.unavailable(service)

    async def _request(
        self, method: str, url: str, passed: "aiohttp.typedefs.LooseHeaders", body: Body, deadline: float
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """The answer and the first piece of its body: a service that dies between the two can still be replaced."""
        if body.small is not None:
            async with _until(deadline):
                return await self._exchange(method, url, passed, body.small or None, self._with_whole_body)
        async with asyncio.timeout(None) as limit:
            return await self._exchange(method, url, passed, self._timed(body, limit), self._with_stream)

    async def _exchange(
        self, method: str, url: str, passed: "aiohttp.typedefs.LooseHeaders", data: Any, limits: aiohttp.ClientTimeout
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        answer = await self._session.request(
            method, URL(url, encoded=True), headers=passed, data=data, timeout=limits, allow_redirects=False
        )
        try:
            return answer, await answer.content.readany()
        except BaseException:
            answer.close()
            raise

    async def _timed(self, body: Body, limit: asyncio.Timeout) -> AsyncIterator[bytes]:
        """The service's time runs while it has a piece to take or all of them to answer, not while the client sends."""
        now = asyncio.get_running_loop().time
        with suppress(RuntimeError):  # the service has answered already, so that there is no limit any more
            async for piece in body.stream():
                limit.reschedule(now() + self._timeout)
                yield piece
                limit.reschedule(None)
            limit.reschedule(now() + self._timeout)


def _until(deadline: float) -> asyncio.Timeout:
    return asyncio.timeout_at(max(deadline, asyncio.get_running_loop().time() + SHORTEST))


def _raise_own_error_in(error: BaseException) -> None:
    """What went wrong with the body that was streaming comes back wrapped in the error of the HTTP client."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Refused | ClientGone):
            raise cause
        cause = cause.__cause__ or cause.__context__
