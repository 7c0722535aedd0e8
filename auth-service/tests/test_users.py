import asyncio
import json
from typing import Any

import httpx
import pytest

VALID = {"username": "guy", "password": "secret", "fullname": "Guy Berryman"}
TRUSTED = {"X-Service-Credential": "the-shared-credential"}


async def test_a_registered_user_can_be_read(client: httpx.AsyncClient, username: str) -> None:
    answer = await client.post("/users", json={**VALID, "username": username})

    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"status", "message", "data"}
    assert body["status"] == "success"
    assert body["message"]
    assert set(body["data"]) == {"userId"}
    user_id = body["data"]["userId"]
    assert user_id.startswith("user-")
    read = await client.get(f"/users/{user_id}")
    assert read.status_code == 200
    assert read.json() == {
        "status": "success",
        "data": {"user": {"id": user_id, "username": username, "fullname": "Guy Berryman"}},
    }


@pytest.mark.parametrize("user_id", ["xxx", "user-unknown", f"user-{'0' * 32}", "u" * 300, "%00", "user-%00"])
async def test_a_user_that_does_not_exist_is_not_found(client: httpx.AsyncClient, user_id: str) -> None:
    answer = await client.get(f"/users/{user_id}")

    assert answer.status_code == 404
    assert answer.json()["status"] == "fail"
    assert answer.json()["message"]


@pytest.mark.parametrize("field", ["username", "password", "fullname"])
@pytest.mark.parametrize("value", [None, 1, True, "", [], {}, ["secret"]])
async def test_wrong_values_are_refused(client: httpx.AsyncClient, username: str, field: str, value: object) -> None:
    answer = await client.post("/users", json={**VALID, "username": username} | {field: value})

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"
    assert field in answer.json()["message"]


@pytest.mark.parametrize("field", ["username", "password", "fullname"])
async def test_missing_values_are_refused(client: httpx.AsyncClient, field: str) -> None:
    answer = await client.post("/users", json={key: value for key, value in VALID.items() if key != field})

    assert answer.status_code == 400
    assert field in answer.json()["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"text"', b"\xff"])
async def test_bodies_that_are_no_object_are_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/users", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"


@pytest.mark.parametrize(
    "change",
    [{"username": "u" * 256}, {"username": "  "}, {"username": "a\0b"}, {"fullname": "a\0b"}, {"fullname": "f" * 1001}],
)
async def test_text_that_cannot_be_kept_is_refused(client: httpx.AsyncClient, change: dict[str, str]) -> None:
    answer = await client.post("/users", json=VALID | change)

    assert answer.status_code == 400


@pytest.mark.parametrize("field", ["username", "password", "fullname"])
@pytest.mark.parametrize("path", ["/users", "/authentications"])
async def test_half_of_a_surrogate_pair_is_refused(client: httpx.AsyncClient, path: str, field: str) -> None:
    if path == "/authentications" and field == "fullname":
        field = "username"
    body = json.dumps({**VALID, field: "broken\ud800"}).encode()

    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["status"] == "fail"


@pytest.mark.parametrize(("length", "status"), [(5, 400), (6, 201), (128, 201), (129, 400)])
async def test_a_password_has_6_to_128_characters(
    client: httpx.AsyncClient, username: str, length: int, status: int
) -> None:
    answer = await client.post("/users", json={**VALID, "username": username, "password": "ü" * length})

    assert answer.status_code == status
    assert "ü" not in answer.text, "a password is never repeated"


@pytest.mark.parametrize("suffix", [" ", "É", "🎸", "'; DROP TABLE users; --", "x" * 200])
async def test_a_username_is_kept_exactly_as_given(
    client: httpx.AsyncClient, register: Any, username: str, suffix: str
) -> None:
    user_id = await register(f" {username}{suffix}")

    read = await client.get(f"/users/{user_id}")

    assert read.json()["data"]["user"]["username"] == f" {username}{suffix}"


async def test_of_20_who_register_one_name_at_once_one_gets_it(client: httpx.AsyncClient, username: str) -> None:
    body = {**VALID, "username": username}

    answers = await asyncio.gather(*(client.post("/users", json=body) for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 19
    assert {answer.json()["status"] for answer in answers if answer.status_code == 400} == {"fail"}


async def test_names_that_differ_in_case_are_two_names(register: Any, username: str) -> None:
    assert await register(username) != await register(username.upper())


async def test_a_repeated_registration_registers_once_and_stores_no_secret(
    client: httpx.AsyncClient, connection: Any, username: str
) -> None:
    key = "a-key-of-the-client"
    body = {"username": username, "password": "my-password", "fullname": "Chris Martin"}

    first, repeat = [await client.post("/users", json=body, headers={"Idempotency-Key": key}) for _ in range(2)]

    assert (first.status_code, repeat.status_code, repeat.json()) == (201, 201, first.json())
    cursor = await connection.execute("SELECT k::text AS stored FROM idempotency_keys k")
    stored = "".join([row["stored"] for row in await cursor.fetchall()])
    for secret in (key, "my-password", username):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_other_services_read_a_user_with_their_credential(
    client: httpx.AsyncClient, register: Any, username: str
) -> None:
    user_id = await register(username)

    answer = await client.get(f"/internal/users/{user_id}", headers=TRUSTED)

    assert answer.status_code == 200
    assert answer.json()["data"] == {"id": user_id, "username": username, "version": 1}
    unknown = await client.get("/internal/users/user-unknown", headers=TRUSTED)
    assert unknown.status_code == 404


@pytest.mark.parametrize("path", ["/internal/users/user-unknown", "/internal/users"])
@pytest.mark.parametrize("headers", [{}, {"X-Service-Credential": "guessed"}, {"X-Service-Credential": ""}])
async def test_nobody_else_reads_the_internal_routes(
    client: httpx.AsyncClient, headers: dict[str, str], path: str
) -> None:
    assert (await client.get(path, headers=headers)).status_code == 401


async def test_other_services_read_all_users_page_by_page(
    client: httpx.AsyncClient, register: Any, username: str
) -> None:
    ids = [await register(f"{username}-{number}") for number in range(3)]

    page = (await client.get("/internal/users", params={"after": ids[0], "limit": 1}, headers=TRUSTED)).json()
    rest = (await client.get("/internal/users", params={"after": ids[1]}, headers=TRUSTED)).json()

    assert page["data"] == {"users": [{"id": ids[1], "username": f"{username}-1", "version": 1}]}
    assert rest["data"] == {"users": [{"id": ids[2], "username": f"{username}-2", "version": 1}]}
    for query in ("limit=0", "limit=1001", "after=%00"):
        assert (await client.get(f"/internal/users?{query}", headers=TRUSTED)).status_code == 400
