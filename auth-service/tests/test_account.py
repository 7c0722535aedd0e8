"""What users do with their own account: name, password and sessions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from psycopg import AsyncConnection

from openmusic_auth.settings import Settings
from openmusic_kit.database.database import connection_string
from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

ME = "/users/me"
NEW = "another secret"


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == "fail"
    assert answer.json()["message"]


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


@pytest.fixture
async def user_id(register: Any, username: str) -> str:
    registered: str = await register(username)
    return registered


@pytest.fixture
async def tokens(user_id: str, log_in: Any, username: str) -> dict[str, str]:
    assert user_id
    logged_in: dict[str, str] = await log_in(username)
    return logged_in


@pytest.fixture
def me(tokens: dict[str, str]) -> dict[str, str]:
    return bearer(tokens)


@pytest.fixture
def refreshes(client: httpx.AsyncClient) -> Callable[[dict[str, str]], Awaitable[bool]]:
    async def refreshes(tokens: dict[str, str]) -> bool:
        answer = await client.put("/authentications", json={"refreshToken": tokens["refreshToken"]})
        return answer.status_code == 200

    return refreshes


@pytest.fixture
def change_password(client: httpx.AsyncClient, me: dict[str, str]) -> Callable[..., Awaitable[httpx.Response]]:
    async def change(password: Any = "secret", new_password: Any = NEW, **more: Any) -> httpx.Response:
        body = {"password": password, "newPassword": new_password, **more}
        return await client.put(f"{ME}/password", json=body, headers=me)

    return change


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ME),
        ("PATCH", ME),
        ("DELETE", ME),
        ("PUT", f"{ME}/password"),
        ("GET", f"{ME}/sessions"),
        ("DELETE", f"{ME}/sessions"),
        ("DELETE", f"{ME}/sessions/x"),
        ("GET", "/users?username=x"),
    ],
)
@pytest.mark.parametrize("authorization", [None, "Bearer x.y.z", "Basic dXNlcjpzZWNyZXQ="])
async def test_a_token_is_asked_for_before_anything_else(
    client: httpx.AsyncClient, method: str, path: str, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    refused(await client.request(method, path, content=b"{", headers=headers), 401)


async def test_the_token_of_a_user_who_is_gone_is_refused(
    client: httpx.AsyncClient, me: dict[str, str], connection: Any, user_id: str
) -> None:
    await connection.execute("DELETE FROM users WHERE id = %s", [user_id])

    refused(await client.get(ME, headers=me), 401)
    refused(await client.patch(ME, json={"fullname": "Nobody"}, headers=me), 401)
    body = {"password": "secret", "newPassword": NEW}
    refused(await client.put(f"{ME}/password", json=body, headers=me), 401)
    refused(await client.request("DELETE", ME, json={"password": "secret"}, headers=me), 401)


async def test_my_account_is_deleted_with_all_sessions_and_its_name_is_free(
    client: httpx.AsyncClient, tokens: dict[str, str], refreshes: Any, user_id: str, username: str, register: Any
) -> None:
    answer = await client.request("DELETE", ME, json={"password": "secret"}, headers=bearer(tokens))

    assert (answer.status_code, answer.json()) == (200, {"status": "success", "message": "Account deleted"})
    assert answer.headers["Cache-Purge"] == f"user:{user_id}"
    refused(await client.get(f"/users/{user_id}"), 404)
    refused(await client.get(ME, headers=bearer(tokens)), 401)
    assert not await refreshes(tokens)
    login = {"username": username, "password": "secret"}
    refused(await client.post("/authentications", json=login), 401)
    assert await register(username) != user_id


@pytest.mark.parametrize(
    ("body", "status"), [({"password": "wrong"}, 403), ({}, 400), ({"password": 1}, 400), ({"password": ""}, 400)]
)
async def test_my_account_is_deleted_only_with_my_password(
    client: httpx.AsyncClient, me: dict[str, str], refreshes: Any, tokens: dict[str, str], body: Any, status: int
) -> None:
    refused(await client.request("DELETE", ME, json=body, headers=me), status)
    assert (await client.get(ME, headers=me)).status_code == 200
    assert await refreshes(tokens)


async def test_of_two_deletions_at_once_one_succeeds(client: httpx.AsyncClient, me: dict[str, str]) -> None:
    both = [client.request("DELETE", ME, json={"password": "secret"}, headers=me) for _ in range(2)]

    statuses = sorted([answer.status_code for answer in await asyncio.gather(*both)])

    assert statuses in ([200, 401], [200, 403])  # the second finds no user, or no longer that password


async def test_i_see_and_change_my_name(
    client: httpx.AsyncClient, me: dict[str, str], user_id: str, username: str
) -> None:
    before = await client.get(ME, headers=me)
    changed = await client.patch(ME, json={"fullname": "Jonny Buckland", "id": "ignored"}, headers=me)

    user = {"id": user_id, "username": username, "fullname": "Chris Martin"}
    assert before.json()["data"] == {"user": user}
    assert "private" in before.headers["Cache-Control"]
    expected = {"user": user | {"fullname": "Jonny Buckland"}}
    assert (changed.status_code, changed.json()["data"]) == (200, expected)
    assert changed.headers["Cache-Purge"] == f"user:{user_id}"
    assert (await client.get(ME, headers=me)).json()["data"] == expected
    public = await client.get(f"/users/{user_id}")
    assert public.json()["data"] == expected
    assert public.headers["Cache-Tag"] == before.headers["Cache-Tag"] == f"user:{user_id}"


async def test_i_change_my_username_and_log_in_with_it(
    client: httpx.AsyncClient, tokens: dict[str, str], refreshes: Any, user_id: str, username: str, register: Any
) -> None:
    renamed = f"{username}-renamed"
    for _ in range(2):
        answer = await client.patch(ME, json={"username": renamed}, headers=bearer(tokens))

        user = {"id": user_id, "username": renamed, "fullname": "Chris Martin"}
        assert (answer.status_code, answer.json()["data"]) == (200, {"user": user})
        assert answer.headers["Cache-Purge"] == f"user:{user_id}"
    assert (await client.get(f"/users/{user_id}")).json()["data"]["user"]["username"] == renamed
    assert await refreshes(tokens)
    statuses = [
        (await client.post("/authentications", json={"username": name, "password": "secret"})).status_code
        for name in (username, renamed)
    ]
    assert statuses == [401, 201]
    assert await register(username) != user_id, "the old name is free"


async def test_a_username_that_somebody_has_is_refused_and_nothing_changes(
    client: httpx.AsyncClient, me: dict[str, str], register: Any, username: str
) -> None:
    await register(f"{username}-2")

    refused(await client.patch(ME, json={"username": f"{username}-2", "fullname": "New"}, headers=me), 400)

    found = (await client.get(ME, headers=me)).json()["data"]["user"]
    assert (found["username"], found["fullname"]) == (username, "Chris Martin")


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"fullname": 1}, {"fullname": " "}, {"fullname": "a\0"}, {"fullname": None}, [], {"id": "x"}),
        *({"username": 1}, {"username": ""}, {"username": "x" * 256}, {"username": None, "fullname": "New"}),
    ],
)
async def test_a_name_that_makes_no_sense_is_refused(client: httpx.AsyncClient, me: dict[str, str], body: Any) -> None:
    refused(await client.patch(ME, json=body, headers=me), 400)
    assert (await client.get(ME, headers=me)).json()["data"]["user"]["fullname"] == "Chris Martin"


async def test_a_user_is_found_by_the_exact_name(
    client: httpx.AsyncClient, me: dict[str, str], user_id: str, username: str
) -> None:
    async def found(name: str) -> Any:
        answer = await client.get("/users", params={"username": name}, headers=me)
        assert answer.status_code == 200
        return answer.json()["data"]["users"]

    assert await found(username) == [{"id": user_id, "username": username, "fullname": "Chris Martin"}]
    for other in (username.upper(), username[:-1], f"{username} ", "%", "", "x" * 2000):
        assert await found(other) == []
    refused(await client.get("/users", headers=me), 400)
    refused(await client.get("/users?username=%00", headers=me), 400)


async def test_a_changed_password_logs_in_and_the_old_one_does_not(
    client: httpx.AsyncClient, change_password: Any, log_in: Any, username: str
) -> None:
    answer = await change_password()

    assert (answer.status_code, answer.json()["status"], bool(answer.json()["message"])) == (200, "success", True)
    assert await log_in(username, NEW)
    refused(await client.post("/authentications", json={"username": username, "password": "secret"}), 401)


async def test_a_changed_password_ends_all_sessions_but_the_one_that_is_named(
    change_password: Any, log_in: Any, refreshes: Any, username: str, tokens: dict[str, str], register: Any
) -> None:
    await register(f"{username}-other")
    others, somebody = await log_in(username), await log_in(f"{username}-other")

    assert (await change_password(refreshToken=tokens["refreshToken"])).status_code == 200

    assert [await refreshes(each) for each in (tokens, others, somebody)] == [True, False, True]
    assert (await change_password(NEW, "yet another", refreshToken=somebody["refreshToken"])).status_code == 200
    assert [await refreshes(each) for each in (tokens, somebody)] == [False, True]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"password": "wrong!"}, 403),
        ({"password": ""}, 400),
        ({"password": None}, 400),
        ({"password": "s" * 129}, 400),
        ({"new_password": "short"}, 400),
        ({"new_password": "x" * 129}, 400),
        ({"new_password": 123456}, 400),
        ({"refreshToken": 1}, 400),
    ],
)
async def test_a_change_that_is_refused_changes_nothing(
    change_password: Any, refreshes: Any, log_in: Any, username: str, tokens: dict[str, str], body: Any, status: int
) -> None:
    answer = await change_password(**body)

    refused(answer, status)
    assert "wrong!" not in answer.text
    assert await refreshes(tokens)
    assert await log_in(username)


async def test_of_two_changes_at_once_one_wins(client: httpx.AsyncClient, change_password: Any, username: str) -> None:
    answers = await asyncio.gather(*(change_password("secret", f"new secret {number}") for number in range(4)))

    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200, 403, 403, 403]
    winner = f"new secret {statuses.index(200)}"
    login = await client.post("/authentications", json={"username": username, "password": winner})
    assert login.status_code == 201


async def test_a_login_with_the_old_password_does_not_outlive_its_change(
    client: httpx.AsyncClient, change_password: Any, username: str, monkeypatch: pytest.MonkeyPatch, app: Any
) -> None:
    """The password is changed while a login that has verified it is about to store its session."""
    passwords = app.state.authentications._passwords
    verify = passwords.verify

    async def changed_meanwhile(password: str, stored: str | None) -> bool:
        verified: bool = await verify(password, stored)
        monkeypatch.setattr(passwords, "verify", verify)
        assert (await change_password()).status_code == 200
        return verified

    monkeypatch.setattr(passwords, "verify", changed_meanwhile)
    answer = await client.post("/authentications", json={"username": username, "password": "secret"})

    refused(answer, 401)


async def test_my_sessions_are_listed_newest_first_and_end_one_by_one(
    client: httpx.AsyncClient, me: dict[str, str], tokens: dict[str, str], username: str, refreshes: Any
) -> None:
    login = {"username": username, "password": "secret"}
    phone = await client.post("/authentications", json=login, headers={"User-Agent": "Phone/1 " + "x" * 400})

    sessions = (await client.get(f"{ME}/sessions", headers=me)).json()["data"]["sessions"]

    assert [each["userAgent"][:7] for each in sessions] == ["Phone/1", "python-"]
    assert len(sessions[0]["userAgent"]) == 300
    assert all(each.keys() == {"id", "createdAt", "expiresAt", "userAgent"} for each in sessions)
    assert all(each["createdAt"] < each["expiresAt"] for each in sessions)
    assert (await client.delete(f"{ME}/sessions/{sessions[0]['id']}", headers=me)).status_code == 200
    assert [await refreshes(each) for each in (phone.json()["data"], tokens)] == [False, True]
    refused(await client.delete(f"{ME}/sessions/{sessions[0]['id']}", headers=me), 404)
    assert (await client.get(f"{ME}/sessions", headers=me)).json()["data"]["sessions"] == sessions[1:]


async def test_sessions_of_others_and_what_names_none_are_not_found(
    client: httpx.AsyncClient, me: dict[str, str], register: Any, log_in: Any, username: str, refreshes: Any
) -> None:
    await register(f"{username}-other")
    other = await log_in(f"{username}-other")
    (session,) = (await client.get(f"{ME}/sessions", headers=bearer(other))).json()["data"]["sessions"]

    for session_id in (session["id"], new_id("session"), "xxx", "%00", "x" * 300):
        refused(await client.delete(f"{ME}/sessions/{session_id}", headers=me), 404)
    assert await refreshes(other)


async def test_an_expired_session_is_not_there(
    client: httpx.AsyncClient, me: dict[str, str], connection: Any, user_id: str
) -> None:
    (session,) = (await client.get(f"{ME}/sessions", headers=me)).json()["data"]["sessions"]
    await connection.execute("UPDATE refresh_tokens SET expires_at = now() WHERE user_id = %s", [user_id])

    assert (await client.get(f"{ME}/sessions", headers=me)).json()["data"] == {"sessions": []}
    refused(await client.delete(f"{ME}/sessions/{session['id']}", headers=me), 404)


async def test_sessions_come_page_by_page(
    client: httpx.AsyncClient, me: dict[str, str], log_in: Any, username: str
) -> None:
    for _ in range(4):
        await log_in(username)
    whole = (await client.get(f"{ME}/sessions", headers=me)).json()["data"]["sessions"]

    pages, path = [], f"{ME}/sessions?limit=2"
    while path:
        answer = await client.get(path, headers=me)
        pages.append(answer.json()["data"]["sessions"])
        path = answer.headers.get("Link", "<>").removeprefix("<").partition(">")[0]

    assert pages == [whole[:2], whole[2:4], whole[4:]]
    for query in ("limit=0", "limit=1001", "cursor=!"):
        refused(await client.get(f"{ME}/sessions?{query}", headers=me), 400)


async def test_logging_out_everywhere_ends_all_of_my_sessions_and_nobody_elses(
    client: httpx.AsyncClient,
    me: dict[str, str],
    tokens: dict[str, str],
    register: Any,
    log_in: Any,
    username: str,
    refreshes: Any,
) -> None:
    await register(f"{username}-other")
    mine, other = await log_in(username), await log_in(f"{username}-other")

    answer = await client.delete(f"{ME}/sessions", headers=me)

    assert (answer.status_code, answer.json()["status"]) == (200, "success")
    assert [await refreshes(each) for each in (tokens, mine, other)] == [False, False, True]
    assert await log_in(username), "a new login begins a new session"


async def test_an_account_that_was_changed_meanwhile_is_not_changed(
    client: httpx.AsyncClient, me: dict[str, str], connection: Any, user_id: str, settings: Settings
) -> None:
    read = {**me, "If-Match": (await client.get(ME, headers=me)).headers["ETag"]}

    async with connection.transaction():
        await connection.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", [user_id])
        changes = [asyncio.create_task(client.patch(ME, json={"fullname": name}, headers=read)) for name in ("A", "B")]
        async with await AsyncConnection.connect(connection_string(settings), autocommit=True) as observer:

            async def both_wait() -> bool:
                cursor = await observer.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                return len(await cursor.fetchall()) == len(changes)

            await eventually(both_wait)

    answers = [await each for each in changes]
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    kept = next(answer for answer in answers if answer.status_code == 200).json()["data"]
    now = await client.get(ME, headers=me)
    assert now.json()["data"] == kept
    again = await client.patch(ME, json={"fullname": "C"}, headers={**me, "If-Match": now.headers["ETag"]})
    assert again.json()["data"]["user"]["fullname"] == "C"
    assert (await client.patch(ME, json={"fullname": "D"}, headers={**me, "If-None-Match": "*"})).status_code == 412
