"""The public routes and the service that each belongs to. Every other path is 404."""

from dataclasses import dataclass
from typing import Literal

ANNOUNCING = ("catalog", "playlist")
"""The services that announce every change before it commits: see ``edge.generations``."""
GATEWAY = "gateway"
"""The service of routes that the gateway serves itself."""

UNCOMPRESSED = frozenset({"auth"})
"""Services whose responses are never compressed: a secret beside a text that somebody else chose could be guessed from
the size (BREACH)."""

LimitedAttempt = Literal["login", "password", "registration", "export"]
"""What is limited by its outcome: logins, password checks and registrations that fail, exports that are accepted."""

BodyKind = Literal["message", "cover", "import"]
"""Each has a limit of its own."""


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    service: str
    protected: bool = False
    """Whether it asks for an access token."""
    body: BodyKind = "message"
    cacheable: bool = False
    """Whether the edge cache may keep its responses: for one user if it is protected, else for everyone."""
    limit: LimitedAttempt | None = None


UNCACHEABLE = {
    "/users",  # who looks for a user does so once
    *("/covers/{folder}/{file}", "/playlists/{id}/export"),  # large, and rarely repeated
    *(
        "/.well-known/jwks.json",
        "/users/me/sessions",
        "/users/me/data",
        "/export",
        "/export/{id}",
    ),  # must always be the latest
    *("/playlists/{id}", "/playlists/{id}/collaborators"),  # small, and change with much
}


def _routes(
    line: str,
    service: str,
    *,
    protected: bool = False,
    body: BodyKind = "message",
    limit: LimitedAttempt | None = None,
) -> list[Route]:
    methods, pattern = line.split()
    return [
        Route(
            method,
            pattern,
            service,
            protected,
            body,
            cacheable=method == "GET" and service != GATEWAY and pattern not in UNCACHEABLE,
            limit=limit,
        )
        for method in methods.split(",")
    ]


ROUTES: tuple[Route, ...] = (
    *_routes("GET,POST /albums", "catalog"),
    *_routes("GET,PUT,DELETE /albums/{id}", "catalog"),
    *_routes("POST /albums/{id}/covers", "media", body="cover"),
    *_routes("POST /albums/{id}/covers/uploads", "media"),
    *_routes("POST /albums/{id}/covers/uploads/{upload}", "media"),
    *_routes("POST,DELETE /albums/{id}/likes", "catalog", protected=True),
    *_routes("GET /albums/{id}/likes", "catalog"),
    *_routes("GET,HEAD /covers/{folder}/{file}", "media"),
    *_routes("GET,POST /songs", "catalog"),
    *_routes("GET,PUT,DELETE /songs/{id}", "catalog"),
    *_routes("GET /search", "catalog"),
    *_routes("GET /search/playlists", "playlist", protected=True),
    *_routes("POST /users", "auth", limit="registration"),
    *_routes("GET /users", "auth", protected=True),
    *_routes("GET /users/{id}", "auth"),
    *_routes("GET,PATCH /users/me", "auth", protected=True),
    *_routes("DELETE /users/me", "auth", protected=True, limit="password"),
    *_routes("PUT /users/me/password", "auth", protected=True, limit="password"),
    *_routes("GET /users/me/data", "auth", protected=True),
    *_routes("GET,DELETE /users/me/sessions", "auth", protected=True),
    *_routes("DELETE /users/me/sessions/{id}", "auth", protected=True),
    *_routes("POST /authentications", "auth", limit="login"),
    *_routes("PUT,DELETE /authentications", "auth"),
    *_routes("GET /.well-known/jwks.json", "auth"),
    *_routes("GET,POST /playlists", "playlist", protected=True),
    *_routes("POST /playlists/import", "playlist", protected=True, body="import"),
    *_routes("GET,PATCH,DELETE /playlists/{id}", "playlist", protected=True),
    *_routes("GET,POST,DELETE /playlists/{id}/songs", "playlist", protected=True),
    *_routes("POST,DELETE /playlists/{id}/songs/batch", "playlist", protected=True),
    *_routes("PUT /playlists/{id}/songs/order", "playlist", protected=True),
    *_routes("POST /playlists/{id}/cover", "media", protected=True, body="cover"),
    *_routes("DELETE /playlists/{id}/cover", "playlist", protected=True),
    *_routes("POST /playlists/{id}/copy", "playlist", protected=True),
    *_routes("GET /playlists/{id}/collaborators", "playlist", protected=True),
    *_routes("DELETE /playlists/{id}/collaborators/me", "playlist", protected=True),
    *_routes("GET /playlists/{id}/activities", "playlist", protected=True),
    *_routes("POST,DELETE /collaborations", "playlist", protected=True),
    *_routes("POST /export/playlists/{id}", "export", protected=True, limit="export"),
    *_routes("GET /playlists/{id}/export", "export", protected=True),
    *_routes("GET /export", "export", protected=True),
    *_routes("GET /export/{id}", "export", protected=True),
)

OWN_ROUTES: tuple[Route, ...] = (
    *_routes("GET /", GATEWAY),
    *_routes("GET /version", GATEWAY),
    *_routes("GET /docs", GATEWAY),
    *_routes("GET /docs/{file}", GATEWAY),
    *_routes("GET /health/live", GATEWAY),
    *_routes("GET /health/ready", GATEWAY),
    *_routes("GET /openapi.json", GATEWAY),
    *_routes("GET /asyncapi.json", GATEWAY),
)
