"""Where the keys that verify access tokens come from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openmusic_kit.clients import ServiceClient
from openmusic_kit.identity import TokenVerifier
from openmusic_kit.settings import IdentitySettings


@asynccontextmanager
async def open_token_verifier(settings: IdentitySettings) -> AsyncIterator[TokenVerifier]:
    """Trusts the keys of the auth service."""
    async with ServiceClient("auth", settings.auth_url) as auth:

        async def fetch() -> bytes:
            return (await auth.get("/.well-known/jwks.json")).body

        yield TokenVerifier(fetch, settings.token_issuer, settings.token_audience)
