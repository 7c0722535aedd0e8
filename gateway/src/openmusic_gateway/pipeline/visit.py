import json
from dataclasses import dataclass, field
from functools import lru_cache

from openmusic_gateway.routes import Route
from openmusic_kit.metrics import HTTP_REQUESTS, NO_ROUTE


@dataclass(slots=True)
class Visit:
    """What is known of a request so far. It outlives the request's failure, for the access log and the metrics."""

    address: str
    """The client's, or ``UNKNOWN``."""
    user_id: str = ""
    """Empty until the token was verified, and on a route that asks for none."""
    route: Route | None = None
    """None if the path or method has none."""
    limits: dict[str, str] = field(default_factory=dict)
    """Headers that show the limits which count the request; empty as long as none does."""

    def count(self, method: str, status: int, seconds: float) -> None:
        if self.route is None:
            HTTP_REQUESTS.add(seconds, NO_ROUTE, NO_ROUTE, status)
        else:
            HTTP_REQUESTS.add(seconds, method, self.route.pattern, status)

    def as_members(self) -> str:
        """For :meth:`AccessLog.add`. The ids are ours and need no escaping."""
        route = self.route.pattern if self.route else ""
        return f', "client": {_quoted(self.address)}, "user": "{self.user_id}", "route": "{route}"'


@lru_cache(maxsize=4096)
def _quoted(address: str) -> str:
    """The zone of an IPv6 address may hold any character."""
    return json.dumps(address)
