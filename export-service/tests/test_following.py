"""What the requester is told about an export, by ``GET /export/{id}`` and ``GET /export``."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from openmusic_export.exports.schemas import PROBLEMS
from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

Bearer = Callable[[str], dict[str, str]]


@pytest.fixture
def add(connection: Any) -> Any:
    async def add(owner: str, status: str = "pending", problem: str | None = None) -> str:
        job_id = new_id("export")
        await connection.execute(
            """
            INSERT INTO export_jobs (id, playlist_id, target_email, requested_by, status, problem, settled_at)
            VALUES (%s, 'playlist-1', 'a@mail.test', %s, %s, %s, CASE WHEN %s <> 'pending' THEN now() END)
            """,
            [job_id, owner, status, problem, status],
        )
        return job_id

    return add


async def followed(client: httpx.AsyncClient, export_id: str, headers: dict[str, str]) -> dict[str, Any]:
    answer = await client.get(f"/export/{export_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]["export"]
    return found


async def test_an_export_that_was_just_requested_is_pending(
    client: httpx.AsyncClient, bearer: Bearer, export: Any, neighbours: Any, jobs: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id, "listener@mail.test")
    job = await jobs.of(playlist_id)

    found = await followed(client, job["id"], bearer("user-a"))

    assert found.pop("createdAt")
    assert found == {
        "id": job["id"],
        "playlistId": playlist_id,
        "targetEmail": "listener@mail.test",
        "format": "json",
        "state": "pending",
        "attempts": 0,
        "problem": None,
        "finishedAt": None,
    }


@pytest.mark.parametrize(
    ("replies", "problem"),
    [
        ({"RCPT": "550 no such person"}, "rejected"),
        ({"MAIL": "451 later"}, "mail_server_unavailable"),
    ],
)
@pytest.mark.usefixtures("worker")
async def test_the_reason_is_told_in_words_for_people_and_not_in_those_of_the_mail_server(
    client: httpx.AsyncClient,
    bearer: Bearer,
    export: Any,
    neighbours: Any,
    mail_server: Any,
    jobs: Any,
    replies: dict[str, str],
    problem: Any,
) -> None:
    mail_server.replies.update(replies)
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    job_id = (await jobs.of(playlist_id))["id"]

    async def tried() -> Any:
        found = await followed(client, job_id, bearer("user-a"))
        return found if found["problem"] else None

    found = await eventually(tried)

    assert found["problem"] == PROBLEMS[problem]
    assert found["state"] == ("failed" if problem == "rejected" else "pending")
    assert bool(found["finishedAt"]) is (problem == "rejected")
    if problem != "rejected":
        mail_server.replies.clear()
        await eventually(lambda: _state_is(client, job_id, bearer("user-a"), "sent"))
        assert (await followed(client, job_id, bearer("user-a")))["problem"] is None


async def test_the_export_of_a_playlist_that_was_deleted_meanwhile_says_so(
    client: httpx.AsyncClient,
    bearer: Bearer,
    export: Any,
    neighbours: Any,
    jobs: Any,
    run_worker: Any,
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    await export(playlist_id)
    del neighbours.playlists[playlist_id]
    job_id = (await jobs.of(playlist_id))["id"]

    async with run_worker():
        await eventually(lambda: _state_is(client, job_id, bearer("user-a"), "cancelled"))

    assert (await followed(client, job_id, bearer("user-a")))["problem"] == PROBLEMS["playlist_deleted"]


async def _state_is(client: httpx.AsyncClient, export_id: str, headers: dict[str, str], *wanted: str) -> bool:
    return (await followed(client, export_id, headers))["state"] in wanted


@pytest.mark.parametrize(
    ("status", "problem", "told"),
    [
        ("failed", "unconfirmed", PROBLEMS["unconfirmed"]),
        ("failed", None, "The export failed"),  # it failed before problems were recorded
        ("sent", None, None),
    ],
)
async def test_a_settled_export_tells_its_problem(
    client: httpx.AsyncClient, bearer: Bearer, add: Any, status: str, problem: str | None, told: str | None
) -> None:
    export_id = await add("user-a", status, problem)

    found = await followed(client, export_id, bearer("user-a"))

    assert (found["state"], found["problem"], bool(found["finishedAt"])) == (status, told, True)


async def test_nobody_else_sees_it(client: httpx.AsyncClient, bearer: Bearer, add: Any) -> None:
    export_id = await add("user-a")

    answers = [
        await client.get(f"/export/{export_id}", headers=bearer("user-b")),
        await client.get(f"/export/{new_id('export')}", headers=bearer("user-b")),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json(), "an id of another user's export looks like any other"
    assert export_id not in (await client.get("/export", headers=bearer("user-b"))).text
    assert (await client.get(f"/export/{export_id}")).status_code == 401
    assert (await client.get("/export")).status_code == 401


@pytest.mark.parametrize("export_id", ["xxx", "%00", "export-", "export-1", "x" * 300])
async def test_an_id_that_names_no_export_is_not_found(
    client: httpx.AsyncClient, bearer: Bearer, export_id: str
) -> None:
    assert (await client.get(f"/export/{export_id}", headers=bearer("user-a"))).status_code == 404


async def test_the_list_has_all_of_mine_newest_first_page_by_page(
    client: httpx.AsyncClient, bearer: Bearer, add: Any
) -> None:
    owner = new_id("user")
    mine = [await add(owner) for _ in range(5)]
    await add("user-b")

    whole = (await client.get("/export", headers=bearer(owner))).json()["data"]["exports"]
    pages, path = [], "/export?limit=2"
    while path:
        answer = await client.get(path, headers=bearer(owner))
        pages.append([each["id"] for each in answer.json()["data"]["exports"]])
        path = answer.headers.get("Link", "<>").removeprefix("<").partition(">")[0]

    assert [each["id"] for each in whole] == mine[::-1]
    assert pages == [mine[:2:-1], mine[2:0:-1], mine[:1]]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=!", "cursor=AA"])
async def test_a_page_that_makes_no_sense_is_refused(client: httpx.AsyncClient, bearer: Bearer, query: str) -> None:
    assert (await client.get(f"/export?{query}", headers=bearer("user-a"))).status_code == 400
