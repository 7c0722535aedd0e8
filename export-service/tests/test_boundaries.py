"""The API's limits from both sides, and what must not be kept or sent."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

Bearer = Callable[[str], dict[str, str]]
LOCAL = "l" * 64  # octets: RFC 5321, section 4.5.3.1.1
LABEL = "d" * 63  # octets: RFC 1035, section 2.3.4


async def post(client: httpx.AsyncClient, playlist_id: str, address: Any, headers: Any) -> httpx.Response:
    return await client.post(f"/export/playlists/{playlist_id}", json={"targetEmail": address}, headers=headers)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("a@b.cd", 201),
        (f"{LOCAL}@mail.test", 201),
        (f"{LOCAL}l@mail.test", 400),
        (f"a@{LABEL}.test", 201),
        (f"a@{LABEL}d.test", 400),
        (f"{LOCAL}@{LABEL}.{LABEL}.{'d' * 57}.com", 201),  # 254 octets: RFC 5321, section 4.5.3.1.3
        (f"{LOCAL}@{LABEL}.{LABEL}.{'d' * 58}.com", 400),
        ("first.last+tag@sub.mail.test", 201),
        ("o'neill@mail.test", 201),
        (".a@mail.test", 400),
        ("a.@mail.test", 400),
        ("a..b@mail.test", 400),
        ("a@mail..test", 400),
        ("a@.mail.test", 400),
        ("a@mail.test.", 400),
        ("a@-mail.test", 400),
        ("a@mail-.test", 400),
        ("a@mail.test;b@mail.test", 400),
        ("a@b@mail.test", 400),
        ("a%0d%0a@mail.test", 201),  # percent signs are letters of a name
    ],
)
async def test_an_address_is_what_the_mail_standards_say(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, jobs: Any, address: str, status: int
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    before = await jobs.count()

    answer = await post(client, playlist_id, address, bearer("user-a"))

    assert answer.status_code == status, answer.text
    assert await jobs.count() == before + (status == 201)
    if status == 201:
        assert (await jobs.of(playlist_id))["target_email"] == address


async def test_an_answer_is_kept_nowhere_and_purges_nothing(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")

    for user, wanted in (("user-a", 201), ("user-b", 403)):
        answer = await post(client, playlist_id, "a@mail.test", bearer(user))
        assert answer.status_code == wanted
        assert {"cache-tag", "cache-purge"}.isdisjoint(answer.headers)


async def test_a_playlist_that_is_not_there_is_not_found_whoever_asks(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any
) -> None:
    neighbours.add_playlist("user-a")

    for user in ("user-a", "user-b"):
        answer = await post(client, new_id("playlist"), "a@mail.test", bearer(user))
        assert (answer.status_code, answer.json()["message"]) == (404, "There is no such playlist")


async def test_names_of_users_are_compared_whole(client: httpx.AsyncClient, bearer: Bearer, neighbours: Any) -> None:
    playlist_id = neighbours.add_playlist("user-a")

    for other in ("user-", "user-A", "user-aa", "user-a "):
        answer = await post(client, playlist_id, "a@mail.test", bearer(other))
        assert answer.status_code == 403, other


async def test_each_request_is_a_job_of_its_own_with_one_message(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    before = await jobs.count()
    for _ in range(3):
        assert (await post(client, playlist_id, "a@mail.test", bearer("user-a"))).status_code == 201
    assert (await post(client, playlist_id, "a@mail.test", bearer("user-b"))).status_code == 403
    assert (await post(client, playlist_id, "nothing", bearer("user-a"))).status_code == 400

    messages = [json.loads((await eventually(lambda: queues.take("export.jobs"))).body) for _ in range(3)]

    async def all_announced() -> bool:
        return bool(await jobs.unannounced() == 0)

    await eventually(all_announced)
    assert await queues.depth("export.jobs") == 0
    assert await jobs.count() == before + 3
    assert len({message["data"]["jobId"] for message in messages}) == 3
    assert {message["sequence"] for message in messages} == {1}
