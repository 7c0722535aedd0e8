"""Every write of the contract, against every answer that is kept: what it must change, and what it must leave alone.

All reads are warm at two gateways and in Redis, and nothing dies of age. Once a write was answered, no gateway may give
the older value; and what the write has nothing to do with must still come from the gateways' memory.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from openmusic_gateway.routes import ROUTES
from openmusic_testkit import plain_http
from openmusic_testkit.serving import free_port
from openmusic_testkit.waiting import wait_until

PATIENT_GATEWAY = Path(__file__).parent / "patient_gateway.py"
DEADLINE = 60.0  # seconds
ATTEMPTS = 3  # worlds; an event of one that is being made can empty a cache late, a purge of too much always does
SONG = {"title": "Lost!", "year": 2008, "genre": "Pop", "performer": "Coldplay"}


@dataclass(frozen=True)
class Read:
    path: str
    user: str | None = None


READS = {
    "album": Read("/albums/{album}"),
    "albums": Read("/albums?name={name}"),
    "other album": Read("/albums/{other_album}"),
    "likes": Read("/albums/{album}/likes"),
    "other likes": Read("/albums/{other_album}/likes"),
    "song": Read("/songs/{song}"),
    "songs": Read("/songs?performer={name}"),
    "search": Read("/search?q={name}"),
    "single": Read("/songs/{single}"),
    "owner": Read("/users/{owner}"),
    "friend": Read("/users/{friend}"),
    "owner's account": Read("/users/me", "owner"),
    "leaver": Read("/users/{leaver}"),
    "leaver's account": Read("/users/me", "leaver"),
    "owner's playlists": Read("/playlists", "owner"),
    "owner's page of playlists": Read("/playlists?limit=1000", "owner"),
    "owner's found playlists": Read("/search/playlists?q={name}", "owner"),
    "friend's playlists": Read("/playlists", "friend"),
    "friend's found playlists": Read("/search/playlists?q={name}", "friend"),
    "stranger's playlists": Read("/playlists", "stranger"),
    "stranger's found playlists": Read("/search/playlists?q={name}", "stranger"),
    "owner's songs": Read("/playlists/{playlist}/songs", "owner"),
    "friend's songs": Read("/playlists/{playlist}/songs", "friend"),
    "stranger's songs": Read("/playlists/{playlist}/songs", "stranger"),
    "owner's activities": Read("/playlists/{playlist}/activities", "owner"),
    "owner's page of activities": Read("/playlists/{playlist}/activities?limit=100", "owner"),
    "friend's activities": Read("/playlists/{playlist}/activities", "friend"),
    "stranger's activities": Read("/playlists/{playlist}/activities", "stranger"),
    "other songs": Read("/playlists/{other_playlist}/songs", "owner"),
    "other activities": Read("/playlists/{other_playlist}/activities", "owner"),
}
"""The stranger may not see the playlist at first, so that these answers are not kept."""

LISTS_OF_OWNER = "owner's playlists, owner's page of playlists, owner's found playlists"
LISTS_OF_FRIEND = "friend's playlists, friend's found playlists"
LISTS_OF_STRANGER = "stranger's playlists, stranger's found playlists"
SONGS = "owner's songs, friend's songs"
ACTIVITIES = "owner's activities, owner's page of activities, friend's activities"


@dataclass(frozen=True)
class Write:
    """Of ``changes`` another value must be read after it; ``renews`` may be fetched again, and is the same.

    Each names reads, commas between them. What none names must still come from the cache. ``announced`` is whether a
    write is refused only by its statement: gateways have dropped by then what it would have changed.
    """

    line: str
    route: str
    changes: str = ""
    renews: str = ""
    user: str | None = None
    body: Any = None
    status: int = 200
    announced: bool = False


WRITES = [
    Write("POST /albums", "/albums", renews="albums, search", body={"name": "New", "year": 1}, status=201),
    Write(
        "PUT /albums/{album}", "/albums/{id}", "album, albums, search", renews="song", body={"name": "New", "year": 1}
    ),
    Write("DELETE /albums/{album}", "/albums/{id}", "album, albums, search, likes, song"),
    Write("POST /albums/{album}/covers", "/albums/{id}/covers", "album, albums, search", renews="song", status=201),
    Write("POST /albums/{album}/covers/uploads", "/albums/{id}/covers/uploads", status=201),
    Write(
        "POST /albums/{album}/covers/uploads/{upload}",
        "/albums/{id}/covers/uploads/{upload}",
        "album, albums, search",
        renews="song",
        status=201,
    ),
    Write("POST /albums/{album}/likes", "/albums/{id}/likes", "likes", user="owner", status=201),
    Write("DELETE /albums/{album}/likes", "/albums/{id}/likes", "likes", user="friend"),
    Write("POST /songs", "/songs", renews="songs, search", body=SONG, status=201),
    Write(
        "POST /songs", "/songs", "album", "song, songs, search, albums", body=SONG | {"albumId": "{album}"}, status=201
    ),
    Write(
        "PUT /songs/{single}", "/songs/{id}", "single, songs, search, other songs", body=SONG, renews="other activities"
    ),
    Write(
        "PUT /songs/{song}",
        "/songs/{id}",
        f"song, songs, search, album, {SONGS}",
        f"albums, {ACTIVITIES}",
        body=SONG | {"albumId": "{album}"},
    ),
    Write(
        "PUT /songs/{song}",
        "/songs/{id}",
        f"song, songs, search, album, other album, {SONGS}",
        f"albums, {ACTIVITIES}",
        body=SONG | {"albumId": "{other_album}"},
    ),
    Write("DELETE /songs/{song}", "/songs/{id}", f"song, songs, search, album, {SONGS}", f"albums, {ACTIVITIES}"),
    Write("DELETE /songs/{single}", "/songs/{id}", "single, songs, search, other songs", "other activities"),
    Write(
        "POST /users",
        "/users",
        body={"username": "{name}", "password": "secret", "fullname": "A User"},
        status=201,
    ),
    Write("PATCH /users/me", "/users/me", "owner, owner's account", user="owner", body={"fullname": "{name}"}),
    Write(
        "PATCH /users/me", "/users/me", "leaver, leaver's account", user="leaver", body={"username": "{name}-renamed"}
    ),
    Write(
        "DELETE /users/me",
        "/users/me",
        "leaver, leaver's account",
        user="leaver",
        body={"password": "secret"},
    ),
    Write(
        "PUT /users/me/password",
        "/users/me/password",
        user="stranger",
        body={"password": "secret", "newPassword": "secret"},
    ),
    Write("DELETE /users/me/sessions", "/users/me/sessions", user="owner"),
    Write("DELETE /users/me/sessions/{session}", "/users/me/sessions/{id}", user="stranger"),
    Write("POST /authentications", "/authentications", body={"username": "{login}", "password": "secret"}, status=201),
    Write("PUT /authentications", "/authentications", body={"refreshToken": "{refresh_token}"}),
    Write("DELETE /authentications", "/authentications", body={"refreshToken": "{refresh_token}"}),
    Write("POST /playlists", "/playlists", LISTS_OF_OWNER, user="owner", body={"name": "{name}"}, status=201),
    Write(
        "POST /playlists/import",
        "/playlists/import",
        LISTS_OF_OWNER,
        user="owner",
        body={"playlist": {"name": "{name}", "songs": [{"id": "{song}"}]}},
        status=201,
    ),
    Write(
        "PATCH /playlists/{playlist}",
        "/playlists/{id}",
        f"{LISTS_OF_OWNER}, {LISTS_OF_FRIEND}, {SONGS}",
        renews=ACTIVITIES,
        user="owner",
        body={"name": "{name}"},
    ),
    Write(
        "PATCH /playlists/{playlist}",
        "/playlists/{id}",
        "stranger's songs",
        renews=f"{LISTS_OF_OWNER}, {LISTS_OF_FRIEND}, {SONGS}, {ACTIVITIES}",
        user="owner",
        body={"public": True},
    ),
    Write(
        "DELETE /playlists/{playlist}/collaborators/me",
        "/playlists/{id}/collaborators/me",
        f"{LISTS_OF_FRIEND}, friend's songs, friend's activities",
        renews=f"{SONGS}, {ACTIVITIES}",
        user="friend",
    ),
    Write(
        "DELETE /playlists/{playlist}",
        "/playlists/{id}",
        f"{LISTS_OF_OWNER}, {LISTS_OF_FRIEND}, {SONGS}, {ACTIVITIES}, stranger's songs, stranger's activities",
        user="owner",
    ),
    Write(
        "POST /playlists/{playlist}/songs",
        "/playlists/{id}/songs",
        f"{SONGS}, {ACTIVITIES}",
        user="friend",
        body={"songId": "{single}"},
        status=201,
    ),
    Write(
        "DELETE /playlists/{playlist}/songs",
        "/playlists/{id}/songs",
        f"{SONGS}, {ACTIVITIES}",
        user="friend",
        body={"songId": "{song}"},
    ),
    Write(
        "POST /playlists/{playlist}/cover",
        "/playlists/{id}/cover",
        renews=f"{LISTS_OF_OWNER}, {LISTS_OF_FRIEND}, {SONGS}, {ACTIVITIES}",
        user="owner",
        status=201,
    ),
    Write(
        "DELETE /playlists/{playlist}/cover",
        "/playlists/{id}/cover",
        renews=f"{LISTS_OF_OWNER}, {LISTS_OF_FRIEND}, {SONGS}, {ACTIVITIES}",
        user="owner",
    ),
    Write("POST /playlists/{playlist}/copy", "/playlists/{id}/copy", LISTS_OF_FRIEND, user="friend", status=201),
    Write(
        "POST /playlists/{playlist}/songs/batch",
        "/playlists/{id}/songs/batch",
        f"{SONGS}, {ACTIVITIES}",
        user="friend",
        body={"songIds": ["{single}"]},
        status=201,
    ),
    Write(
        "DELETE /playlists/{playlist}/songs/batch",
        "/playlists/{id}/songs/batch",
        f"{SONGS}, {ACTIVITIES}",
        user="friend",
        body={"songIds": ["{last_song}", "{song}"]},
    ),
    Write(
        "PUT /playlists/{playlist}/songs/order",
        "/playlists/{id}/songs/order",
        SONGS,
        renews=ACTIVITIES,
        user="friend",
        body={"songId": "{last_song}", "after": None},
    ),
    Write(
        "POST /collaborations",
        "/collaborations",
        f"{LISTS_OF_STRANGER}, stranger's songs, stranger's activities",
        renews=f"{SONGS}, {ACTIVITIES}",
        user="owner",
        body={"playlistId": "{playlist}", "userId": "{stranger}"},
        status=201,
    ),
    Write(
        "DELETE /collaborations",
        "/collaborations",
        f"{LISTS_OF_FRIEND}, friend's songs, friend's activities",
        renews=f"{SONGS}, {ACTIVITIES}",
        user="owner",
        body={"playlistId": "{playlist}", "userId": "{friend}"},
    ),
    Write(
        "POST /export/playlists/{playlist}",
        "/export/playlists/{id}",
        user="owner",
        body={"targetEmail": "somebody@example.com"},
        status=201,
    ),
]

REFUSED = [
    Write("PUT /albums/{album}", "", body={}, status=400),
    Write("PUT /albums/{missing_album}", "", body={"name": "New", "year": 1}, status=404, announced=True),
    Write("POST /albums/{album}/likes", "", user="friend", status=400, announced=True),
    Write("DELETE /albums/{album}/likes", "", user="owner", status=404, announced=True),
    Write("DELETE /albums/{album}/likes", "", status=401),
    Write("POST /songs", "", body=SONG | {"albumId": "{missing_album}"}, status=404, announced=True),
    Write("PUT /songs/{song}", "", body=SONG | {"albumId": "{missing_album}"}, status=404, announced=True),
    Write("PUT /songs/{song}", "", body={}, status=400),
    Write("PATCH /users/me", "", user="owner", body={}, status=400),
    Write(
        "PUT /users/me/password",
        "",
        user="owner",
        body={"password": "wrong", "newPassword": "secret"},
        status=403,
    ),
    Write("PATCH /users/me", "", user="owner", body={"username": "{login}"}, status=400),
    Write("DELETE /users/me", "", user="owner", body={"password": "wrong"}, status=403),
    Write("DELETE /users/me", "", body={"password": "secret"}, status=401),
    Write("POST /playlists", "", user="owner", body={}, status=400),
    Write("POST /playlists/import", "", user="owner", body={"playlist": {"songs": [1]}}, status=400),
    Write("DELETE /playlists/{playlist}", "", user="friend", status=403),
    Write("PATCH /playlists/{playlist}", "", user="friend", body={"name": "Mine"}, status=403),
    Write("PATCH /playlists/{playlist}", "", user="owner", body={"public": "yes"}, status=400),
    Write("POST /playlists/{playlist}/cover", "", user="owner", body={"cover": "x"}, status=400),
    Write("DELETE /playlists/{playlist}/cover", "", user="friend", status=403),
    Write("DELETE /playlists/{other_playlist}/cover", "", user="owner", status=404),
    Write("DELETE /playlists/{playlist}/collaborators/me", "", user="owner", status=400),
    Write("DELETE /playlists/{playlist}/collaborators/me", "", user="stranger", status=403),
    Write("POST /playlists/{playlist}/songs", "", user="friend", body={"songId": "{song}"}, status=400, announced=True),
    Write("POST /playlists/{playlist}/songs", "", user="stranger", body={"songId": "{single}"}, status=403),
    Write(
        "DELETE /playlists/{playlist}/songs",
        "",
        user="friend",
        body={"songId": "song-missing"},
        status=404,
        announced=True,
    ),
    Write(
        "POST /playlists/{playlist}/songs/batch",
        "",
        user="friend",
        body={"songIds": ["{single}", "{song}"]},
        status=400,
        announced=True,
    ),
    Write("POST /playlists/{playlist}/songs/batch", "", user="friend", body={"songIds": ["{single}", "x"]}, status=404),
    Write("POST /playlists/{playlist}/songs/batch", "", user="stranger", body={"songIds": ["{single}"]}, status=403),
    Write("DELETE /playlists/{playlist}/songs/batch", "", user="stranger", body={"songIds": ["{song}"]}, status=403),
    Write(
        "DELETE /playlists/{playlist}/songs/batch",
        "",
        user="friend",
        body={"songIds": ["{song}", "{single}"]},
        status=404,
        announced=True,
    ),
    Write("POST /playlists/{playlist}/copy", "", user="stranger", status=403),
    Write("PUT /playlists/{playlist}/songs/order", "", user="stranger", body={"songIds": []}, status=403),
    Write("PUT /playlists/{playlist}/songs/order", "", user="owner", body={"songId": "{song}"}, status=400),
    Write("PUT /playlists/{playlist}/songs/order", "", user="owner", body={"songIds": []}, status=400, announced=True),
    Write(
        "POST /collaborations",
        "",
        user="owner",
        body={"playlistId": "{playlist}", "userId": "{friend}"},
        status=400,
        announced=True,
    ),
    Write(
        "DELETE /collaborations",
        "",
        user="friend",
        body={"playlistId": "{playlist}", "userId": "{friend}"},
        status=403,
    ),
]


@dataclass(frozen=True)
class Users:
    """By what they are to the playlists: their ids, and their headers."""

    ids: dict[str, str]
    headers: dict[str, dict[str, str]]
    login: str


@dataclass
class World:
    """One of everything, warm at both gateways. ``names`` are what the braces of the tables stand for."""

    gateways: list[httpx.Client]
    redis: Redis
    users: Users
    names: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, user: str | None = None, **more: Any) -> httpx.Response:
        """To the first gateway."""
        headers = self.users.headers[user] if user else {}
        return self.gateways[0].request(method, path, json=body, headers=headers, **more)

    def create(self, path: str, body: Any, user: str | None = None) -> Any:
        answer = self.send("POST", path, body, user)
        assert answer.status_code == 201, answer.text
        return answer.json().get("data")

    def register(self, name: str) -> str:
        """A user of this world alone, who may be deleted. Returns the id."""
        login = {"username": f"{name}_{secrets.token_hex(6)}", "password": "secret"}
        user_id: str = self.create("/users", login | {"fullname": name})["userId"]
        token = self.create("/authentications", login)["accessToken"]
        self.users.headers[name] = {"Authorization": f"Bearer {token}"}
        return user_id

    def fill(self, picture: bytes) -> None:
        names = self.names = dict(self.users.ids)
        names["name"] = f"x{secrets.token_hex(8)}"
        names["login"] = self.users.login
        names["leaver"] = self.register("leaver")
        names["missing_album"] = f"album-{'0' * 32}"
        login = {"username": self.users.login, "password": "secret"}
        names["refresh_token"] = self.create("/authentications", login)["refreshToken"]
        sessions = self.send("GET", "/users/me/sessions", user="stranger").json()["data"]["sessions"]
        names["session"] = sessions[0]["id"]
        for each in ("album", "other_album"):
            names[each] = self.create("/albums", {"name": f"{names['name']} {each}", "year": 2008})["albumId"]
        song = SONG | {"performer": names["name"]}
        titled = {"title": "On the album", "albumId": names["album"]}
        names["song"] = self.create("/songs", song | titled)["songId"]
        names["single"] = self.create("/songs", song | {"title": "On none"})["songId"]
        for each, song in (("playlist", "song"), ("other_playlist", "single")):
            name = f"{names['name']} {each}"
            names[each] = self.create("/playlists", {"name": name}, "owner")["playlistId"]
            self.create(f"/playlists/{names[each]}/songs", {"songId": names[song]}, "owner")
        names["last_song"] = self.create("/songs", SONG | {"title": "Last"})["songId"]
        self.create(f"/playlists/{names['playlist']}/songs", {"songId": names["last_song"]}, "owner")
        self.create("/collaborations", {"playlistId": names["playlist"], "userId": names["friend"]}, "owner")
        self.create(f"/albums/{names['album']}/likes", None, "friend")
        upload = self.create(f"/albums/{names['album']}/covers/uploads", None)
        names["upload"] = upload["uploadId"]
        sent = plain_http.post(upload["url"], data=upload["fields"], files={"file": picture})
        assert sent.status_code == 204, sent.text
        files = {"cover": ("cover.png", picture, "image/png")}
        assert self.send("POST", f"/playlists/{names['playlist']}/cover", user="owner", files=files).status_code == 201

    def read(self, name: str, gateway: int) -> httpx.Response:
        read = READS[name]
        headers = self.users.headers[read.user] if read.user else {}
        return self.gateways[gateway].get(read.path.format_map(self.names), headers=headers)

    def read_at_both(self, name: str) -> list[httpx.Response]:
        """First at the gateway that carries no writes."""
        return [self.read(name, gateway) for gateway in (1, 0)]

    def warm(self) -> dict[str, Any]:
        """What every read gives, once all that can be kept comes from both gateways' memory."""
        values = {}
        for name in READS:
            values[name] = value(self.read(name, 0))
            wait_until(lambda each=name: all(is_kept(self.read(each, gateway)) for gateway in (0, 1)), DEADLINE)  # type: ignore[misc]
            assert value(self.read(name, 1)) == values[name]
        return values

    def empty_redis(self) -> None:
        """Of answers; what comes from a cache then comes from a gateway."""
        for pattern in ("catalog:*", "playlist:*"):
            if names := list(self.redis.scan_iter(pattern)):
                self.redis.delete(*names)

    def carry_out(self, write: Write, picture: bytes) -> None:
        method, path = write.line.split()
        body = json.loads(named(json.dumps(write.body), self.names)) if write.body else None
        uploads = method == "POST" and body is None and path.endswith(("/covers", "/cover"))
        files = {"cover": ("cover.png", picture, "image/png")} if uploads else None
        answer = self.send(method, path.format_map(self.names), body, write.user, files=files)
        assert answer.status_code == write.status, answer.text


