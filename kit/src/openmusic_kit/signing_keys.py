"""Where the keys that verify access tokens come from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from anyio import to_thread

from openmusic_kit.errors import Unavailable
from openmusic_kit.identity import TokenVerifier
from openmusic_kit.settings import IdentitySettings

TIMEOUT = 2.0  # seconds for each step

_direct = build_opener(ProxyHandler({}))


@asynccontextmanager
async def open_token_verifier(settings: IdentitySettings) -> AsyncIterator[TokenVerifier]:
    """Trusts the keys of the auth service, which are asked for so seldom that no HTTP client need be loaded for it."""
    url = f"{settings.auth_url.rstrip('/')}/.well-known/jwks.json"

    def fetch() -> bytes:
        try:
            with _direct.open(url, timeout=TIMEOUT) as answer:
                return bytes(answer.read())
        except (OSError, HTTPException) as error:
            raise Unavailable("auth is not available") from error

    async def fetch_aside() -> bytes:
        return await to_thread.run_sync(fetch, abandon_on_cancel=True)

    yield TokenVerifier(fetch_aside, settings.token_issuer, settings.token_audience)
