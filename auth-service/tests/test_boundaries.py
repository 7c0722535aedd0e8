"""Every limit from both sides, in length and in time. PostgreSQL's clock stands still within a transaction."""

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from argon2 import PasswordHasher, extract_parameters
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from openmusic_auth.authentications.repository import RefreshTokenRepository
from openmusic_auth.keys.repository import KeyRepository
from openmusic_auth.keys.service import LEEWAY, PUBLISH_AHEAD, RELOAD_INTERVAL
from openmusic_auth.settings import Settings
from openmusic_auth.users.repository import Credentials
from openmusic_kit.ids import new_id

TRUSTED = {"X-Service-Credential": "the-shared-credential"}
MOMENT = 0.000_001  # seconds; PostgreSQL's clock is no finer
HOUR, DAY = 3600, 86_400  # seconds
EXPIRE = "UPDATE refresh_tokens SET expires_at = now() + make_interval(secs => %s) WHERE token_hash = %s"
ADD_KEY = """
    INSERT INTO signing_keys (kid, private_key, retires_at) VALUES (%s, 'pem', now() + make_interval(secs => %s))
"""
HASH = b"h" * 32


@pytest.fixture
async def still(connection: AsyncConnection[DictRow]) -> AsyncIterator[AsyncConnection[DictRow]]:
    """In a transaction that is undone at the end, so that it is always the same moment."""
    async with connection.transaction(force_rollback=True):
        yield connection


async def fetched(connection: AsyncConnection[DictRow], query: str, *parameters: Any) -> list[DictRow]:
    return await (await connection.execute(query, parameters)).fetchall()  # type: ignore[arg-type]


@pytest.fixture
async def user_id(still: AsyncConnection[DictRow]) -> str:
    user_id = new_id("user")
    await still.execute(
        "INSERT INTO users (id, username, fullname, password_hash) VALUES (%s, %s, 'x', 'x')", [user_id, user_id]
    )
    return user_id


@pytest.mark.parametrize(("left", "good"), [(MOMENT, True), (0, False), (-MOMENT, False)])
async def test_a_refresh_token_is_good_to_its_last_moment_and_no_longer(
    still: AsyncConnection[DictRow], user_id: str, left: float, good: bool
) -> None:
    tokens = RefreshTokenRepository(still)
    await tokens.add(HASH, Credentials(user_id, "", 0), 60, None)
    await still.execute(EXPIRE, [left, HASH])

    assert await tokens.find_user(HASH) == (user_id if good else None)
    assert await tokens.delete(HASH) is good


async def test_a_refresh_token_lives_as_many_seconds_as_it_was_given(
    still: AsyncConnection[DictRow], user_id: str
) -> None:
    await RefreshTokenRepository(still).add(HASH, Credentials(user_id, "", 0), 12_345, None)

    (row,) = await fetched(
        still,
        "SELECT extract(epoch FROM expires_at - now())::float AS seconds FROM refresh_tokens WHERE token_hash = %s",
        HASH,
    )
    assert row["seconds"] == 12_345


async def test_a_login_sweeps_what_has_expired_and_nothing_else(still: AsyncConnection[DictRow], user_id: str) -> None:
    tokens = RefreshTokenRepository(still)
    for number, left in enumerate((0, MOMENT)):
        await tokens.add(bytes([number]) * 32, Credentials(user_id, "", 0), 60, None)
        await still.execute(EXPIRE, [left, bytes([number]) * 32])

    await tokens.add(HASH, Credentials(user_id, "", 0), 60, None)

    left_over = await fetched(still, "SELECT token_hash FROM refresh_tokens WHERE user_id = %s", user_id)
    assert {bytes(row["token_hash"]) for row in left_over} == {b"\1" * 32, HASH}


async def test_only_who_holds_the_whole_refresh_token_refreshes(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str
) -> None:
    await register(username)
    token = (await log_in(username))["refreshToken"]
    assert len(base64.urlsafe_b64decode(f"{token}=")) == 32

    for almost in (token[:-1], f"{token}x", token.swapcase(), f" {token}"):
        for method in ("PUT", "DELETE"):
            answer = await client.request(method, "/authentications", json={"refreshToken": almost})
            assert answer.status_code == 400
    assert (await client.put("/authentications", json={"refreshToken": token})).status_code == 200


