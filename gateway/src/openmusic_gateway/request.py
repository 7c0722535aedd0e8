from dataclasses import dataclass

from openmusic_gateway.asgi import HTTPScope, Receive, Send
from openmusic_gateway.edge.entries import Key
from openmusic_gateway.routes import Route


@dataclass(slots=True)
class Request:
    """A request that has a route and, if the route asks for one, a user."""

    scope: HTTPScope
    headers: dict[bytes, bytes]
    receive: Receive
    send: Send
    route: Route
    user_id: str
    """Empty on a route that asks for no token."""
    id: str
    address: str
    """The client's address, or ``UNKNOWN``."""

    @property
    def cache_key(self) -> Key:
        return (self.scope["raw_path"].decode("latin-1"), self.scope["query_string"], self.user_id)
