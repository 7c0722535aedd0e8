from dataclasses import dataclass

from openmusic_gateway.asgi import HTTPScope, Receive, Send
from openmusic_gateway.edge.entries import Key
from openmusic_gateway.routes import Route
from openmusic_kit.web.preferences import COUNT, prefers_count


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
        query = self.scope["query_string"]
        preferences = self.values(b"prefer")
        if preferences is not None and prefers_count(preferences.decode("latin-1")):
            query += b" " + COUNT.encode()  # a query holds no space, so no other request has this key
        return (self.scope["raw_path"].decode("latin-1"), query, self.user_id)

    def values(self, name: bytes) -> bytes | None:
        """All values of a header, as one list; None without the header."""
        if name not in self.headers:
            return None
        return b", ".join(value for header, value in self.scope["headers"] if header == name)
