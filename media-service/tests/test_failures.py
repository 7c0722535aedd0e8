"""What is left, and what is said, when a neighbour or the storage does not do its part."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openmusic_kit.ids import new_id
from openmusic_testkit.waiting import eventually


def unavailable(answer: Any) -> bool:
    body = answer.json()
    assert (answer.status_code, body["status"], set(body)) == (503, "error", {"status", "message"})
    assert int(answer.headers["retry-after"]) > 0
    return bool(body["message"])


async def test_nothing_is_left_of_a_cover_for_no_album(upload: Any, catalogue: Any, backend: Any, png: bytes) -> None:
    album_id = new_id("album")

    assert [(await upload(album_id, png)).status_code for _ in range(2)] == [404, 404]

    assert {album for album, _ in catalogue.calls} == {album_id}
    assert await backend.content() == []


async def test_while_the_catalogue_is_down_the_cover_before_stays(
    client: Any, upload: Any, catalogue: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()
    await upload(album_id, png)
    before = catalogue.path(album_id)
    catalogue.down.add("albums")

    assert unavailable(await upload(album_id, png))

    assert catalogue.path(album_id) == before
    assert (await client.get(before)).status_code == 200
    catalogue.down.clear()
    assert (await upload(album_id, png)).status_code == 201


async def test_a_catalogue_that_never_answers_is_not_waited_for(
    run: Any, folder: Any, bucket: Any, catalogue: Any, png: bytes, uploading_to: Any
) -> None:
    catalogue.silent = asyncio.Event()
    album_id = catalogue.add_album()
    async with run(folder) as one, run(bucket) as other:  # at once, for it takes seconds
        answers = await asyncio.gather(*(uploading_to(client)(album_id, png) for client in (one, other)))

    assert all(unavailable(answer) for answer in answers)
    assert catalogue.covers[album_id] is None


async def test_while_the_storage_is_away_nothing_is_referred_to(
    client: Any, upload: Any, catalogue: Any, backend: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()
    await upload(album_id, png)
    path, content = catalogue.path(album_id), await backend.content()
    catalogue.calls.clear()

    await backend.go_away()

    assert unavailable(await upload(album_id, png))
    assert unavailable(await client.get(path))
    assert catalogue.calls == []
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["data"]["dependencies"]["storage"]) == (503, "down")

    await backend.come_back()

    assert (await client.get("/health/ready")).status_code == 200
    assert (await client.get(path)).status_code == 200
    assert await backend.content() == content
    assert (await upload(album_id, png)).status_code == 201


async def test_no_album_is_no_album_also_when_its_cover_cannot_be_taken_back(
    upload: Any, catalogue: Any, backend: Any, png: bytes
) -> None:
    catalogue.silent = asyncio.Event()
    uploading = asyncio.create_task(upload(new_id("album"), png))

    async def asked() -> bool:
        return bool(catalogue.calls)

    await eventually(asked)
    await backend.go_away()
    catalogue.silent.set()

    assert (await uploading).status_code == 404


async def test_a_bucket_that_somebody_deleted_is_made_again(
    run: Any, bucket: Any, catalogue: Any, png: bytes, uploading_to: Any
) -> None:
    async with run(bucket) as client:
        album_id, upload = catalogue.add_album(), uploading_to(client)
        await upload(album_id, png)
        (name,) = await bucket.content()
        await asyncio.to_thread(bucket.client.remove_object, bucket.name, name)
        await asyncio.to_thread(bucket.client.remove_bucket, bucket.name)

        statuses = [(await upload(album_id, png)).status_code for _ in range(2)]

        assert set(statuses) <= {201, 503}
        assert statuses[-1] == 201
        assert (await client.get(catalogue.path(album_id))).status_code == 200


@pytest.fixture
def disk(folder: Any) -> Iterator[Path]:
    """The folder, as a file system of its own with room for 256 KiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    folder.root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder.root], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder.root
    subprocess.run(["umount", "--lazy", folder.root], check=True)


@pytest.mark.usefixtures("disk")
async def test_a_full_disk_leaves_nothing_half_written(
    run: Any, folder: Any, catalogue: Any, draw: Any, png: bytes, uploading_to: Any
) -> None:
    async with run(folder) as client:
        album_id, upload = catalogue.add_album(), uploading_to(client)
        await upload(album_id, png)
        path, content = catalogue.path(album_id), await folder.content()

        assert unavailable(await upload(album_id, draw("PNG", (400, 300))))

        assert await folder.content() == content
        assert catalogue.path(album_id) == path
        assert (await upload(album_id, png)).status_code == 201, "what still fits is still taken"


async def test_a_disk_that_takes_nothing_still_gives(
    run: Any, folder: Any, disk: Path, catalogue: Any, png: bytes, uploading_to: Any
) -> None:
    async with run(folder) as client:
        album_id, upload = catalogue.add_album(), uploading_to(client)
        await upload(album_id, png)
        path = catalogue.path(album_id)
        await (await asyncio.create_subprocess_exec("mount", "-o", "remount,ro", disk)).wait()

        assert unavailable(await upload(album_id, png))

        assert catalogue.path(album_id) == path
        assert (await client.get(path)).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
