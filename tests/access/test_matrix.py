"""Who may do what: each route of the contract, for each kind of person, with caches cold and warm, by two gateways."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import pytest

from openmusic_testkit import plain_http

# What each gets: nobody has no token, expired is the owner with an old one, former was a collaborator until just now.
TABLE = """
                                          nobody expired stranger former collaborator owner
GET    /                                  200    200     200      200    200          200
GET    /version                           200    200     200      200    200          200
GET    /openapi.json                      200    200     200      200    200          200
GET    /asyncapi.json                     200    200     200      200    200          200
GET    /health/live                       200    200     200      200    200          200
GET    /health/ready                      200    200     200      200    200          200
GET    /.well-known/jwks.json             200    200     200      200    200          200

POST   /albums                            201    201     201      201    201          201
GET    /albums                            200    200     200      200    200          200
GET    /albums/{album_id}                 200    200     200      200    200          200
PUT    /albums/{album_id}                 200    200     200      200    200          200
DELETE /albums/{album_id}                 200    200     200      200    200          200
POST   /albums/{album_id}/covers          201    201     201      201    201          201
POST   /albums/{album_id}/covers/uploads  201    201     201      201    201          201
POST   /albums/{album_id}/covers/uploads/{upload_id} 201 201 201  201    201          201
GET    /covers/{folder}/{file}            200    200     200      200    200          200
POST   /albums/{album_id}/likes           401    401     201      201    201          201
DELETE /albums/{album_id}/likes           401    401     200      200    200          200
GET    /albums/{album_id}/likes           200    200     200      200    200          200

POST   /songs                             201    201     201      201    201          201
GET    /songs                             200    200     200      200    200          200
GET    /songs/{song_id}                   200    200     200      200    200          200
PUT    /songs/{song_id}                   200    200     200      200    200          200
DELETE /songs/{song_id}                   200    200     200      200    200          200
GET    /search                            200    200     200      200    200          200
GET    /search/playlists                  401    401     200      200    200          200

POST   /users                             201    201     201      201    201          201
GET    /users                             401    401     200      200    200          200
GET    /users/{user_id}                   200    200     200      200    200          200
GET    /users/me                          401    401     200      200    200          200
PATCH  /users/me                          401    401     200      200    200          200
DELETE /users/me                          401    401     403      403    403          403
PUT    /users/me/password                 401    401     200      200    200          200
GET    /users/me/data                     401    401     200      200    200          200
GET    /users/me/sessions                 401    401     200      200    200          200
DELETE /users/me/sessions                 401    401     200      200    200          200
DELETE /users/me/sessions/{session_id}    401    401     404      404    404          200
POST   /authentications                   201    201     201      201    201          201
PUT    /authentications                   200    200     200      200    200          200
DELETE /authentications                   200    200     200      200    200          200

