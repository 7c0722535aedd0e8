"""A compiled endpoint answers exactly as FastAPI would: the same requests, hostile ones included, through both."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Cookie, Depends, FastAPI, Header, Query, Request, Response
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from openmusic_kit.errors import Conflict, Unauthenticated
from openmusic_kit.resources import Resources
from openmusic_kit.settings import ServiceSettings
from openmusic_kit.web import routes
from openmusic_kit.web.app import create_service_app
from openmusic_kit.web.compiled import is_plain
from openmusic_kit.web.paging import Limit
from openmusic_kit.web.routes import CurrentUser, ProtectedRoute, TimedRoute
from openmusic_kit.web.schemas import CreatedResponse, DataResponse, Int32, IntegralFloat, StoredText, Text, WireModel
from openmusic_testkit.tokens import OneUser

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Thing(WireModel):
    given_name: Text
    size: Int32
    weight: Annotated[float | None, IntegralFloat] = None
    tags: tuple[StoredText, ...] = ()


class Taken(Conflict):
    message = "Taken"


async def _shelf(request: Request) -> str:
    return str(request.app.state.shelf)


async def _lookup(shelf: Annotated[str, Depends(_shelf)], after: StoredText = "", limit: Limit = None) -> str:
    """A dependency with parameters and a dependency; it may refuse."""
    if after == "taken":
        raise Taken
    return f"{shelf} after {after}, {limit}"


async def _not_stored(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


async def _refuse() -> None:
    raise Taken


def _in_a_thread() -> None: ...


def _router() -> tuple[APIRouter, APIRouter]:
    router = APIRouter(prefix="/things", route_class=TimedRoute, dependencies=[Depends(_not_stored)])
    protected = APIRouter(prefix="/mine", route_class=ProtectedRoute)

    @router.post("/{number}", status_code=201)
    async def add(number: int, thing: Thing, shelf: Annotated[str, Depends(_shelf)]) -> CreatedResponse[Thing]:
        return CreatedResponse(message=f"{number} on {shelf}", data=thing)

    @router.get("/{name}")
    async def read(name: str, found: Annotated[str, Depends(_lookup)], response: Response) -> DataResponse[list[str]]:
        response.headers["Link"] = "<next>"
        if name == "teapot":
            response.status_code = 418
        return DataResponse(data=[name, found])

    @protected.put("", response_model=DataResponse[str])
    async def put(
        request: Request,
        user_id: CurrentUser,
        thing: Thing,
        most: Annotated[int, Query(ge=1, le=9)],
        exact: bool = False,
        ratio: float = 0.5,
    ) -> Response:
        return Response(f"{request.method} {user_id} {thing!r} {most} {exact} {ratio}", 202, {"X-Own": "1"})

    return router, protected


async def _start(_: FastAPI, __: Resources) -> None:
    """Nothing to open."""


def _app(*routers: APIRouter) -> FastAPI:
    app = create_service_app(
        "test",
        ServiceSettings(port=1, body_limit=20_000, log_level="ERROR"),
        start=_start,
        routers=routers,
    )
    app.state.token_verifier = OneUser(Unauthenticated)
    app.state.shelf = "shelf"
    return app


COMPILED = _app(*_router())
with pytest.MonkeyPatch.context() as patch:
    patch.setattr(routes, "compile_endpoint", lambda _, fastapi: fastapi)
    PLAIN_FASTAPI = _app(*_router())


async def _ask(
    app: FastAPI, method: str, path: str, query: bytes, headers: dict[str, str], pieces: list[bytes]
) -> Answer:
    """The pieces of the body; the client hangs up before the last one if that is None."""
    left = list(pieces)
    answer: list[Any] = []

    async def receive() -> dict[str, Any]:
        piece = left.pop(0) if left else b""
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    async def send(message: Any) -> None:
        answer.append(message)

    sent = [(name.encode(), value.encode("latin-1")) for name, value in ({"x-request-id": "one"} | headers).items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": sent}
    await app(scope, receive, send)
    return answer[0]["status"], answer[0]["headers"], b"".join(each.get("body", b"") for each in answer[1:])


async def _same_answer(*request: Any) -> Answer:
    compiled = await _ask(COMPILED, *request)
    assert compiled == await _ask(PLAIN_FASTAPI, *request)
    return compiled


VALID = {"authorization": "Bearer good", "content-type": "application/json"}
HOSTILE_BODIES = [
    b"",
    b"{",
    b"[" * 5000,
    b'{"givenName": "a", "size": 1, "more": ' + b"1" * 5000 + b"}",
    b'{"givenName": "a", "size": 1, "more": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"givenName": "a", "size": 1, "givenName": "b"}',
    b'{"givenName": "a\\ud800", "size": 1}',
    b'{"givenName": "a", "size": 1, "more": "\xed\xa0\x80"}',
    b'{"givenName": "a", "size": 1, "more": "\\ud800"}',
    b'\xef\xbb\xbf{"givenName": "a", "size": 1}',
    b'{"givenName": "a", "size": 1, "weight": NaN}',
    b'{"givenName": "a", "size": 1e400, "weight": -NaN}',
    b'{"givenName": "a", "size": 1.0, "weight": 1e400}',
    b'{"givenName": "' + b"a" * 30_000 + b'", "size": 1}',
]
CONTENT_TYPES = [
    "application/json",
    "Application/JSON; charset=UTF-8",
    "application/json; charset=latin-1",
    "application/problem+json",
    "application/json,text/plain",
    "text/json",
    "application/",
    "",
    "multipart/form-data; boundary=x",
]
HOSTILE_QUERIES = [
    b"most=1&most=2",
    b"most=2&most=x",
    b"most=%31",
    b"most=1&exact=",
    b"most=1&exact=yes&ratio=nan",
    b"most= 1",
]
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", " ", "a\0b", "taken", "teapot", "\u2028", "true", "1", "5", "x" * 1001]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
THINGS = st.fixed_dictionaries(
    {"givenName": TEXTS | VALUES, "size": st.integers(-5, 5) | VALUES},
    optional={"weight": st.floats() | VALUES, "tags": st.lists(TEXTS) | VALUES, "given_name": TEXTS, "more": VALUES},
)
BODIES = (
    (THINGS | VALUES).map(lambda value: json.dumps(value).encode())
    | THINGS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | THINGS.map(lambda value: json.dumps(value).encode("utf-16"))
    | st.binary(max_size=20)
    | st.sampled_from(HOSTILE_BODIES)
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["most", "exact", "ratio", "after", "limit", "other"]),
        st.sampled_from(["", "1", "9", "10", "-1", "1.5", "true", "no", "taken", "%00", "%ff", "a+b", "\u0661"])
        | TEXTS,
    ),
    max_size=5,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "replace"))
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.just("application/json") | st.sampled_from(CONTENT_TYPES),
        "authorization": st.just("Bearer good") | st.sampled_from(["bearer  good ", "Bearer bad", "Basic good", ""]),
    },
)
PATHS = st.sampled_from(
    ["/mine", "/things/1", "/things/0x1", "/things/1_0", "/things/taken", "/things/teapot"]
) | TEXTS.map(lambda text: f"/things/{text}")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), PATHS, QUERIES, HEADERS, BODIES, st.booleans())
@example("PUT", "/mine", b"most=5", VALID, b"{}", True)
async def test_both_ways_answer_the_same(
    method: str, path: str, query: bytes, headers: dict[str, str], body: bytes, broken: bool
) -> None:
    pieces = [body[:7], body[7:], *([None] if broken else [])]
    await _same_answer(method, path, query, headers, pieces)


@pytest.mark.parametrize("body", HOSTILE_BODIES)
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
async def test_both_ways_answer_hostile_bodies_the_same(body: bytes, content_type: str) -> None:
    for method, path in (("PUT", "/mine"), ("POST", "/things/1")):
        await _same_answer(method, path, b"most=1", VALID | {"content-type": content_type}, [body])


@pytest.mark.parametrize("query", HOSTILE_QUERIES)
async def test_both_ways_answer_hostile_queries_the_same(query: bytes) -> None:
    await _same_answer("PUT", "/mine", query, VALID, [b'{"givenName": "a", "size": 1}'])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/things/1", 201), ("GET", "/things/teapot", 418), ("PUT", "/mine", 202)]
)
async def test_a_valid_request_does_not_reach_fastapi(
    method: str, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing.solve_dependencies", None)
    body = b'{"givenName": "a", "size": 2.0}' if method != "GET" else b""

    answer = await _ask(COMPILED, method, path, b"most=1&limit=5", VALID, [body])

    assert answer[0] == status, answer


async def _header(x: Annotated[str, Header()]) -> DataResponse[str]: ...
async def _cookie(x: Annotated[str, Cookie()]) -> DataResponse[str]: ...
async def _list(x: Annotated[list[str], Query()]) -> DataResponse[str]: ...
async def _later(x: BackgroundTasks) -> DataResponse[str]: ...
async def _two_bodies(x: Thing, y: Thing) -> DataResponse[str]: ...
async def _twice(x: Annotated[str, Depends(_shelf)], y: Annotated[str, Depends(_lookup)]) -> DataResponse[str]: ...
async def _thread(x: Annotated[None, Depends(_in_a_thread)]) -> DataResponse[str]: ...
def _itself_in_a_thread() -> DataResponse[str]: ...
async def _of_no_shape() -> None: ...


@pytest.mark.parametrize(
    "endpoint",
    [_header, _cookie, _list, _later, _two_bodies, _twice, _thread, _itself_in_a_thread, _of_no_shape],
)
def test_an_endpoint_that_needs_more_stays_with_fastapi(endpoint: Callable[..., Any]) -> None:
    assert not is_plain(TimedRoute("/", endpoint, methods=["POST"]))


async def test_a_dependency_of_the_router_that_includes_another_is_kept() -> None:
    inner = APIRouter(route_class=TimedRoute)
    inner.add_api_route("/inner", _empty)
    outer = APIRouter()
    outer.include_router(inner, dependencies=[Depends(_refuse)])

    assert (await _ask(_app(outer), "GET", "/inner", b"", {}, []))[0] == 400
    assert (await _ask(_app(inner), "GET", "/inner", b"", {}, []))[0] == 200


async def _empty() -> DataResponse[str]:
    return DataResponse(data="")
