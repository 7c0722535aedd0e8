"""All covers leave one storage and enter another as they were."""

import io
from pathlib import Path
from typing import Any

import pytest

from openmusic_kit.errors import Unavailable
from openmusic_media.covers.archive import ArchiveDamaged, export_covers, import_covers
from openmusic_media.settings import Settings
from openmusic_media.storage.factory import create_storage
from openmusic_media.storage.folder import FolderStorage
from openmusic_media.storage.interface import Storage, StoredObject

COVERS = {f"album-{number}/{number}.png": bytes([number]) * 10_000 for number in range(20)}


@pytest.fixture
def bucket(s3_server: Any) -> Storage:
    settings = {"s3_endpoint": s3_server.endpoint, "s3_access_key": s3_server.access_key}
    return create_storage(Settings(storage="s3", s3_secret_key=s3_server.secret_key, s3_bucket="archived", **settings))


@pytest.fixture
async def folder(tmp_path: Path) -> Storage:
    storage = FolderStorage(tmp_path / "covers")
    for key, content in COVERS.items():
        await storage.put(key, content, "image/png")
    return storage


async def exported(storage: Storage, known: set[str] | None = None) -> io.BytesIO:
    archive = io.BytesIO()
    await export_covers(storage, archive, known or set())
    archive.seek(0)
    return archive


async def everything(storage: Storage) -> dict[str, StoredObject]:
    return {key: await storage.get(key) for key in await storage.keys()}


async def test_what_a_folder_held_is_in_a_bucket_and_back(folder: Storage, bucket: Storage, tmp_path: Path) -> None:
    await import_covers(bucket, await exported(folder))
    back = FolderStorage(tmp_path / "back")
    await import_covers(back, await exported(bucket))

    wanted = {key: StoredObject(content, "image/png") for key, content in COVERS.items()}
    assert await everything(bucket) == await everything(back) == wanted


async def test_known_covers_are_left_out(folder: Storage, tmp_path: Path) -> None:
    late = FolderStorage(tmp_path / "late")
    await import_covers(late, await exported(folder, set(COVERS) - {"album-7/7.png"}))
    assert await late.keys() == ["album-7/7.png"]


async def test_a_cover_that_is_deleted_meanwhile_is_left_out(
    folder: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keys() -> list[str]:
        return [*COVERS, "album-gone/1.png"]

    monkeypatch.setattr(folder, "keys", keys)
    whole = FolderStorage(tmp_path / "whole")
    await import_covers(whole, await exported(folder))
    assert set(await whole.keys()) == set(COVERS)


async def test_a_storage_that_is_slow_now_and_then_is_asked_again(
    folder: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openmusic_media.covers.archive.RETRY_DELAY", 0.0)
    failures = iter([True, True, False] * 1000)

    def seldom(call: Any) -> Any:
        async def sometimes(*arguments: Any) -> Any:
            if next(failures):
                raise Unavailable("The cover storage is not available")
            return await call(*arguments)

        return sometimes

    back = FolderStorage(tmp_path / "back")
    for storage, name in ((folder, "keys"), (folder, "get"), (back, "put")):
        monkeypatch.setattr(storage, name, seldom(getattr(storage, name)))
    await import_covers(back, await exported(folder))
    assert set(await FolderStorage(tmp_path / "back").keys()) == set(COVERS)


@pytest.mark.parametrize("length", [100, 15_000])
async def test_an_archive_that_breaks_off_is_refused(folder: Storage, tmp_path: Path, length: int) -> None:
    archive = (await exported(folder)).getvalue()
    with pytest.raises(ArchiveDamaged):
        await import_covers(FolderStorage(tmp_path / "restored"), io.BytesIO(archive[:length]))
