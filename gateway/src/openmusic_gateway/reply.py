"""A service's response, whose body may still be on its way."""

import asyncio
import logging
from collections.abc import Iterable

import aiohttp

from openmusic_gateway import header_filters, responses
from openmusic_gateway.request import Request

logger = logging.getLogger(__name__)

MIN_TIME = 0.05  # seconds that an attempt or a read gets, however near its deadline is


class UpstreamInterrupted(Exception):
    """The response broke off after its start had been sent to the client."""


class Reply:
    """Must be streamed, read or closed. ``first`` is the first chunk of its body."""

    def __init__(self, response: aiohttp.ClientResponse, first: bytes) -> None:
        self._response = response
        self._first = first

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Iterable[tuple[bytes, bytes]]:
        return self._response.raw_headers

    @property
    def etag(self) -> bytes | None:
        """The entity tag of what GET asked for, if it has one."""
        if self.status != 200:
            return None
        return next((value for name, value in self.headers if name.lower() == b"etag"), None)

    def values(self, header: str) -> list[str]:
        """The comma-separated values of a header."""
        return [each.strip() for each in self._response.headers.get(header, "").split(",") if each.strip()]

    async def stream(self, request: Request) -> int:
        """Sends it to the client and returns its status. Raises UpstreamInterrupted when it breaks off."""
        response, chunk, send = self._response, self._first, request.send
        try:
            headers = [*header_filters.to_client(response.raw_headers), (b"x-request-id", request.id.encode())]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            while not response.content.at_eof():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await response.content.readany()
            await send({"type": "http.response.body", "body": chunk})
        except Exception as error:  # whatever it is, the client must not take a part for the whole
            logger.warning("response interrupted", extra={"error": repr(error)})
            raise UpstreamInterrupted from error
        finally:
            response.release()
        return response.status

    def close(self) -> None:
        self._response.close()

    async def read(self, service: str, limit: int, deadline: float) -> bytes | None:
        """The whole body, or None if it has more than ``limit`` bytes: then it must still be streamed or closed.

        Raises HttpError when it breaks off (502) or has not ended by the deadline (504).
        """
        content = self._response.content
        chunks, size = [self._first], len(self._first)
        try:
            async with until(deadline):
                while size <= limit and not content.at_eof():
                    chunks.append(await content.readany())
                    size += len(chunks[-1])
        except TimeoutError as error:
            self.close()
            raise responses.timed_out(service) from error
        except (aiohttp.ClientError, OSError) as error:
            self.close()
            raise responses.bad_gateway(service) from error
        except BaseException:
            self.close()
            raise
        self._first = b"".join(chunks)
        if size > limit:
            return None
        self._response.release()
        return self._first


def until(deadline: float) -> asyncio.Timeout:
    """A timeout at the deadline, a time of the event loop, but not before MIN_TIME has passed."""
    return asyncio.timeout_at(max(deadline, asyncio.get_running_loop().time() + MIN_TIME))
