"""A limit, what a client sees of it, and the response to a client that exceeds it.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10. A refusal also has the three of version 06, which
more clients understand.
"""

import math
from dataclasses import dataclass

from openmusic_gateway.responses import HttpError
from openmusic_kit.metrics import Counts

REJECTIONS = Counts("openmusic_limit_rejections_total", "Requests that were refused for a limit", ("limit",))


@dataclass(frozen=True)
class Limit:
    """At most ``amount`` in ``seconds`` for each key; 0 means no limit. ``counted`` is what, in words."""

    name: str
    amount: int
    seconds: int
    counted: str = "requests"

    @property
    def policy(self) -> str:
        """An item of ``RateLimit-Policy``."""
        return f'"{self.name}";q={self.amount};w={self.seconds}'

    def state(self, remaining: int, seconds: float) -> str:
        """An item of ``RateLimit``: what is left, and the seconds until all of it is available again."""
        return f'"{self.name}";r={remaining};t={max(1, math.ceil(seconds))}'

    def exceeded(self, wait: float) -> HttpError:
        """``wait``: seconds until the next request may succeed."""
        REJECTIONS.add(self.name)
        seconds = max(1, math.ceil(wait))
        headers = {
            "Retry-After": str(seconds),
            "RateLimit-Policy": self.policy,
            "RateLimit": self.state(0, wait),
            "RateLimit-Limit": str(self.amount),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(seconds),
        }
        limit = f"at most {self.amount} in {self.seconds} s"
        return HttpError(429, f"Too many {self.counted}: {limit}; try again in {seconds} s", headers)
