"""Signing keys: one signs, and those before it stay published until the tokens they signed have expired."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from uuid_utils import uuid7

from openmusic_auth.keys.errors import SigningKeyUnreadable
from openmusic_auth.keys.repository import KeyRepository
from openmusic_kit import tasks
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unavailable

logger = logging.getLogger(__name__)

RELOAD_INTERVAL = 3.0  # seconds after which a rotation is noticed
PUBLISH_AHEAD = (
    10  # seconds that a key is published before it signs, so that no copy signs with what others do not know
)
LEEWAY = 60  # seconds beyond the age of a token that its key stays published; more than the two above


class SigningKeys:
    def __init__(self, database: Database, secret: str, token_age: int) -> None:
        self._database = database
        self._secret = secret.encode()
        self._token_age = token_age
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._current = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps up with rotations. A wrong secret ends the start; a missing database only delays it."""
        try:
            await self.reload()
        except Unavailable as error:
            logger.warning("signing keys will be read later", extra={"error": repr(error)})
        reloading = asyncio.create_task(self._reload_for_ever(), name="signing-keys")
        try:
            yield
        finally:
            await tasks.stop(reloading)

    def current(self) -> tuple[str, Ed25519PrivateKey]:
        """The key id and the key that signs. Raises Unavailable before any could be read."""
        if not self._current:
            raise Unavailable("Signing keys are not available")
        return self._current, self._keys[self._current]

    def published(self) -> dict[str, Any]:
        """The JWK set (RFC 7517). Raises Unavailable before any key could be read."""
        if not self._keys:
            raise Unavailable("Signing keys are not available")
        return {"keys": [_public(kid, key) for kid, key in self._keys.items()]}

    async def rotate(self) -> str:
        """Adds a key that signs as soon as every copy publishes it. Returns its id; raises SigningKeyUnreadable."""
        await self.reload()  # a key encrypted with another secret than the others would lock every copy out
        kid, private_key = await self._generate()
        async with self._database.unit_of_work() as work:
            keys = KeyRepository(work.connection)
            await keys.take_turns()
            await keys.retire_newest(self._token_age + LEEWAY)
            await keys.add_unless_present(kid, private_key)
            await work.commit()
        await self.reload()
        return kid

    async def reload(self) -> None:
        async with self._database.read() as connection:
            keys = KeyRepository(connection)
            rows = await keys.valid(PUBLISH_AHEAD)
            if not rows or rows[0]["retires_at"] is not None:
                await keys.add_unless_present(*await self._generate())
                rows = await keys.valid(PUBLISH_AHEAD)
        known: dict[str, Ed25519PrivateKey] = {}
        for row in rows:
            kid = row["kid"]
            key = self._keys.get(kid)
            known[kid] = key if key is not None else await to_thread.run_sync(self._decrypt, row["private_key"])
        signing = next((row for row in rows if row["known_everywhere"]), rows[-1])
        self._keys, self._current = known, signing["kid"]

    async def _reload_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_INTERVAL)
            try:
                await self.reload()
            except Exception as error:  # the keys at hand stay good meanwhile
                logger.warning("signing keys could not be read", extra={"error": repr(error)})

    async def _generate(self) -> tuple[str, str]:
        return uuid7().hex, await to_thread.run_sync(self._encrypt, Ed25519PrivateKey.generate())

    def _encrypt(self, key: Ed25519PrivateKey) -> str:
        encryption = serialization.BestAvailableEncryption(self._secret)
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()

    def _decrypt(self, pem: str) -> Ed25519PrivateKey:
        try:
            key = serialization.load_pem_private_key(pem.encode(), self._secret)
        except ValueError as error:
            raise SigningKeyUnreadable("SIGNING_KEY_SECRET does not open the stored signing keys") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningKeyUnreadable("A stored signing key is not an Ed25519 key")
        return key


def _public(kid: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    return {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "EdDSA"}
