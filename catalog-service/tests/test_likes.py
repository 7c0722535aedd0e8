import asyncio
from typing import Any

import httpx
import pytest

ALICE, BOB = "user-" + "a" * 32, "user-" + "b" * 32


async def test_likes_are_counted_and_a_repeated_read_comes_from_the_cache(
    client: httpx.AsyncClient, add_album: Any, bearer: Any
) -> None:
    path = f"/albums/{await add_album()}/likes"
    for method, user, expected in [("POST", ALICE, 1), ("POST", BOB, 2), ("DELETE", ALICE, 1), ("DELETE", BOB, 0)]:
        changed = await client.request(method, path, headers=bearer(user))
        assert changed.status_code == (201 if method == "POST" else 200)
        assert changed.json()["message"]

        first, second = await client.get(path), await client.get(path)

        assert first.json() == second.json() == {"status": "success", "data": {"likes": expected}}
        assert "X-Data-Source" not in first.headers
        assert second.headers["X-Data-Source"] == "cache"


async def test_an_album_can_be_liked_only_once(client: httpx.AsyncClient, add_album: Any, bearer: Any) -> None:
    path = f"/albums/{await add_album()}/likes"

    answers = await asyncio.gather(*(client.post(path, headers=bearer(ALICE)) for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 19
    assert (await client.get(path)).json()["data"]["likes"] == 1


async def test_unliking_what_was_not_liked_is_not_found(client: httpx.AsyncClient, add_album: Any, bearer: Any) -> None:
    answer = await client.delete(f"/albums/{await add_album()}/likes", headers=bearer(ALICE))

    assert answer.status_code == 404
    assert answer.json() == {"status": "fail", "message": "You do not like this album"}


@pytest.mark.parametrize("album_id", ["xxx", "album-" + "0" * 32, "%00"])
async def test_an_unknown_album_has_no_likes(client: httpx.AsyncClient, bearer: Any, album_id: str) -> None:
    path = f"/albums/{album_id}/likes"
    headers = bearer(ALICE)

    assert (await client.get(path)).status_code == 404
    assert (await client.post(path, headers=headers)).status_code == 404
    assert (await client.delete(path, headers=headers)).status_code == 404


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x.y.z", "Basic abc", "Bearer " + "a" * 5000])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_nobody_likes_without_a_token(
    client: httpx.AsyncClient, add_album: Any, method: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    answer = await client.request(method, f"/albums/{await add_album()}/likes", headers=headers)

    assert answer.status_code == 401
    assert answer.json()["status"] == "fail"