def named(text: str, names: dict[str, str]) -> str:
    for name, meaning in names.items():
        text = text.replace(f"{{{name}}}", meaning)
    return text


def value(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def is_kept(answer: httpx.Response) -> bool:
    """Whether it came from a cache, or is one that never does."""
    return answer.status_code != 200 or answer.headers.get("X-Data-Source") == "cache"


def first_of_its_path(name: str) -> bool:
    """Whether no read before it can have filled the entry that it is made of."""
    return name == next(each for each, read in READS.items() if read.path == READS[name].path)


def listed(names: str) -> set[str]:
    found = {name for name in names.split(", ") if name}
    assert found <= READS.keys()
    return found


@contextmanager
def gateway(environment: dict[str, str]) -> Iterator[httpx.Client]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(PATIENT_GATEWAY), "serve"],
        env={**os.environ, **environment, "HOST": "127.0.0.1", "PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        with plain_http.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: is_ready(client), DEADLINE)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=15)


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def gateways(stack: Any) -> Iterator[list[httpx.Client]]:
    with ExitStack() as running:
        yield [running.enter_context(gateway(stack.environment("gateway"))) for _ in range(2)]


@pytest.fixture(scope="module")
def redis(stack: Any) -> Iterator[Redis]:
    with Redis(host="127.0.0.1", port=stack.server_port("redis")) as redis:
        yield redis


@pytest.fixture(scope="module")
def users(client: Any) -> Users:
    registered = {name: client.register(name) for name in ("owner", "friend", "stranger")}
    return Users(
        {name: user.id for name, user in registered.items()},
        {name: user.headers for name, user in registered.items()},
        registered["stranger"].username,
    )


@pytest.fixture
def new_world(
    gateways: list[httpx.Client], redis: Redis, users: Users, picture: Callable[..., bytes]
) -> Callable[[], World]:
    def make() -> World:
        world = World(gateways, redis, users)
        world.fill(picture())
        return world

    return make


def label(write: Write) -> str:
    return f"{write.line.split()[0]} {write.route or write.line.split()[1]} {write.status}"


@pytest.mark.parametrize("write", WRITES, ids=label)
def test_a_write_changes_what_shows_it_and_nothing_else(
    new_world: Callable[[], World], picture: Callable[..., bytes], write: Write
) -> None:
    changed, renewed = listed(write.changes), listed(write.renews) - listed(write.changes)
    missed = READS.keys() - changed - renewed
    for _ in range(ATTEMPTS if missed else 1):
        world = new_world()
        before = world.warm()
        world.carry_out(write, picture())
        after = {name: world.read_at_both(name) for name in READS if name in changed | renewed}
        world.empty_redis()
        after |= {name: world.read_at_both(name) for name in READS if name not in after}

        for name in changed:
            if first_of_its_path(name):
                assert "X-Data-Source" not in after[name][0].headers, name
            values = [value(answer) for answer in after[name]]
            assert values[0] == values[1] != before[name], name
        for name in READS.keys() - changed:
            assert [value(answer) for answer in after[name]] == [before[name]] * 2, name
        missed = {name for name in missed if not all(map(is_kept, after[name]))}
        if not missed:
            return
    pytest.fail(f"{write.line} purges what it does not change: {sorted(missed)}")


def test_a_write_that_is_refused_leaves_every_cache_alone(new_world: Callable[[], World]) -> None:
    world = new_world()
    before = world.warm()
    suspects = REFUSED
    for _ in range(ATTEMPTS):
        purging = []
        for write in suspects:
            world.carry_out(write, b"")
            world.empty_redis()
            after = {name: world.read(name, 0) for name in READS}
            assert {name: value(answer) for name, answer in after.items()} == before, write.line
            if not all(map(is_kept, after.values())):
                purging.append(write)
        suspects = purging
    assert [write.line for write in suspects if not write.announced] == []


def test_the_table_names_every_write_and_every_answer_that_is_kept() -> None:
    written = {f"{write.line.split()[0]} {write.route}" for write in WRITES}
    read = {read.path.partition("?")[0] for read in READS.values()}
    patterns = {"/".join("{id}" if part.startswith("{") else part for part in path.split("/")) for path in read}

    assert written == {f"{route.method} {route.pattern}" for route in ROUTES if route.method not in {"GET", "HEAD"}}
    assert patterns == {route.pattern for route in ROUTES if route.cacheable}


def test_each_answer_that_is_kept_is_changed_by_some_write_unless_it_never_changes() -> None:
    changed = set().union(*(listed(write.changes) for write in WRITES))

    assert READS.keys() - changed == {"other likes", "friend", "other activities"}
