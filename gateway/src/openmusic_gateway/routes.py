"""Which service answers what. Anything that is not listed here is 404."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    service: str
    protected: bool = False
    upload: bool = False
    kept: bool = False
    """Whether its answers may be in the edge cache: for one user if it is protected, else for everyone."""


def _route(line: str, service: str, *, protected: bool = False, upload: bool = False) -> list[Route]:
    methods, pattern = line.split()
    return [
        Route(method, pattern, service, protected, upload, kept=method == "GET" and pattern not in NOT_KEPT)
        for method in methods.split(",")
    ]


NOT_KEPT = {"/songs", "/covers/{album}/{file}", "/.well-known/jwks.json"}
"""Searches are hardly ever repeated, covers are large and immutable, and keys must be the newest."""


ROUTES: tuple[Route, ...] = (
    *_route("POST /albums", "catalog"),
    *_route("GET,PUT,DELETE /albums/{id}", "catalog"),
    *_route("POST /albums/{id}/covers", "media", upload=True),
    *_route("POST,DELETE /albums/{id}/likes", "catalog", protected=True),
    *_route("GET /albums/{id}/likes", "catalog"),
    *_route("GET,HEAD /covers/{album}/{file}", "media"),
    *_route("GET,POST /songs", "catalog"),
    *_route("GET,PUT,DELETE /songs/{id}", "catalog"),
    *_route("POST /users", "auth"),
    *_route("GET /users/{id}", "auth"),
    *_route("POST,PUT,DELETE /authentications", "auth"),
    *_route("GET /.well-known/jwks.json", "auth"),
    *_route("GET,POST /playlists", "playlist", protected=True),
    *_route("DELETE /playlists/{id}", "playlist", protected=True),
    *_route("GET,POST,DELETE /playlists/{id}/songs", "playlist", protected=True),
    *_route("GET /playlists/{id}/activities", "playlist", protected=True),
    *_route("POST,DELETE /collaborations", "playlist", protected=True),
    *_route("POST /export/playlists/{id}", "export", protected=True),
)


@dataclass(slots=True)
class _Node:
    """A place in the tree of paths: what may come next, and the routes that end here."""

    literals: "dict[str, _Node]" = field(default_factory=dict)
    any_text: "_Node | None" = None
    methods: dict[str, Route] = field(default_factory=dict)

    def child(self, part: str) -> "_Node":
        if not part.startswith("{"):
            return self.literals.setdefault(part, _Node())
        if self.any_text is None:
            self.any_text = _Node()
        return self.any_text


class RouteTable:
    """Matches the path as it was sent, still percent-encoded, so that no encoded slash becomes a separator.

    ``HEAD`` leads to the route of ``GET`` where a service has none of its own: the service is asked to GET, and the
    server that runs the gateway leaves out the body.
    """

    def __init__(self, routes: tuple[Route, ...] = ROUTES) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for part in route.pattern.split("/")[1:]:
                node = node.child(part)
            node.methods[route.method] = route
            if route.method == "GET":
                node.methods.setdefault("HEAD", route)

    def match(self, path: str) -> dict[str, Route]:
        """The routes of that path by their method; empty when there are none."""
        node = self._root
        for part in path.split("/")[1:]:
            following = node.literals.get(part) or (node.any_text if part else None)
            if following is None:
                return {}
            node = following
        return node.methods