async def _add_keys(still: AsyncConnection[DictRow], **left: float | None) -> None:
    """The only keys that there are, and after how many seconds each retires."""
    await still.execute("DELETE FROM signing_keys")
    for kid, seconds in left.items():
        await still.execute(ADD_KEY, [kid, seconds])


async def test_a_key_is_published_to_its_last_moment_and_the_newest_comes_first(
    still: AsyncConnection[DictRow],
) -> None:
    await _add_keys(still, gone=0, going=MOMENT, staying=None, later=HOUR)

    keys = await KeyRepository(still).list_valid(PUBLISH_AHEAD)

    assert [key.kid for key in keys] == ["staying", "later", "going"]


@pytest.mark.parametrize(
    ("age", "known"), [(PUBLISH_AHEAD, True), (PUBLISH_AHEAD - MOMENT, False), (PUBLISH_AHEAD + MOMENT, True)]
)
async def test_a_key_signs_once_every_copy_had_the_time_to_publish_it(
    still: AsyncConnection[DictRow], age: float, known: bool
) -> None:
    await _add_keys(still, new=None)
    await still.execute("UPDATE signing_keys SET created_at = now() - make_interval(secs => %s)", [age])

    (key,) = await KeyRepository(still).list_valid(PUBLISH_AHEAD)

    assert key.published_long_enough is known


async def test_a_key_that_no_longer_signs_stays_for_as_long_as_it_was_said_and_is_then_kept_for_a_day(
    still: AsyncConnection[DictRow],
) -> None:
    await _add_keys(still, newest=None, older=-DAY - MOMENT, old=-DAY)

    await KeyRepository(still).retire_newest(1234)

    rows = await fetched(still, "SELECT kid, extract(epoch FROM retires_at - now())::float AS left FROM signing_keys")
    assert {row["kid"]: row["left"] for row in rows} == {"newest": 1234, "old": -DAY}


def test_a_key_outlives_every_token_that_it_signs() -> None:
    assert 2 * RELOAD_INTERVAL < PUBLISH_AHEAD, "every copy reads the keys in time, even if it fails once"
    assert PUBLISH_AHEAD + RELOAD_INTERVAL < LEEWAY, "it signs for so long after it was told to retire"


async def test_the_key_set_holds_what_verifies_and_nothing_that_signs(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str
) -> None:
    await register(username)
    token = (await log_in(username))["accessToken"]

    answer = await client.get("/.well-known/jwks.json")

    assert answer.headers["Cache-Control"] == "public, max-age=5"
    assert set(answer.json()) == {"keys"}
    for key in answer.json()["keys"]:
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")
    by_id = {key["kid"]: base64.urlsafe_b64decode(f"{key['x']}=") for key in answer.json()["keys"]}
    public = Ed25519PublicKey.from_public_bytes(by_id[jwt.get_unverified_header(token)["kid"]])
    assert jwt.decode(token, public, ["EdDSA"], audience="openmusic", issuer="openmusic-auth")["jti"]


async def test_two_access_tokens_of_one_moment_differ(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str
) -> None:
    await register(username)
    payload = {"refreshToken": (await log_in(username))["refreshToken"]}

    tokens = {(await client.put("/authentications", json=payload)).json()["data"]["accessToken"] for _ in range(3)}

    assert len(tokens) == 3


async def test_as_much_is_computed_for_an_unknown_user_as_for_a_wrong_password(
    client: httpx.AsyncClient, register: Any, username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(username)
    work: list[tuple[str, str]] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, stored: str, password: str) -> bool:
        work.append((repr(extract_parameters(stored)), password))
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    for name in (username, f"{username}?", "a\0b", "x" * 1000):
        login = {"username": name, "password": "mistaken"}
        assert (await client.post("/authentications", json=login)).status_code == 401

    assert len(work) == 4
    assert len(set(work)) == 1, "each compares the same password with a hash of the same parameters"


