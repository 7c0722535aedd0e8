"""Limits how much a client may ask for: by the rate of its requests, the size of a body, and by outcome.

Responses from the edge cache are not counted: they cost less than counting them. The rate comes first, since it needs
nothing of the body; the name that somebody tries to log in with is in the body.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from openmusic_gateway.body import Body
from openmusic_gateway.limits.attempts import Attempts, Rule
from openmusic_gateway.limits.clients import client_key
from openmusic_gateway.limits.counting import Counters
from openmusic_gateway.limits.policy import Limit
from openmusic_gateway.limits.rates import Rate, Share
from openmusic_gateway.request import Request
from openmusic_gateway.routes import BodyKind
from openmusic_gateway.settings import Settings


class RateLimit:
    def __init__(self, settings: Settings, share: Share) -> None:
        by_address, by_user, window = settings.requests_by_address, settings.requests_by_user, settings.requests_window
        address = Limit("address", by_address, window, "requests from one address")
        user = Limit("user", by_user, window, "requests of one user")
        self._by_address = Rate(address, share)
        self._by_user = Rate(user, share)
        self._anybodys_policy = _policy(address)
        self._users_policy = _policy(address, user)

    def admit(self, request: Request) -> dict[str, str]:
        """Headers that show the limits, and what is left of them. Raises HttpError (429)."""
        states, policy = [self._by_address.admit(client_key(request.address))], self._anybodys_policy
        if request.user_id:
            states, policy = [*states, self._by_user.admit(request.user_id)], self._users_policy
        limited = ", ".join(filter(None, states))
        return {"RateLimit-Policy": policy, "RateLimit": limited} if limited else {}


class BodyLimit:
    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.body_timeout
        self._limits: dict[BodyKind, int] = {
            "message": settings.body_limit,
            "cover": settings.cover_body_limit,
            "import": settings.import_body_limit,
        }

    async def open(self, request: Request) -> Body:
        """The body, buffered if it is small. Raises HttpError (408 or 413)."""
        body = Body(request.receive, request.headers, self._limits[request.route.body], self._timeout)
        await body.buffer_if_small()
        return body


class AttemptLimit:
    def __init__(self, settings: Settings, counters: Counters) -> None:
        window = settings.failures_window
        self._login_by_name = Limit(
            "login-name", settings.login_failures_by_name, window, "failed logins with one username"
        )
        self._login_by_address = Limit(
            "login-address", settings.login_failures_by_address, window, "failed logins from one address"
        )
        self._password = Limit("password", settings.login_failures_by_name, window, "wrong passwords")
        self._registration = Limit(
            "registration", settings.registration_failures_by_address, window, "failed registrations from one address"
        )
        self._export = Limit("export", settings.exports_by_user, settings.exports_window, "exports")
        self._attempts = Attempts(counters)

    @asynccontextmanager
    async def limited(self, request: Request, body: Body, deadline: float) -> AsyncIterator[Request]:
        """The request to respond to inside ``with``. Raises HttpError (429).

        It may wait for other attempts until the deadline, a time of the event loop.
        """
        if request.route.limit is None:
            yield request
            return
        rule = await self._rule(request, body)
        async with self._attempts.limited(rule, request.send, deadline) as send:
            yield replace(request, send=send)

    async def _rule(self, request: Request, body: Body) -> Rule:
        if request.route.limit == "export":
            return Rule(201, ((self._export, request.user_id),))
        address = client_key(request.address)
        if request.route.limit == "password":
            return Rule(403, ((self._password, request.user_id), (self._login_by_address, address)))
        if request.route.limit == "registration":
            return Rule(400, ((self._registration, address),))
        return Rule(401, ((self._login_by_name, _name_key(await body.read())), (self._login_by_address, address)))


def _policy(*limits: Limit) -> str:
    return ", ".join(limit.policy for limit in limits if limit.amount)


def _name_key(content: bytes) -> str:
    """A short key of the user name, parsed as the service does. All bodies without one, which are 400, share a key."""
    try:
        name = json.loads(content)["username"]
    except (ValueError, KeyError, TypeError, RecursionError):
        name = ""
    return hashlib.blake2b(str(name).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
