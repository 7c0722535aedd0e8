"""A limit, and the response to a client that exceeds it."""

import math
from dataclasses import dataclass

from openmusic_gateway.responses import HttpError
from openmusic_kit.metrics import Counts

REJECTIONS = Counts("openmusic_limit_rejections_total", "Requests that were refused for a limit", ("limit",))
TOO_MANY = "Too many requests; please wait a moment"


@dataclass(frozen=True)
class Limit:
    """At most ``amount`` in ``seconds`` for each key; 0 means no limit."""

    name: str
    amount: int
    seconds: int

    def exceeded(self, wait: float) -> HttpError:
        """``wait``: seconds until the next request may succeed.

        The headers are those of draft-ietf-httpapi-ratelimit-headers-10, and the three of version 06, which more
        clients understand.
        """
        REJECTIONS.add(self.name)
        seconds = max(1, math.ceil(wait))
        headers = {
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{self.name}";q={self.amount};w={self.seconds}',
            "RateLimit": f'"{self.name}";r=0;t={seconds}',
            "RateLimit-Limit": str(self.amount),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(seconds),
        }
        return HttpError(429, TOO_MANY, headers)
