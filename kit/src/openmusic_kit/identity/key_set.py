"""The public keys of the issuer (a JWK set, RFC 7517), fetched once for everyone who waits for them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import jwt

from openmusic_kit import tasks
from openmusic_kit.errors import Unauthenticated, Unavailable

logger = logging.getLogger(__name__)

KEYS_LIFETIME = 60.0  # seconds after which the key set is fetched again, so that a withdrawn key stops working
REFETCH_COOLDOWN = 1.0  # seconds between fetches, however many unknown keys are presented
FETCH_TIMEOUT = 2.0  # seconds for a whole fetch
MAX_WAIT = FETCH_TIMEOUT + REFETCH_COOLDOWN + FETCH_TIMEOUT
"""Seconds that a token waits for its key at most: a fetch that began before it came, the cooldown, the next fetch."""

KeySource = Callable[[], Awaitable[bytes]]
"""Fetches the issuer's JWK set. Raises Unavailable."""


class KeySet:
    """Keeps the keys it has when the issuer does not answer: tokens stay valid while it is down."""

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._published: bytes | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetching: asyncio.Task[bool] | None = None
        self._started = 0  # fetches
        self._confirmed = 0  # the last fetch that succeeded
        self._failed = False
        self._rested_at = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Renews the keys in the background, so that no request whose key is known waits for it."""
        renewing = asyncio.create_task(self._renew_for_ever(), name="key-set")
        try:
            yield
        finally:
            await tasks.stop(renewing, *([self._fetching] if self._fetching else []))

    def __bool__(self) -> bool:
        return bool(self._keys)

    def known(self, key_id: str) -> jwt.PyJWK | None:
        return self._keys.get(key_id)

    async def find(self, key_id: str) -> jwt.PyJWK:
        """Raises Unauthenticated if a fetch that began after this call does not have it, Unavailable if that fails."""
        started = self._started
        while (key := self._keys.get(key_id)) is None:
            if self._confirmed > started:
                raise Unauthenticated
            await self.fetch()
        return key

    async def fetch(self) -> None:
        """Joins the fetch under way, or starts one as soon as the cooldown is over. Raises Unavailable."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), name="signing-keys")
        fetching = self._fetching
        await asyncio.wait([fetching])  # a cancellation ends this wait, not the fetch
        if fetching.cancelled() or not fetching.result():
            raise Unavailable("Tokens cannot be verified at the moment")

    async def _fetch(self) -> bool:
        await asyncio.sleep(max(0.0, self._rested_at - time.monotonic()))
        self._started += 1
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                self._keep(await self._source())
        except Exception as error:  # no answer, or one that cannot be understood
            if not self._failed:
                logger.warning("signing keys could not be fetched", extra={"error": repr(error)})
            self._failed = True
        else:
            self._confirmed = self._started
            self._failed = False
        self._rested_at = time.monotonic() + REFETCH_COOLDOWN
        return not self._failed

    def _keep(self, published: bytes) -> None:
        if published != self._published:
            keys = jwt.PyJWKSet.from_json(published.decode()).keys
            self._keys = {key.key_id: key for key in keys if key.key_id}
            self._published = published

    async def _renew_for_ever(self) -> None:
        while True:
            with suppress(Unavailable):
                await self.fetch()
            await asyncio.sleep(KEYS_LIFETIME if self else REFETCH_COOLDOWN)