POST   /playlists                         401    401     201      201    201          201
GET    /playlists                         401    401     200      200    200          200
POST   /playlists/import                  401    401     201      201    201          201
GET    /playlists/{playlist_id}           401    401     403      403    200          200
PATCH  /playlists/{playlist_id}           401    401     403      403    403          200
DELETE /playlists/{playlist_id}           401    401     403      403    403          200
GET    /playlists/{playlist_id}/collaborators 401 401    403      403    200          200
DELETE /playlists/{playlist_id}/collaborators/me 401 401 403      403    200          400
POST   /playlists/{playlist_id}/cover     401    401     403      403    403          201
DELETE /playlists/{playlist_id}/cover     401    401     403      403    403          200
POST   /playlists/{playlist_id}/copy      401    401     403      403    201          201
POST   /playlists/{playlist_id}/songs     401    401     403      403    201          201
GET    /playlists/{playlist_id}/songs     401    401     403      403    200          200
DELETE /playlists/{playlist_id}/songs     401    401     403      403    200          200
POST   /playlists/{playlist_id}/songs/batch 401  401     403      403    201          201
DELETE /playlists/{playlist_id}/songs/batch 401  401     403      403    200          200
PUT    /playlists/{playlist_id}/songs/order 401  401     403      403    200          200
GET    /playlists/{playlist_id}/activities 401   401     403      403    200          200
POST   /collaborations                    401    401     403      403    403          201
DELETE /collaborations                    401    401     403      403    403          200
POST   /export/playlists/{playlist_id}    401    401     403      403    403          201
GET    /playlists/{playlist_id}/export    401    401     403      403    403          200
GET    /export                            401    401     200      200    200          200
GET    /export/{export_id}                401    401     404      404    404          200
"""

HEAD, *LINES = [line.split() for line in TABLE.splitlines() if line.strip()]
EXPECTED = {(method, path): dict(zip(HEAD, map(int, statuses), strict=True)) for method, path, *statuses in LINES}
EXPECTED |= {("HEAD", path): statuses for (method, path), statuses in EXPECTED.items() if method == "GET"}
MEMBERS = {"collaborator", "owner"}
READS = ("GET", "HEAD")
PRIVATE = [route for route, statuses in EXPECTED.items() if statuses["nobody"] == 401]
PUBLIC = [route for route in EXPECTED if route not in PRIVATE]
OUTSIDERS = ("nobody", "expired", "stranger", "former")
APART = {"nobody and a member": (*OUTSIDERS, "collaborator"), "owner": ("owner",)}
"""People who ask one after the other in one world: an outsider changes nothing there, a collaborator may, and the owner
finds it as it was made."""
CHANGES = [route for route in PRIVATE if route[0] not in READS]
WARM_READS = [path for method, path in PRIVATE if method == "GET"]
READS_OF_A_PLAYLIST = (
    *("/playlists", "/playlists/{playlist_id}/songs", "/playlists/{playlist_id}/activities"),
    "/search/playlists",
)


@dataclass
class World:
    """A playlist of the owner's, shared with the collaborator and, until a moment ago, with the former one."""

    http: httpx.Client
    people: dict[str, Any]
    picture: bytes
    secret: str = field(default_factory=lambda: f"secret-{secrets.token_hex(8)}")

    def call(self, method: str, path: str, person: str, json: Any = None, **more: Any) -> httpx.Response:
        headers = {} if person == "nobody" else {"Authorization": f"Bearer {self.people[person].access_token}"}
        return self.http.request(method, path, headers=headers, **({"json": json} if json else {}), **more)

    def made(self, path: str, json: Any, person: str = "owner") -> dict[str, str]:
        answer = self.call("POST", path, person, json)
        assert answer.status_code == 201, answer.text
        data: dict[str, str] = answer.json().get("data", {})
        return data

    @cached_property
    def playlist_id(self) -> str:
        playlist_id = self.made("/playlists", {"name": self.secret})["playlistId"]
        self.made(f"/playlists/{playlist_id}/songs", {"songId": self.song_id})
        for person in ("collaborator", "former"):
            self.made("/collaborations", {"playlistId": playlist_id, "userId": self.people[person].id})
        return playlist_id

    @cached_property
    def song_id(self) -> str:
        return self.new_song()

    def new_song(self) -> str:
        song = {"title": self.secret, "year": 2000, "genre": "Rock", "performer": "Coldplay"}
        return self.made("/songs", song)["songId"]

    @cached_property
    def album_id(self) -> str:
        return self.made("/albums", {"name": "Parachutes", "year": 2000})["albumId"]

    @cached_property
    def export_id(self) -> str:
        payload = {"targetEmail": "listener@openmusic.test"}
        return self.made(f"/export/playlists/{self.playlist_id}", payload)["exportId"]

    @property
    def upload_id(self) -> str:
        """A new one, which can be completed."""
        upload = self.call("POST", f"/albums/{self.album_id}/covers/uploads", "nobody").json()["data"]
        files = {"file": self.form()["cover"]}
        plain_http.post(upload["url"], data=upload["fields"], files=files).raise_for_status()
        return str(upload["uploadId"])

    @property
    def folder(self) -> str:
        return self.album_id

    @cached_property
    def file(self) -> str:
        self.http.post(f"/albums/{self.album_id}/covers", files=self.form()).raise_for_status()
        album = self.call("GET", f"/albums/{self.album_id}", "nobody").json()["data"]["album"]
        return str(album["coverUrl"]).rpartition("/")[2]

    @property
    def session_id(self) -> str:
        """A new one of the owner's."""
        login = {"username": self.people["owner"].username, "password": "secret"}
        self.made("/authentications", login)
        return str(self.call("GET", "/users/me/sessions", "owner").json()["data"]["sessions"][0]["id"])

    @property
    def user_id(self) -> str:
        return str(self.people["stranger"].id)

    def form(self) -> dict[str, Any]:
        return {"cover": ("cover.png", self.picture, "image/png")}

    def dismiss_the_former(self) -> None:
        body = {"playlistId": self.playlist_id, "userId": self.people["former"].id}
        assert self.call("DELETE", "/collaborations", "owner", body).status_code == 200

    def login(self) -> dict[str, str]:
        return {"username": self.people["stranger"].username, "password": "secret"}


