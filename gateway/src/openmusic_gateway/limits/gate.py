"""The limits of the gateway's routes."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from openmusic_gateway.body import Body
from openmusic_gateway.limits.attempts import Attempts, Rule
from openmusic_gateway.limits.clients import key_of
from openmusic_gateway.limits.counting import Counts
from openmusic_gateway.limits.policy import Limit
from openmusic_gateway.limits.rates import Rate
from openmusic_gateway.proxying import Request
from openmusic_gateway.settings import Settings

LOGIN = ("POST", "/authentications")
REGISTRATION = ("POST", "/users")
EXPORT = ("POST", "/export/playlists/{id}")


class Gate:
    """What the edge cache answers does not come here: it costs less than to count it."""

    def __init__(self, settings: Settings, counts: Counts) -> None:
        share = counts.add_in_window
        self._by_address = Rate(Limit("address", settings.requests_by_address, settings.requests_window), share)
        self._by_user = Rate(Limit("user", settings.requests_by_user, settings.requests_window), share)
        window = settings.failures_window
        self._login_by_name = Limit("login-name", settings.login_failures_by_name, window)
        self._login_by_address = Limit("login-address", settings.login_failures_by_address, window)
        self._registration = Limit("registration", settings.registration_failures_by_address, window)
        self._exports = Limit("export", settings.exports_by_user, settings.exports_window)
        self._attempts = Attempts(counts)

    def admit(self, request: Request) -> None:
        """Raises Refused (429) when the client has asked too much of the services."""
        self._by_address.admit(key_of(request.address))
        if request.user_id:
            self._by_user.admit(request.user_id)

    @asynccontextmanager
    async def passing(self, request: Request, body: Body, deadline: float) -> AsyncIterator[Request]:
        """Gives the request as it is to be answered. Raises Refused (429) when there were too many of its kind.

        ``deadline``: a time of the event loop, until which it waits for others of its kind.
        """
        rule = await self._rule(request, body)
        if rule is None:
            yield request
            return
        async with self._attempts.limited(rule, request.send, deadline) as send:
            yield replace(request, send=send)

    async def _rule(self, request: Request, body: Body) -> Rule | None:
        route = (request.route.method, request.route.pattern)
        if route == LOGIN:
            name, address = _name_in(await body.kept()), key_of(request.address)
            return Rule(401, ((self._login_by_name, name), (self._login_by_address, address)))
        if route == REGISTRATION:
            return Rule(400, ((self._registration, key_of(request.address)),))
        if route == EXPORT:
            return Rule(201, ((self._exports, request.user_id),))
        return None


def _name_in(content: bytes) -> str:
    """A short key for the user name, read as the service reads it; one for all without, which the service refuses."""
    try:
        name = json.loads(content)["username"]
    except (ValueError, KeyError, TypeError, RecursionError):
        name = ""
    return hashlib.blake2b(str(name).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
