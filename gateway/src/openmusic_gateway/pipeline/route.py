"""Finds the route of a path."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from openmusic_gateway.responses import NOT_FOUND, HttpError, method_not_allowed
from openmusic_gateway.routes import OWN_ROUTES, ROUTES, Route


@dataclass(slots=True)
class _Node:
    """A node in the tree of paths: which segments may follow, and the routes that end here."""

    literals: "dict[str, _Node]" = field(default_factory=dict)
    parameter: "_Node | None" = None
    methods: dict[str, Route] = field(default_factory=dict)

    def child(self, segment: str) -> "_Node":
        if not segment.startswith("{"):
            return self.literals.setdefault(segment, _Node())
        if self.parameter is None:
            self.parameter = _Node()
        return self.parameter


class Router:
    """Matches the path as the client sent it, still percent-encoded: an encoded slash never becomes a separator.

    ``HEAD`` uses the route of ``GET`` unless the service has one for ``HEAD``: the service gets a GET, and the
    gateway's server leaves out the body.
    """

    def __init__(self, routes: Iterable[Route] = (*ROUTES, *OWN_ROUTES)) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.pattern.split("/")[1:]:
                node = node.child(segment)
            node.methods[route.method] = route
            if route.method == "GET":
                node.methods.setdefault("HEAD", route)

    def match(self, raw_path: bytes) -> Mapping[str, Route]:
        """The routes of a path by method. Raises HttpError (404) if there are none."""
        node = self._root
        for segment in raw_path.decode("latin-1").split("/")[1:]:
            child = node.literals.get(segment) or (node.parameter if segment else None)
            if child is None:
                raise HttpError(404, NOT_FOUND)
            node = child
        if not node.methods:
            raise HttpError(404, NOT_FOUND)
        return node.methods

    def select(self, methods: Mapping[str, Route], method: str) -> Route:
        """Raises HttpError (405)."""
        if method not in methods:
            raise method_not_allowed(methods)
        return methods[method]
