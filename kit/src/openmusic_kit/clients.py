"""HTTP between services: short timeouts, one more try for what may be repeated, never a hang."""

import logging
from types import TracebackType
from typing import Any, Self

import httpx
import stamina
from httpx_aiohttp import AiohttpTransport

from openmusic_kit.context import request_id
from openmusic_kit.errors import Unavailable
from openmusic_kit.identity import CREDENTIAL_HEADER

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(2.0, connect=1.0)
ATTEMPTS = 2


class ServiceClient:
    """Calls another service's internal routes."""

    def __init__(self, name: str, base_url: str, credential: str) -> None:
        self._name = name
        self._http = httpx.AsyncClient(
            base_url=base_url, timeout=TIMEOUT, headers={CREDENTIAL_HEADER: credential}, transport=AiohttpTransport()
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def get(self, path: str) -> httpx.Response:
        """The answer if it is 2xx or 404; whatever else happens, twice, is Unavailable."""
        return await self._send("GET", path, repeat_on=(httpx.TransportError, _Refused))

    async def put(self, path: str, json: Any) -> httpx.Response:
        """Like :meth:`get`, but repeated only if it was never sent: a repeat could undo what another did meanwhile.

        After Unavailable it is not known whether the other side did it.
        """
        return await self._send("PUT", path, json, repeat_on=(httpx.ConnectError, httpx.ConnectTimeout))

    async def _send(
        self, method: str, path: str, json: Any = None, *, repeat_on: tuple[type[Exception], ...]
    ) -> httpx.Response:
        try:
            async for attempt in stamina.retry_context(
                on=repeat_on, attempts=ATTEMPTS, wait_initial=0.05, wait_max=0.2
            ):
                with attempt:
                    answer = await self._http.request(
                        method, path, json=json, headers={"X-Request-ID": request_id.get()}
                    )
                    if answer.status_code >= 500:
                        raise _Refused(answer.status_code)
        except (httpx.TransportError, _Refused) as error:
            logger.warning("call failed", extra={"peer": self._name, "path": path, "error": repr(error)})
            raise Unavailable(f"{self._name} is not available") from error
        if answer.is_success or answer.status_code == 404:
            return answer
        logger.error("unexpected answer", extra={"peer": self._name, "path": path, "status": answer.status_code})
        raise Unavailable(f"{self._name} refused the call")


class _Refused(Exception):
    """The other service answered, but with a failure of its own."""
