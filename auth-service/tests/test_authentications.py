import time
from typing import Any

import httpx
import jwt
import pytest
from argon2 import PasswordHasher, extract_parameters
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from openmusic_auth.settings import Settings


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == "fail"
    assert answer.json()["message"]


async def test_logging_in_gives_both_tokens(client: httpx.AsyncClient, register: Any, username: str) -> None:
    await register(username)

    answer = await client.post("/authentications", json={"username": username, "password": "secret"})

    assert answer.status_code == 201
    body = answer.json()
    assert body["status"] == "success"
    assert body["message"]
    assert set(body["data"]) == {"accessToken", "refreshToken"}


async def test_answers_with_tokens_stay_in_no_cache(client: httpx.AsyncClient, register: Any, username: str) -> None:
    await register(username)

    login = await client.post("/authentications", json={"username": username, "password": "secret"})
    token = {"refreshToken": login.json()["data"]["refreshToken"]}
    refreshed = await client.put("/authentications", json=token)

    assert login.headers["Cache-Control"] == refreshed.headers["Cache-Control"] == "no-store"


async def test_an_access_token_says_what_the_architecture_promises(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str, settings: Settings
) -> None:
    user_id = await register(username)
    token = (await log_in(username))["accessToken"]

    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})

    published = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": published[0]["kid"]}
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("openmusic-auth", "openmusic", user_id)
    assert claims["exp"] - claims["iat"] == settings.access_token_age == 1800
    assert abs(claims["iat"] - time.time()) < 60


async def test_the_other_services_accept_the_access_token(
    register: Any, log_in: Any, username: str, new_verifier: Any
) -> None:
    user_id = await register(username)
    tokens = await log_in(username)
    verifier = new_verifier()

    assert await verifier.verify(tokens["accessToken"]) == user_id


@pytest.mark.parametrize("password", ["nul\0inside", "pässwörd", "🎸🎹🥁🎤🎧🎼", "e\u0301" * 6, " secret ", "p" * 128])
async def test_any_characters_make_a_password(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str, password: str
) -> None:
    await register(username, password)

    assert (await log_in(username, password))["accessToken"]
    almost = {"username": username, "password": password[:-1]}
    refused(await client.post("/authentications", json=almost), 401)


async def test_unknown_user_and_wrong_password_get_the_same_answer(
    client: httpx.AsyncClient, register: Any, username: str
) -> None:
    await register(username)

    unknown = await client.post("/authentications", json={"username": f"{username}?", "password": "secret"})
    wrong = await client.post("/authentications", json={"username": username, "password": "mistaken"})
    odd = await client.post("/authentications", json={"username": "a\0b", "password": "x"})

    for answer in (unknown, wrong, odd):
        refused(answer, 401)
        assert answer.json() == unknown.json()


