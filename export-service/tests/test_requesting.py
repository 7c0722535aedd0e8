"""The API: who may ask for what, in which order it is checked, and what is kept of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually

CONTRACT = Path(__file__).parents[2] / "contracts" / "events" / "export.requested.v1.schema.json"
NOWHERE = "127.0.0.1:1"  # nothing listens there

Bearer = Callable[[str], dict[str, str]]


async def post(client: httpx.AsyncClient, playlist_id: str, body: Any, headers: Any = None) -> httpx.Response:
    return await client.post(f"/export/playlists/{playlist_id}", json=body, headers=headers)


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == ("fail" if status < 500 else "error")
    assert answer.json()["message"]


async def test_the_owner_is_told_that_it_is_under_way(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, jobs: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")

    answer = await post(client, playlist_id, {"targetEmail": "listener@mail.test", "extra": 1}, bearer("user-a"))

    assert answer.status_code == 201
    job = await jobs.of(playlist_id)
    data = {"exportId": job["id"]}
    assert answer.json() == {"status": "success", "message": "Permintaan Anda sedang kami proses", "data": data}
    assert answer.headers["Location"] == f"/export/{job['id']}"
    kept = {name: job[name] for name in ("target_email", "requested_by", "status", "attempts")}
    assert kept == {
        "target_email": "listener@mail.test",
        "requested_by": "user-a",
        "status": "pending",
        "attempts": 0,
    }


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer x.y.z", "Basic dXNlcjpzZWNyZXQ="])
async def test_a_token_is_asked_for_before_anything_else(client: httpx.AsyncClient, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    refused(await client.post("/export/playlists/xxx", content=b"{", headers=headers), 401)


async def test_the_body_is_checked_before_the_playlist(client: httpx.AsyncClient, bearer: Bearer) -> None:
    refused(await post(client, new_id("playlist"), {"targetEmail": "nothing"}, bearer("user-a")), 400)
    refused(await post(client, "xxx", {}, bearer("user-a")), 400)


@pytest.mark.parametrize(
    "address",
    [
        None,
        1,
        True,
        ["a@mail.test"],
        "",
        " ",
        "nothing",
        "a@",
        "@mail.test",
        "a@b",
        "a@localhost",
        "a b@mail.test",
        "a@mail.test, b@mail.test",
        "A <a@mail.test>",
        "<a@mail.test>",
        " a@mail.test",
        "a@mail.test\n",
        "a@mail.test\r\nBcc: b@mail.test",
        "a\r\nBcc: b@mail.test\r\n@mail.test",
        "a@mail.test\0",
        '"a\r\n"@mail.test',
        "a@[127.0.0.1]",
        "ü@mail.test",
        "a" * 65 + "@mail.test",
        "a@" + "b" * 300 + ".test",
    ],
)
async def test_what_is_no_address_is_refused_and_nothing_is_kept(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, jobs: Any, address: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    before = await jobs.count()

    refused(await post(client, playlist_id, {"targetEmail": address}, bearer("user-a")), 400)

    assert await jobs.count() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b"\xff"])
async def test_a_body_that_is_no_request_is_refused(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, body: bytes
) -> None:
    headers = {**bearer("user-a"), "Content-Type": "application/json"}
    path = f"/export/playlists/{neighbours.add_playlist('user-a')}"
    refused(await client.post(path, content=body, headers=headers), 400)


async def test_a_domain_is_kept_as_mail_servers_know_it(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, jobs: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")

    answer = await post(client, playlist_id, {"targetEmail": "Any.One@Bücher.example"}, bearer("user-a"))

    assert answer.status_code == 201
    assert (await jobs.of(playlist_id))["target_email"] == "Any.One@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "playlist_id",
    [
        pytest.param(new_id("playlist"), id="of no playlist"),  # workers must name the tests alike
        pytest.param(new_id("song"), id="of a song"),
        *("xxx", "%00", "..%2Fx", "x" * 300, "%20"),
    ],
)
async def test_an_id_that_names_nothing_is_not_found(
    client: httpx.AsyncClient, bearer: Bearer, playlist_id: str
) -> None:
    refused(await post(client, playlist_id, {"targetEmail": "a@mail.test"}, bearer("user-a")), 404)


async def test_nobody_but_the_owner_may_export(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, jobs: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    before = await jobs.count()

    refused(await post(client, playlist_id, {"targetEmail": "a@mail.test"}, bearer("user-b")), 403)

    assert await jobs.count() == before


@pytest.mark.parametrize("trouble", ["down", "garbled"])
async def test_a_playlist_service_that_does_not_answer_well_is_worth_another_try(
    client: httpx.AsyncClient, bearer: Bearer, neighbours: Any, trouble: str
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    getattr(neighbours, trouble).add("playlists")

    answer = await post(client, playlist_id, {"targetEmail": "a@mail.test"}, bearer("user-a"))

    refused(answer, 503)
    assert answer.headers["Retry-After"]


async def test_a_playlist_service_that_is_away_is_worth_another_try(
    run_api: Any, bearer: Bearer, neighbours: Any
) -> None:
    async with run_api(playlist_url=f"http://{NOWHERE}") as client:
        answer = await post(client, neighbours.add_playlist("user-a"), {"targetEmail": "a@b.test"}, bearer("user-a"))
    refused(answer, 503)


async def test_other_methods_and_paths_are_refused_in_the_same_shape(client: httpx.AsyncClient) -> None:
    refused(await client.get(f"/export/playlists/{new_id('playlist')}"), 405)
    refused(await client.post("/export/playlists"), 405)


async def test_the_message_names_the_job_and_holds_no_songs(
    export: Any, neighbours: Any, jobs: Any, queues: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a", "Secret name")

    await export(playlist_id, "listener@mail.test")

    message = await eventually(lambda: queues.take("export.jobs"))
    event = json.loads(message.body)
    jsonschema.validate(event, json.loads(CONTRACT.read_text()))
    job = await jobs.of(playlist_id)
    assert event["data"] == {"jobId": job["id"], "playlistId": playlist_id, "targetEmail": "listener@mail.test"}
    assert event["aggregateId"] == job["id"]
    assert message.delivery_mode == 2, "it must survive a restart of the broker"
    for secret in (b"Secret name", b"Song", b"Sigur", b"song-"):
        assert secret not in message.body


async def test_a_request_is_kept_while_the_broker_is_away(
    run_api: Any, bearer: Bearer, neighbours: Any, queues: Any, jobs: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a")
    async with run_api(rabbitmq_server=f"amqp://guest:guest@{NOWHERE}/") as client:
        answer = await post(client, playlist_id, {"targetEmail": "a@mail.test"}, bearer("user-a"))
        ready = await client.get("/health/ready")
    assert answer.status_code == 201
    assert (ready.status_code, ready.json()["data"]["dependencies"]["rabbitmq"]) == (200, "down")
    assert await queues.depth("export.jobs") == 0

    async with run_api():
        message = await eventually(lambda: queues.take("export.jobs"))

    assert json.loads(message.body)["data"]["jobId"] == (await jobs.of(playlist_id))["id"]


async def test_the_queue_is_there_before_a_worker_ever_ran(
    run_api: Any, bearer: Bearer, neighbours: Any, queues: Any, jobs: Any
) -> None:
    await queues.channel.queue_delete("export.jobs")
    playlist_id = neighbours.add_playlist("user-a")
    async with run_api() as client:
        answer = await post(client, playlist_id, {"targetEmail": "a@mail.test"}, bearer("user-a"))
        assert answer.status_code == 201

        async def confirmed() -> bool:
            return await jobs.unannounced() == 0

        await eventually(confirmed)

    message = await eventually(lambda: queues.take("export.jobs"))
    assert playlist_id.encode() in message.body
