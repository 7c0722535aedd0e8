"""Signing keys: the newest one signs; older ones stay published until the tokens they signed have expired."""

import asyncio
import json
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

RELOAD_INTERVAL = 3.0  # seconds until a rotation is noticed
PUBLISH_AHEAD = 10
"""Seconds that a key is published before it signs, so that every copy can verify what another one signs."""
LEEWAY = 60
"""Seconds that a key stays published after its last token expired; more than the two above."""


class SigningKeys:
    def __init__(self, database: Database, secret: str, token_age: int) -> None:
        self._database = database
        self._secret = secret.encode()
        self._token_age = token_age
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._current = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reloads the keys in the background. Raises SigningKeyUnreadable; without a database, retries later."""
        try:
            await self.reload()
        except Unavailable as error:
            logger.warning("signing keys not loaded yet", extra={"error": repr(error)})
        reloading = asyncio.create_task(self._reload_forever(), name="signing-keys")
        try:
            yield
        finally:
            await tasks.stop(reloading)

    def current(self) -> tuple[str, Ed25519PrivateKey]:
        """The id of the signing key, and the key. Raises Unavailable until keys were loaded."""
        if not self._current:
            raise Unavailable("Signing keys are not available")
        return self._current, self._keys[self._current]

    def published(self) -> dict[str, Any]:
        """The JWK set (RFC 7517). Raises Unavailable until keys were loaded."""
        if not self._keys:
            raise Unavailable("Signing keys are not available")
        return {"keys": [_public(kid, key) for kid, key in self._keys.items()]}

    async def published_json(self) -> bytes:
        """The same as JSON: what this service verifies access tokens with."""
        return json.dumps(self.published()).encode()

    async def rotate(self) -> str:
        """Adds a key that signs once every copy publishes it. Returns its id. Raises SigningKeyUnreadable."""
        await self.reload()  # fails with the wrong secret; a key encrypted with that would stop every copy
        kid, private_key = await self._generate()
        async with self._database.unit_of_work() as work:
            keys = KeyRepository(work.connection)
            await keys.lock_for_rotation()
            await keys.retire_newest(self._token_age + LEEWAY)
            await keys.add_unless_present(kid, private_key)
            await work.commit()
        await self.reload()
        return kid

    async def reload(self) -> None:
        async with self._database.read() as connection:
            keys = KeyRepository(connection)
            stored = await keys.list_valid(PUBLISH_AHEAD)
            if not stored or stored[0].retiring:
                await keys.add_unless_present(*await self._generate())
                stored = await keys.list_valid(PUBLISH_AHEAD)
        loaded: dict[str, Ed25519PrivateKey] = {}
        for each in stored:
            key = self._keys.get(each.kid)
            loaded[each.kid] = key if key is not None else await to_thread.run_sync(self._decrypt, each.private_key)
        signing = next((each for each in stored if each.published_long_enough), stored[-1])
        self._keys, self._current = loaded, signing.kid

    async def _reload_forever(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_INTERVAL)
            try:
                await self.reload()
            except Exception as error:  # the keys in memory stay valid
                logger.warning("signing keys not reloaded", extra={"error": repr(error)})

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
