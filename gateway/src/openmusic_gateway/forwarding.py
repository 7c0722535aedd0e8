"""Sends a request to a replica of its service and streams the answer back."""

import logging
from typing import Any

import aiohttp
from yarl import URL

from openmusic_gateway import answers, headers
from openmusic_gateway.answers import Refused
from openmusic_gateway.body import Body
from openmusic_gateway.upstreams import Upstream

logger = logging.getLogger(__name__)

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
TRIES = 2


class AnswerBroken(Exception):
    """The service stopped in the middle of its answer, after its beginning had been passed on."""


class Forwarder:
    def __init__(self, session: aiohttp.ClientSession, upstreams: dict[str, Upstream]) -> None:
        self._session = session
        self._upstreams = upstreams

    async def forward(self, scope: dict[str, Any], body: Body, send: Any, service: str, request_id: str) -> int:
        """Returns the status that was passed on. Raises Refused when there is no answer to pass on."""
        upstream = self._upstreams[service]
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        passed = headers.to_service(scope, request_id)
        replicas = upstream.in_turn()
        for number in range(TRIES):
            replica = replicas[number % len(replicas)]
            last = number == TRIES - 1
            try:
                answer = await self._request(scope["method"], replica + target, passed, body)
            except aiohttp.ClientConnectorError as error:  # it cannot have been executed: anything may be repeated
                upstream.dead(replica)
                if last or body.small is None:
                    raise answers.unavailable(service) from error
            except (aiohttp.ServerTimeoutError, TimeoutError) as error:
                raise answers.timed_out(service) from error
            except (aiohttp.ClientError, OSError) as error:
                _raise_refusal_in(error)
                upstream.dead(replica)
                if last or scope["method"] not in IDEMPOTENT or body.small is None:
                    raise answers.bad_gateway(service) from error
            else:
                upstream.alive(replica)
                return await self._pass_on(answer, send, request_id)
        raise answers.unavailable(service)

    async def _request(
        self, method: str, url: str, passed: "aiohttp.typedefs.LooseHeaders", body: Body
    ) -> aiohttp.ClientResponse:
        data = body.stream() if body.small is None else body.small or None
        return await self._session.request(
            method, URL(url, encoded=True), headers=passed, data=data, allow_redirects=False
        )

    async def _pass_on(self, answer: aiohttp.ClientResponse, send: Any, request_id: str) -> int:
        try:
            raw = headers.to_client(answer.raw_headers, request_id)
            await send({"type": "http.response.start", "status": answer.status, "headers": raw})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.warning("answer broke off", extra={"error": repr(error)})
            raise AnswerBroken from error
        finally:
            answer.release()
        return answer.status


def _raise_refusal_in(error: BaseException) -> None:
    """Our own refusal of a body that streamed through the client comes back wrapped in the client's error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Refused):
            raise cause
        cause = cause.__cause__ or cause.__context__
