"""The body of a failed request: the contract's shape, or a problem (RFC 9457) for a client that asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openmusic_kit.web.negotiation import qualities

JSON = "application/json"
PROBLEM = "application/problem+json"
TYPE_PREFIX = "urn:openmusic:problem:"
CODES = {
    400: "invalid",
    401: "unauthenticated",
    404: "route_not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    416: "range_not_satisfiable",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "internal_error",
    502: "bad_gateway",
    503: "unavailable",
    504: "gateway_timeout",
}
"""The code of a failure that no ServiceError has caused. Clients rely on it."""


@dataclass(frozen=True)
class Failure:
    status: int
    message: str
    code: str = ""
    """By its status if it is empty."""
    errors: tuple[dict[str, str], ...] = ()
    """What is wrong with each field, for a request that is not valid."""
    data: Mapping[str, object] | None = None

    def render(self, accept: str) -> tuple[str, dict[str, Any]]:
        """The media type and the body for a client with this ``Accept``."""
        return (PROBLEM, self._problem()) if wants_problem(accept) else (JSON, self.contract_shape())

    def contract_shape(self) -> dict[str, Any]:
        shape = {"status": "fail" if self.status < 500 else "error", "message": self.message}
        return {**shape, "data": self.data} if self.data else shape

    def _problem(self) -> dict[str, Any]:
        code = self.code or CODES.get(self.status, "failed")
        problem = {
            "type": TYPE_PREFIX + code,
            "title": code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.message,
            "code": code,
        }
        more = {"errors": list(self.errors), "data": self.data}
        return problem | {name: value for name, value in more.items() if value}


def wants_problem(accept: str) -> bool:
    """Whether the client names the media type, and likes JSON no better. A wildcard asks for nothing new."""
    accepted = qualities(accept)
    quality = accepted.get(PROBLEM, 0.0)
    return quality > 0 and quality >= accepted.get(JSON, 0.0)
