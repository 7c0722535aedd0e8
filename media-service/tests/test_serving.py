"""What a browser gets that follows the address of a cover."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from openmusic_kit.ids import new_id

FILE = f"{'a' * 32}-{'b' * 32}.png"


@pytest.fixture
async def cover(catalogue: Any, upload: Any, png: bytes) -> str:
    """The path of a cover that is there."""
    album_id = catalogue.add_album()
    assert (await upload(album_id, png)).status_code == 201
    path: str = catalogue.path(album_id)
    return path


async def test_a_cover_comes_with_all_that_a_browser_should_know(client: Any, cover: str) -> None:
    answer = await client.get(cover)

    assert answer.status_code == 200
    assert answer.content.startswith(b"\x89PNG")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert {"public", "immutable"} < set(answer.headers["cache-control"].split(", "))
    assert answer.headers["etag"].strip('"') in cover


async def test_who_has_a_cover_is_not_sent_it_again(client: Any, cover: str) -> None:
    etag = (await client.get(cover)).headers["etag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await client.get(cover, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
        assert "immutable" in answer.headers["cache-control"]
    assert (await client.get(cover, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_a_head_tells_what_a_get_would_without_the_image(client: Any, cover: str) -> None:
    whole, head = await client.get(cover), await client.head(cover, headers={"Range": "bytes=0-9"})

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "cache-control", "x-content-type-options"):
        assert head.headers[name] == whole.headers[name]


async def test_a_part_of_a_cover_can_be_had(client: Any, cover: str) -> None:
    whole = (await client.get(cover)).content
    size = len(whole)

    parts = {
        **{"0-9": (0, 10), "0-0": (0, 1), "5-5": (5, 6), "10-": (10, size), "-10": (size - 10, size)},
        **{"5-999999999": (5, size), f"{size - 1}-": (size - 1, size), f"0-{'9' * 5000}": (0, size)},
        **{"0-": (0, size), f"-{size}": (0, size), f"-{size + 1}": (0, size), f"0-{size - 1}": (0, size)},
    }
    for asked, (start, stop) in parts.items():
        part = await client.get(cover, headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, whole[start:stop])
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert part.headers["content-type"] == "image/png"
        assert part.headers["x-content-type-options"] == "nosniff"


async def test_a_part_that_is_not_there_cannot_be_had(client: Any, cover: str) -> None:
    size = len((await client.get(cover)).content)

    for asked in (f"{size}-", f"{size}-{size}", "999999999-", "-0", f"{'9' * 5000}-"):
        answer = await client.get(cover, headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{size}"
        assert answer.json()["status"] == "fail"


async def test_a_range_that_is_none_or_several_gives_the_whole(client: Any, cover: str) -> None:
    for asked in ("bytes=0-1,3-4", "bytes=9-5", "bytes=-", "bytes=x-y", "items=0-1", "0-1", ""):
        answer = await client.get(cover, headers={"Range": asked})
        assert answer.status_code == 200, asked
        assert "content-range" not in answer.headers


async def test_who_has_begun_with_another_cover_gets_all_of_this_one(client: Any, cover: str) -> None:
    etag = (await client.get(cover)).headers["etag"]

    for begun, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        answer = await client.get(cover, headers={"Range": "bytes=0-9", "If-Range": begun})
        assert answer.status_code == status


async def fetch(client: Any, target: str) -> tuple[int, bytes]:
    """Sends the target as it is; a client of good manners would tidy it first."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: media\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def test_what_is_no_path_of_a_cover_is_not_found(client: Any, cover: str, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_text("the secret")
    album_id = cover.split("/")[2]
    targets = [
        *("/covers", "/covers/", "/covers//", f"/covers/{album_id}", f"/covers/{album_id}/", f"/covers/{album_id}//"),
        f"/covers/{new_id('album')}/{FILE}",
        f"/covers/{album_id}/{FILE}",
        *(f"/covers/{way}secret.png" for way in ("../", "..%2f", "%2e%2e/", "..%5c", "%252e%252e%252f", "..%c0%af")),
        *(f"/covers/{album_id}/{way}secret.png" for way in ("../../", "..%2f..%2f", "..%2F../", "%00/", "....//")),
        f"/covers/..%2f{cover.removeprefix('/covers/')}",
        f"/covers/.{tmp_path}/secret.png",
        f"/covers/{album_id}%2f..%2f{album_id}/{cover.split('/')[3]}",
        *(f"{cover}{end}" for end in ("%00", "%0a", "%0d%0a", "%20", "/", ".", "%00.png", "%ff", "/x")),
        cover.upper(),
        f"/covers/{album_id}/{cover.split('/')[3].replace('.png', '.svg')}",
        f"/covers/{album_id}/{'x' * 300}.png",
        f"/covers/{'a' * 30_000}/{'b' * 30_000}",
        *(
            f"/covers/{text}/{text}"
            for text in ("%F0%9F%8E%B5", "%ff%fe", "%ED%A0%80", "%00", "*", "'", "%25", ".", "..")
        ),
    ]
    for target in targets:
        status, body = await fetch(client, target)
        assert status == 404, target[:200]
        assert body.startswith(b'{"status":"fail","message":"'), body
        assert b"secret" not in body


async def test_a_cover_is_not_to_be_changed_at_its_own_address(client: Any, cover: str) -> None:
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        answer = await client.request(method, cover)
        assert (answer.status_code, answer.json()["status"]) == (405, "fail")
