import asyncio
import os
import threading
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from openmusic_auth.passwords import Passwords

HASH_OF = "SELECT password_hash FROM users WHERE id = %s"


async def stored_hash(connection: AsyncConnection[DictRow], user_id: str) -> str:
    (row,) = await (await connection.execute(HASH_OF, [user_id])).fetchall()
    kept: str = row["password_hash"]
    return kept


async def test_a_password_is_kept_as_the_argon2id_hash_that_owasp_recommends(
    register: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    user_id = await register(username)

    parameters = extract_parameters(await stored_hash(connection, user_id))

    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (7_168, 5, 1)


async def test_two_users_with_one_password_have_different_hashes(
    register: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    first, second = await register(f"{username}1"), await register(f"{username}2")

    assert await stored_hash(connection, first) != await stored_hash(connection, second)


async def test_a_hash_of_older_parameters_is_renewed_at_the_next_login(
    register: Any, log_in: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    user_id = await register(username)
    older = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("secret")
    await connection.execute("UPDATE users SET password_hash = %s WHERE id = %s", [older, user_id])

    await log_in(username)

    renewed = await stored_hash(connection, user_id)
    assert extract_parameters(renewed).memory_cost == 7_168
    await log_in(username)
    assert await stored_hash(connection, user_id) == renewed, "a hash of today's parameters stays"


async def test_a_wrong_password_renews_nothing(
    client: httpx.AsyncClient, register: Any, username: str, connection: AsyncConnection[DictRow]
) -> None:
    user_id = await register(username)
    older = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("secret")
    await connection.execute("UPDATE users SET password_hash = %s WHERE id = %s", [older, user_id])

    answer = await client.post("/authentications", json={"username": username, "password": "mistaken"})

    assert answer.status_code == 401
    assert await stored_hash(connection, user_id) == older


async def test_the_event_loop_turns_while_passwords_are_hashed() -> None:
    passwords = Passwords(memory=131_072, rounds=2)
    hashing = asyncio.create_task(passwords.hash("secret"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 100, "hashing on the loop would have let it turn a few times at most"
    assert await passwords.verify("secret", hashing.result())


async def test_no_more_hashes_are_computed_at_once_than_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(memory=64, rounds=1)
    processors = os.cpu_count() or 1
    full = threading.Barrier(processors, timeout=10)
    now, most, counting = 0, 0, threading.Lock()
    compute = PasswordHasher.hash

    def counted(self: PasswordHasher, password: str) -> str:
        nonlocal now, most
        with counting:
            now += 1
            most = max(most, now)
        full.wait()
        hashed = compute(self, password)
        with counting:
            now -= 1
        full.wait()
        return hashed

    monkeypatch.setattr(PasswordHasher, "hash", counted)
    await asyncio.gather(*(passwords.hash("secret") for _ in range(processors * 3)))

    assert most == processors


@pytest.mark.parametrize("stored", ["", "plain text", "$argon2id$v=19$m=64,t=1,p=1$broken"])
async def test_a_hash_that_is_none_matches_nothing(stored: str) -> None:
    assert not await Passwords(memory=64, rounds=1).verify("secret", stored)