def _refresh_token(world: World) -> dict[str, str]:
    return {"refreshToken": world.made("/authentications", world.login())["refreshToken"]}


QUERIES = {"/users": "?username=nobody", "/search": "?q=nothing", "/search/playlists": "?q=secret"}
ALBUM = {"name": "X&Y", "year": 2005}
SONG = {"title": "Talk", "year": 2005, "genre": "Rock", "performer": "Coldplay"}
BODIES: dict[tuple[str, str], Callable[[World], Any]] = {
    ("POST", "/albums"): lambda _: ALBUM,
    ("PUT", "/albums/{album_id}"): lambda _: ALBUM,
    ("POST", "/songs"): lambda _: SONG,
    ("PUT", "/songs/{song_id}"): lambda _: SONG,
    ("POST", "/users"): lambda world: {"username": world.secret, "password": "secret", "fullname": "New"},
    ("PATCH", "/users/me"): lambda _: {"fullname": "A User"},
    ("DELETE", "/users/me"): lambda _: {"password": "not theirs"},  # everyone is needed for the next test
    ("PUT", "/users/me/password"): lambda _: {"password": "secret", "newPassword": "secret"},
    ("POST", "/authentications"): lambda world: world.login(),
    ("PUT", "/authentications"): _refresh_token,
    ("DELETE", "/authentications"): _refresh_token,
    ("POST", "/playlists"): lambda _: {"name": "Another"},
    ("POST", "/playlists/import"): lambda world: {
        "playlist": {"name": "Taken along", "songs": [{"id": world.song_id}]}
    },
    ("PATCH", "/playlists/{playlist_id}"): lambda world: {"name": world.secret, "public": False},
    ("POST", "/playlists/{playlist_id}/songs"): lambda world: {"songId": world.new_song()},
    ("DELETE", "/playlists/{playlist_id}/songs"): lambda world: {"songId": world.song_id},
    ("POST", "/playlists/{playlist_id}/songs/batch"): lambda world: {"songIds": [world.new_song()]},
    ("DELETE", "/playlists/{playlist_id}/songs/batch"): lambda world: {"songIds": [world.song_id]},
    ("PUT", "/playlists/{playlist_id}/songs/order"): lambda world: {"songId": world.song_id, "after": None},
    ("POST", "/collaborations"): lambda world: {"playlistId": world.playlist_id, "userId": world.user_id},
    ("DELETE", "/collaborations"): lambda world: {
        "playlistId": world.playlist_id,
        "userId": world.people["collaborator"].id,
    },
    ("POST", "/export/playlists/{playlist_id}"): lambda _: {"targetEmail": "listener@openmusic.test"},
}


@pytest.fixture(scope="session")
def people(register: Callable[[str], Any], owner: Any, mint: Any) -> dict[str, Any]:
    """Who asks, by the heads of the table."""
    old = mint.token(iat=mint.claims()["iat"] - 600, exp=mint.claims()["iat"] - 60)  # longer than any leeway
    expired = type(owner)(owner.id, owner.username, old, owner.refresh_token)
    others = {name: register(name) for name in ("stranger", "former", "collaborator")}
    return {"owner": owner, "expired": expired, **others}


@pytest.fixture
def new_world(url: str, people: dict[str, Any], picture: bytes) -> Any:
    with plain_http.Client(base_url=url) as http:
        yield lambda: World(http, people, picture)


@pytest.fixture(scope="session")
def gateways(url: str, second_url: str) -> Any:
    clients = [plain_http.Client(base_url=each) for each in (url, second_url)]
    yield clients
    for client in clients:
        client.close()


def ask(gateway: httpx.Client, world: World, route: tuple[str, str], person: str) -> httpx.Response:
    """The request of that row by that person."""
    method, pattern = route
    names = ("album_id", "upload_id", "folder", "file", "song_id", "user_id", "playlist_id", "export_id", "session_id")
    path = pattern.format(**{name: getattr(world, name) for name in names if f"{{{name}}}" in pattern})
    if route == ("DELETE", "/albums/{album_id}/likes") and person in {"stranger", "former", *MEMBERS}:
        assert world.call("POST", path, person).status_code == 201
    path += QUERIES.get(pattern, "")
    through = World(gateway, world.people, world.picture, world.secret)
    if route == ("DELETE", "/playlists/{playlist_id}/cover") and person == "owner":
        assert world.call("POST", path, person, files=world.form()).status_code == 201
    if method == "POST" and pattern.endswith(("/covers", "/cover")):
        return through.call(method, path, person, files=world.form())
    return through.call(method, path, person, BODIES.get(route, lambda _: None)(world))


