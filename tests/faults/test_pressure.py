"""Small crowds that once hung, or saw what was gone, while no part failed at all."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import jwt
import pytest
from clients import Answer, Client, Journal, User, client, register, register_many
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from openmusic_local.stack import Stack

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(300)]

LONGEST_REQUEST = 15.0  # seconds
RECOVERS_WITHIN = 10.0
MEMBERS = 200  # at the least; the names of 170 fill a header of 8 kB
SONG = {"title": "Clocks", "year": 2002, "genre": "Rock", "performer": "Coldplay"}


@pytest.fixture
async def http(urls: list[str]) -> AsyncIterator[Client]:
    """Of both gateways; no request may have taken too long."""
    journal = Journal()
    async with client(*urls, journal=journal) as http:
        yield http
    assert journal.slowest[0] < LONGEST_REQUEST, journal.slowest


async def made(http: Client, path: str, body: object, key: str, user: User | None = None) -> str:
    answer = await http.ask("POST", path, body, user)
    assert answer.status == 201, answer
    return str(answer.data[key])


async def many(http: Client, number: int, path: str, body: object, key: str, user: User | None = None) -> list[str]:
    places = asyncio.Semaphore(32)

    async def one() -> str:
        async with places:
            return await made(http, path, body, key, user)

    return await asyncio.gather(*(one() for _ in range(number)))


def statuses(answers: list[Answer]) -> set[int]:
    return {answer.status for answer in answers}


async def test_many_who_add_one_song_just_after_many_songs_were_made_all_succeed(
    http: Client, users: list[User]
) -> None:
    playlists = await many(http, 32, "/playlists", {"name": "Rush"}, "playlistId", users[0])
    *_, song_id = await many(http, 600, "/songs", SONG, "songId")

    async def add(playlist_id: str, gateway: int) -> Answer:
        path = f"/playlists/{playlist_id}/songs"
        return await http.ask("POST", path, {"songId": song_id}, users[0], gateway=gateway)

    turns = itertools.cycle(http.gateways)
    assert statuses(await asyncio.gather(*map(add, playlists, turns))) == {201}
    for playlist_id in playlists:
        shown = await http.ask("GET", f"/playlists/{playlist_id}/songs", user=users[0])
        assert [song["id"] for song in shown.data["playlist"]["songs"]] == [song_id]


async def test_a_playlist_with_hundreds_of_members_is_gone_for_all_of_them_when_its_deletion_is_answered(
    http: Client, users: list[User]
) -> None:
    more = [f"member_{secrets.token_hex(6)}" for _ in range(MEMBERS + 1 - len(users))]
    owner, *members = [*users, *(await register_many(http, more))]
    playlist_id = await made(http, "/playlists", {"name": "Of all"}, "playlistId", owner)
    path, places = f"/playlists/{playlist_id}/songs", asyncio.Semaphore(32)

    async def invite(member: User) -> Answer:
        async with places:
            return await http.ask("POST", "/collaborations", {"playlistId": playlist_id, "userId": member.id}, owner)

    async def read(member: User, gateway: int) -> Answer:
        async with places:
            return await http.ask("GET", path, user=member, gateway=gateway)

    async def read_by(readers: list[User]) -> set[int]:
        asked = itertools.product(readers, http.gateways)
        return statuses(await asyncio.gather(*(read(member, gateway) for member, gateway in asked)))

    assert statuses(await asyncio.gather(*map(invite, members))) == {201}
    assert await read_by(members) == {200}
    last = members[-8:]  # whose answers are fresh enough to be kept still
    assert await read_by(last) == {200}

    deleted = await http.ask("DELETE", f"/playlists/{playlist_id}", user=owner)

    assert deleted.status == 200, deleted
    assert await read_by(last) == {404}
    assert await read_by(members) == {404}


async def test_tokens_of_unknown_keys_are_answered_in_time_while_auth_hangs(http: Client, stack: Stack) -> None:
    """Whether their keys are good nobody can know just then, so that they are not refused for good."""
    key = Ed25519PrivateKey.generate()
    now = int(time.time())
    claims = {"iss": "openmusic-auth", "aud": "openmusic", "sub": f"user-{secrets.token_hex(16)}", "iat": now}

    def stranger() -> User:
        header = {"kid": secrets.token_hex(16), "typ": "at+jwt"}
        return User(claims["sub"], "stranger", jwt.encode({**claims, "exp": now + 600}, key, "EdDSA", headers=header))

    async def ask(gateway: int) -> Answer:
        return await http.ask("GET", "/playlists", user=stranger(), gateway=gateway)

    stack.kill("auth", "STOP")
    try:
        answers = await asyncio.gather(*(ask(gateway) for gateway in [*http.gateways] * 5))
    finally:
        stack.kill("auth", "CONT")
    assert statuses(answers) == {503}
    async with asyncio.timeout(RECOVERS_WITHIN):  # a failure to fetch keys is remembered for a moment
        while statuses([await ask(gateway) for gateway in http.gateways]) != {401}:
            await asyncio.sleep(0.1)


async def test_a_friend_who_keeps_adding_changes_nothing_once_the_removal_was_answered(http: Client) -> None:
    owner, friend = [await register(http, f"{who}_{secrets.token_hex(6)}") for who in ("owner", "friend")]
    playlist_id = await made(http, "/playlists", {"name": "Ours"}, "playlistId", owner)
    body, path = {"playlistId": playlist_id, "userId": friend.id}, f"/playlists/{playlist_id}/songs"
    await made(http, "/collaborations", body, "collaborationId", owner)
    songs = iter(await many(http, 200, "/songs", SONG, "songId"))
    removed = asyncio.Event()

    async def hammer(gateway: int) -> list[tuple[bool, int]]:
        """Whether each request began after the removal was answered, and its status."""
        asked = []
        for song_id in songs:
            late = removed.is_set()
            answer = await http.ask("POST", path, {"songId": song_id}, friend, gateway=gateway)
            asked.append((late, answer.status))
            if late and sum(each[0] for each in asked) > 3:
                break
        return asked

    async def shown() -> list[str]:
        answer = await http.ask("GET", path, user=owner, gateway=1)
        return [song["id"] for song in answer.data["playlist"]["songs"]]

    hammering = [asyncio.create_task(hammer(gateway)) for gateway in [*http.gateways] * 4]
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_REQUEST):
            while len(await shown()) < 10:
                await asyncio.sleep(0.02)
    assert (await http.ask("DELETE", "/collaborations", body, owner)).status == 200
    removed.set()
    at_removal = await shown()
    asked = [each for some in await asyncio.gather(*hammering) for each in some]

    assert {status for late, status in asked if late} == {403}
    assert {status for _, status in asked} == {201, 403}
    assert await shown() == at_removal
    assert len(at_removal) == sum(status == 201 for _, status in asked)