async def test_unknown_user_and_wrong_password_cost_the_same(
    client: httpx.AsyncClient, register: Any, username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash takes nearly all of the time of a login."""
    await register(username)
    hashed = []
    verify = PasswordHasher.verify

    def spy(hasher: PasswordHasher, stored: str, password: str) -> bool:
        hashed.append((extract_parameters(stored), password))
        return verify(hasher, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    for name in (username, f"{username}?"):
        refused(await client.post("/authentications", json={"username": name, "password": "mistaken"}), 401)

    known, unknown = hashed
    assert known == unknown


@pytest.mark.parametrize("field", ["username", "password"])
@pytest.mark.parametrize("value", [None, 1, True, "", [], {}])
async def test_logins_that_make_no_sense_are_refused(client: httpx.AsyncClient, field: str, value: object) -> None:
    login = {"username": "guy", "password": "secret"}

    refused(await client.post("/authentications", json=login | {field: value}), 400)
    refused(await client.post("/authentications", json={k: v for k, v in login.items() if k != field}), 400)


async def test_a_login_with_a_password_nobody_can_have_is_refused(client: httpx.AsyncClient) -> None:
    refused(await client.post("/authentications", json={"username": "guy", "password": "p" * 129}), 400)


async def test_one_refresh_token_serves_until_it_is_logged_out(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str, new_verifier: Any
) -> None:
    user_id = await register(username)
    payload = {"refreshToken": (await log_in(username))["refreshToken"]}
    verifier = new_verifier()

    for _ in range(3):
        refreshed = await client.put("/authentications", json=payload)
        assert refreshed.status_code == 200
        assert set(refreshed.json()) == {"status", "data"}
        assert set(refreshed.json()["data"]) == {"accessToken"}
        assert await verifier.verify(refreshed.json()["data"]["accessToken"]) == user_id
    gone = await client.request("DELETE", "/authentications", json=payload)
    assert gone.status_code == 200
    assert gone.json()["message"]

    refused(await client.put("/authentications", json=payload), 400)
    refused(await client.request("DELETE", "/authentications", json=payload), 400)


async def test_logging_out_ends_one_session_only(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str
) -> None:
    await register(username)
    here, there = await log_in(username), await log_in(username)

    await client.request("DELETE", "/authentications", json={"refreshToken": here["refreshToken"]})

    still = await client.put("/authentications", json={"refreshToken": there["refreshToken"]})
    assert still.status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "payload",
    [{}, {"refreshToken": None}, {"refreshToken": 1}, {"refreshToken": ""}, {"refreshToken": "forged"}, [], "text"],
)
async def test_no_refresh_token_no_session(client: httpx.AsyncClient, method: str, payload: object) -> None:
    refused(await client.request(method, "/authentications", json=payload), 400)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"refreshToken": "\\ud800"}'])
async def test_broken_bodies_are_refused(client: httpx.AsyncClient, method: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    refused(await client.request(method, "/authentications", content=body, headers=headers), 400)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_access_token_is_no_refresh_token(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str, method: str
) -> None:
    await register(username)
    token = (await log_in(username))["accessToken"]

    refused(await client.request(method, "/authentications", json={"refreshToken": token}), 400)


async def test_a_refresh_token_expires_and_is_swept_at_the_next_login(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    user_id = await register(username)
    payload = {"refreshToken": (await log_in(username))["refreshToken"]}
    lasting = await connection.execute(
        "SELECT extract(epoch FROM expires_at - now())::float AS seconds FROM refresh_tokens WHERE user_id = %s",
        [user_id],
    )
    assert (await lasting.fetchall())[0]["seconds"] == pytest.approx(604_800, abs=60)
    await connection.execute("UPDATE refresh_tokens SET expires_at = now() WHERE user_id = %s", [user_id])

    refused(await client.put("/authentications", json=payload), 400)
    refused(await client.request("DELETE", "/authentications", json=payload), 400)
    await log_in(username)

    left = await connection.execute("SELECT count(*) AS tokens FROM refresh_tokens WHERE user_id = %s", [user_id])
    assert (await left.fetchall())[0]["tokens"] == 1


async def test_a_refresh_token_is_gone_with_its_user(
    client: httpx.AsyncClient, register: Any, log_in: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    user_id = await register(username)
    payload = {"refreshToken": (await log_in(username))["refreshToken"]}
    await connection.execute("DELETE FROM users WHERE id = %s", [user_id])

    refused(await client.put("/authentications", json=payload), 400)
    refused(await client.request("DELETE", "/authentications", json=payload), 400)


async def test_the_database_never_sees_a_refresh_token(
    register: Any, log_in: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    user_id = await register(username)
    token = (await log_in(username))["refreshToken"]

    cursor = await connection.execute("SELECT * FROM refresh_tokens WHERE user_id = %s", [user_id])
    (row,) = await cursor.fetchall()

    assert len(row["token_hash"]) == 32
    assert not any(token in str(value) or token.encode() in bytes(str(value), "utf-8") for value in row.values())


async def test_expired_tokens_of_whichever_user_are_removed_a_few_at_a_time_and_others_stay(
    register: Any, log_in: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    user_id, other_id = await register(username), await register(f"{username}2")
    await connection.execute("TRUNCATE refresh_tokens")
    for number in range(12):
        await connection.execute(
            "INSERT INTO refresh_tokens VALUES (%s, %s, now() - make_interval(secs => %s))",
            [f"expired-{number}".encode(), other_id, 60 + number],
        )
    await connection.execute("INSERT INTO refresh_tokens VALUES ('good', %s, now() + interval '1 minute')", [other_id])

    async def left() -> set[bytes]:
        cursor = await connection.execute("SELECT token_hash FROM refresh_tokens WHERE user_id = %s", [other_id])
        return {bytes(row["token_hash"]) for row in await cursor.fetchall()}

    await log_in(username)
    assert await left() == {b"expired-0", b"expired-1", b"good"}, "the oldest go first"

    async with connection.transaction():
        await connection.execute("SELECT 1 FROM refresh_tokens WHERE token_hash = 'expired-1' FOR UPDATE")
        await log_in(username)
    assert await left() == {b"expired-1", b"good"}, "one that is locked is not waited for"

    await log_in(username)
    assert await left() == {b"good"}
    cursor = await connection.execute("SELECT count(*) AS tokens FROM refresh_tokens WHERE user_id = %s", [user_id])
    assert await cursor.fetchone() == {"tokens": 3}