def read_by_all_who_may(gateways: list[httpx.Client], world: World) -> None:
    """Twice by each gateway, so that whatever may be kept is kept."""
    world.playlist_id  # noqa: B018 - it is made before anybody reads
    for pattern in READS_OF_A_PLAYLIST:
        for person in ("owner", "collaborator", "former"):
            for gateway in gateways * 2:
                answer = ask(gateway, world, ("GET", pattern), person)
                assert answer.status_code == 200, answer.text
                assert world.secret in answer.text


def check(answer: httpx.Response, world: World, route: tuple[str, str], person: str) -> None:
    assert answer.status_code == EXPECTED[route][person], f"{person}: {answer.text}"
    if route in PRIVATE and person not in MEMBERS:
        assert world.secret not in answer.text + str(answer.headers), f"{person} sees what is not for them"
    if answer.status_code >= 400:
        assert "X-Data-Source" not in answer.headers
        if route[0] != "HEAD":
            assert answer.json().keys() == {"status", "message"}
    if route[0] == "HEAD":
        assert answer.content == b""


def test_the_table_has_a_row_for_each_operation_of_the_document(url: str) -> None:
    document = plain_http.get(f"{url}/openapi.json").json()
    served = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    assert set(EXPECTED) == {(method, path) for method, path in served if method != "OPTIONS"}
    assert {path for method, path in served if method == "OPTIONS"} == {path for _, path in served}
    protected = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "security" in operation
    }
    assert set(PRIVATE) == protected


def test_anybody_may_know_which_methods_a_path_has(url: str) -> None:
    methods: dict[str, set[str]] = {}
    for method, path in EXPECTED:
        methods.setdefault(path, {"OPTIONS"}).add(method)
    for path, expected in methods.items():
        answer = plain_http.options(url + path.replace("{", "").replace("}", ""))
        assert (answer.status_code, answer.content) == (204, b"")
        assert set(answer.headers["Allow"].split(", ")) == expected


@pytest.mark.parametrize("route", PUBLIC, ids=" ".join)
def test_what_is_open_to_anybody(new_world: Any, gateways: list[httpx.Client], route: tuple[str, str]) -> None:
    for person in HEAD:
        world = new_world()
        check(ask(gateways[0], world, route, person), world, route, person)


@pytest.mark.parametrize("group", APART)
@pytest.mark.parametrize("route", PRIVATE, ids=" ".join)
def test_with_cold_caches(new_world: Any, gateways: list[httpx.Client], route: tuple[str, str], group: str) -> None:
    world = new_world()
    world.playlist_id  # noqa: B018 - it is made here, and nobody has read it
    world.dismiss_the_former()

    for person in APART[group]:
        check(ask(gateways[0], world, route, person), world, route, person)


@pytest.mark.parametrize("path", WARM_READS)
def test_reads_with_warm_caches(new_world: Any, gateways: list[httpx.Client], path: str) -> None:
    """Reading changes nothing, so that all ask in one world: first the gateway that has not heard of the dismissal."""
    world = dismissed_after_all_have_read(new_world(), gateways)

    for gateway in reversed(gateways):
        for method in READS:
            for person in HEAD:
                check(ask(gateway, world, (method, path), person), world, (method, path), person)
    nothing_is_left_for_the_former(gateways, world)


@pytest.mark.parametrize("group", APART)
@pytest.mark.parametrize("route", CHANGES, ids=" ".join)
def test_changes_with_warm_caches(
    new_world: Any, gateways: list[httpx.Client], route: tuple[str, str], group: str
) -> None:
    world = dismissed_after_all_have_read(new_world(), gateways)

    for person in APART[group]:
        check(ask(gateways[1], world, route, person), world, route, person)
    nothing_is_left_for_the_former(gateways, world)


def dismissed_after_all_have_read(world: World, gateways: list[httpx.Client]) -> World:
    """All who may have read it, the former too, by both gateways; then that one is dismissed by the first of them."""
    read_by_all_who_may(gateways, world)
    world.dismiss_the_former()
    return world


def nothing_is_left_for_the_former(gateways: list[httpx.Client], world: World) -> None:
    for gateway in gateways:
        for pattern in READS_OF_A_PLAYLIST:
            again = ask(gateway, world, ("GET", pattern), "former")
            assert world.secret not in again.text
