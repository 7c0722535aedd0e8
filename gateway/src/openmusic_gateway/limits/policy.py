"""A limit, and the refusal of who exceeded it."""

import math
from dataclasses import dataclass

from openmusic_gateway.answers import Refused

TOO_MANY = "Too many requests; please wait a moment"


@dataclass(frozen=True)
class Limit:
    """So many in so many seconds for each key; an ``amount`` of 0 means that there is no limit."""

    name: str
    amount: int
    seconds: int

    def refused(self, wait: float) -> Refused:
        """``wait``: seconds until there is room again.

        The fields are those of draft-ietf-httpapi-ratelimit-headers-10, and the three of its version 06, which more
        clients know.
        """
        seconds = max(1, math.ceil(wait))
        headers = {
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{self.name}";q={self.amount};w={self.seconds}',
            "RateLimit": f'"{self.name}";r=0;t={seconds}',
            "RateLimit-Limit": str(self.amount),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(seconds),
        }
        return Refused(429, TOO_MANY, headers)
