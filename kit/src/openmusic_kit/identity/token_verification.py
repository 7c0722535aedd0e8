"""Where the keys that verify access tokens come from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from anyio import to_thread

from openmusic_kit.errors import Unavailable
from openmusic_kit.identity.key_set import FETCH_TIMEOUT
from openmusic_kit.identity.token_verifier import TokenVerifier
from openmusic_kit.settings import IdentitySettings

_direct = build_opener(ProxyHandler({}))


@asynccontextmanager
async def open_token_verifier(settings: IdentitySettings) -> AsyncIterator[TokenVerifier]:
    """Trusts the keys of the auth service, which are asked for so seldom that no HTTP client need be loaded for it.

    The timeout here is for each step, so that an abandoned thread ends; the key set bounds the whole fetch.
    """
    url = f"{settings.auth_url.rstrip('/')}/.well-known/jwks.json"

    def fetch() -> bytes:
        try:
            with _direct.open(url, timeout=FETCH_TIMEOUT) as answer:
                return bytes(answer.read())
        except (OSError, HTTPException) as error:
            raise Unavailable("auth is not available") from error

    async def fetch_aside() -> bytes:
        return await to_thread.run_sync(fetch, abandon_on_cancel=True)

    verifier = TokenVerifier(fetch_aside, settings.token_issuer, settings.token_audience)
    async with verifier.keys.running():
        yield verifier
