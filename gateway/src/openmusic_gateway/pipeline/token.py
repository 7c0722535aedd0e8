"""Finds out who makes a request, from its access token."""

from openmusic_gateway.asgi import Headers
from openmusic_gateway.responses import from_service_error
from openmusic_kit.errors import ServiceError, Unauthenticated
from openmusic_kit.identity.token_verifier import TokenVerifier, bearer_token


class TokenCheck:
    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def user_id(self, headers: Headers) -> str:
        """Raises HttpError (401, or 503 while the keys cannot be fetched)."""
        tokens = [value for name, value in headers if name == b"authorization"]
        try:
            if len(tokens) > 1:  # the service might read another one than the gateway does
                raise Unauthenticated("Only one access token may be sent")
            return await self._verifier.verify(bearer_token(tokens[0].decode("latin-1") if tokens else None))
        except ServiceError as error:
            raise from_service_error(error) from error