@pytest.mark.parametrize("character", ["u", "é", "🎸"])
async def test_a_name_has_255_characters_at_most_whatever_bytes_they_take(
    client: httpx.AsyncClient, log_in: Any, character: str
) -> None:
    name = secrets.token_hex(8).ljust(255, character)
    user = {"username": name, "password": "secret", "fullname": character * 1000}

    created = await client.post("/users", json=user)
    longer = await client.post("/users", json=user | {"username": f"{name}{character}"})
    fuller = await client.post("/users", json=user | {"username": name[:-1], "fullname": character * 1001})

    assert (created.status_code, longer.status_code, fuller.status_code) == (201, 400, 400)
    assert (await log_in(name))["accessToken"]
    read = (await client.get(f"/users/{created.json()['data']['userId']}")).json()["data"]["user"]
    assert (read["username"], read["fullname"]) == (name, character * 1000)


async def test_a_name_of_one_character_is_a_name(
    client: httpx.AsyncClient, connection: AsyncConnection[DictRow]
) -> None:
    await connection.execute("DELETE FROM users WHERE username = '🎻'")

    answer = await client.post("/users", json={"username": "🎻", "password": "secret", "fullname": "x"})

    assert answer.status_code == 201


@pytest.mark.parametrize("character", ["p", "ü", "🎹"])
@pytest.mark.parametrize(("length", "status"), [(1, 401), (5, 401), (128, 201), (129, 400), (127, 401)])
async def test_a_login_takes_passwords_of_any_length_that_one_can_have(
    client: httpx.AsyncClient, register: Any, username: str, character: str, length: int, status: int
) -> None:
    await register(username, character * 128)

    answer = await client.post("/authentications", json={"username": username, "password": character * length})

    assert answer.status_code == status


async def test_a_user_may_be_kept_by_gateways_and_nothing_else_may(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str
) -> None:
    user_id = await register(username)
    read = await client.get(f"/users/{user_id}")

    assert (read.headers["Cache-Tag"], read.headers["Cache-Control"]) == (f"user:{user_id}", "public, no-cache")
    missing = await client.get(f"/users/{new_id('user')}")
    taken = await client.post("/users", json={"username": username, "password": "secret", "fullname": "x"})
    login = await client.post("/authentications", json={"username": username, "password": "secret"})
    token = {"refreshToken": (await log_in(username))["refreshToken"]}
    refreshed = await client.put("/authentications", json=token)
    gone = await client.request("DELETE", "/authentications", json=token)
    keys = await client.get("/.well-known/jwks.json")
    for answer in (missing, taken, login, refreshed, gone, keys):
        assert {"cache-tag", "cache-purge"}.isdisjoint(answer.headers), answer.request.url


async def test_copies_for_other_services_come_in_order_and_pages(
    client: httpx.AsyncClient, connection: AsyncConnection[DictRow]
) -> None:
    ids = sorted(new_id("user") for _ in range(1001))
    async with (
        connection.cursor() as cursor,
        cursor.copy("COPY users (id, username, fullname, password_hash) FROM STDIN") as copy,
    ):
        for user_id in reversed(ids):
            await copy.write_row((user_id, user_id, "x", "x"))

    async def copies(**query: Any) -> list[str]:
        answer = await client.get("/internal/users", params={"after": ids[0][:-1], **query}, headers=TRUSTED)
        return [user["id"] for user in answer.json()["data"]["users"]]

    assert await copies(limit=1) == ids[:1]
    assert await copies(limit=1000) == await copies() == ids[:1000]
    assert (await copies(after=ids[999]))[:1] == ids[1000:]


def test_tokens_live_as_long_as_users_are_promised() -> None:
    fields = Settings.model_fields

    assert (fields["access_token_age"].default, fields["refresh_token_age"].default) == (1800, 604_800)
    for name in ("access_token_age", "refresh_token_age"):
        assert getattr(Settings(**{name: 1}), name) == 1
        with pytest.raises(ValueError, match=name):
            Settings(**{name: 0})
