"""From a client's form to the reference in the catalogue."""

import asyncio
import io
import itertools
import re
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

from PIL import Image, ImageCms

from openmusic_kit.context import new_request_id
from openmusic_kit.ids import new_id

LIMIT = 512_000
FOREIGN = b"<script>alert('foreign')</script>"
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


def refused(answer: Any, status: int) -> bool:
    body = answer.json()
    assert (answer.status_code, body["status"], set(body)) == (status, "fail", {"status", "message"})
    assert answer.headers["content-type"] == "application/json"
    return bool(body["message"])


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def of_size(size: int, png: bytes) -> bytes:
    """The same picture, as a file of that many bytes."""
    head, end = png[:-12], png[-12:]
    return head + chunk(b"teSt", bytes(size - len(png) - 12)) + end


async def test_the_catalogue_is_told_of_a_cover_that_can_be_had(
    client: Any, upload: Any, catalogue: Any, backend: Any, png: bytes
) -> None:
    album_id, request_id = catalogue.add_album(), new_request_id()

    answer = await upload(album_id, png, **{"X-Request-ID": request_id})

    assert (answer.status_code, answer.json()["status"]) == (201, "success")
    assert answer.json()["message"]
    assert catalogue.calls == [(album_id, request_id)]
    path = catalogue.path(album_id)
    assert re.fullmatch(rf"/covers/{album_id}/[0-9a-f-]+\.png", path)
    assert await backend.content() == [path.removeprefix("/covers/")]
    assert (await client.get(path)).status_code == 200


async def test_an_upload_purges_the_album_that_shows_it_and_a_refused_one_nothing(
    upload: Any, catalogue: Any, png: bytes
) -> None:
    album_id = catalogue.add_album()

    answer = await upload(album_id, png)

    assert (answer.status_code, answer.headers["Cache-Purge"]) == (201, f"album:{album_id}")
    assert answer.headers["Cache-Lift"] == f"hold of {album_id}"
    for refused_answer in (await upload(album_id, b"x"), await upload(new_id("album"), png)):
        assert not refused_answer.is_success
        assert "Cache-Purge" not in refused_answer.headers


async def test_the_kind_of_an_image_is_seen_and_not_believed(
    client: Any, upload: Any, catalogue: Any, samples: dict[str, bytes]
) -> None:
    claims = [("a.png", "image/svg+xml"), ("../../é\0.html", "text/html"), ("a", "no type at all"), ("x" * 3000, "")]
    for (kind, content), claim in itertools.product(samples.items(), claims):
        album_id = catalogue.add_album()
        assert (await upload(album_id, content, *claim)).status_code == 201, (kind, claim)

        cover = await client.get(catalogue.path(album_id))

        assert cover.headers["content-type"] == ("image/png" if kind == "image/apng" else kind)
        with Image.open(io.BytesIO(cover.content)) as seen, Image.open(io.BytesIO(content)) as sent:
            assert (seen.format, seen.size) == (sent.format, sent.size)
            assert getattr(seen, "n_frames", 1) == getattr(sent, "n_frames", 1)


async def test_what_is_no_image_is_refused(
    upload: Any, catalogue: Any, backend: Any, draw: Any, samples: dict[str, bytes]
) -> None:
    album_id = catalogue.add_album()
    others = {
        "empty": b"",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "html": b"<!doctype html><script>alert(1)</script>",
        "pdf": b"%PDF-1.7\n1 0 obj\n",
        "bmp": draw("BMP"),
        "tiff": draw("TIFF"),
        "ico": draw("ICO"),
        **{f"only the beginning of {kind}": content[:40] + FOREIGN for kind, content in samples.items()},
        **{f"the first half of {kind}": content[: len(content) // 2] for kind, content in samples.items()},
        **{f"nearly all of {kind}": content[:-20] for kind, content in samples.items()},
    }
    for what, content in others.items():
        assert refused(await upload(album_id, content), 400), what
    assert await backend.content() == []
    assert catalogue.calls == []


def with_comment(kind: str, draw: Any) -> bytes:
    match kind:
        case "PNG":
            png: bytes = draw("PNG")
            return png[:33] + chunk(b"tEXt", b"Comment\0" + FOREIGN) + chunk(b"foRn", FOREIGN) + png[33:]
        case "JPEG" | "GIF":
            return bytes(draw(kind, comment=FOREIGN))
        case _:
            return bytes(draw(kind, xmp=FOREIGN))


def with_script_as_profile(kind: str, draw: Any) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return bytes(draw(kind, icc_profile=profile + FOREIGN))


def gif_that_is_also_a_script() -> bytes:
    """Its width, 0x2A2F, reads as the beginning of a comment, which ends within the picture."""
    target = io.BytesIO()
    Image.new("P", (0x2A2F, 2)).save(target, "GIF", comment=b"*/=1;alert('foreign')/*")
    return target.getvalue()[:-1] + b"*/;alert('foreign')//\x3b"


async def test_whatever_else_a_file_is_its_cover_is_nothing_but_an_image(
    client: Any, upload: Any, catalogue: Any, draw: Any
) -> None:
    files = [
        *(draw(kind) + FOREIGN for kind in KINDS),
        *(with_comment(kind, draw) for kind in KINDS),
        *(with_script_as_profile(kind, draw) for kind in ("JPEG", "PNG", "WEBP", "AVIF")),
        gif_that_is_also_a_script(),
    ]
    assert gif_that_is_also_a_script().startswith(b"GIF89a/*")
    for content in files:
        assert b"foreign" in content or content.startswith(b"\x89PNG"), "PNG holds profiles compressed"
        album_id = catalogue.add_album()
        answer = await upload(album_id, content, "cover.html", "text/html")
        if answer.status_code == 400:
            continue
        cover = await client.get(catalogue.path(album_id))
        assert cover.headers["content-type"].startswith("image/")
        assert cover.headers["x-content-type-options"] == "nosniff"
        assert b"foreign" not in cover.content, content[:12]
        with Image.open(io.BytesIO(cover.content)) as image:
            assert b"foreign" not in image.info.get("icc_profile", b"")


async def test_the_limit_belongs_to_what_is_allowed(upload: Any, catalogue: Any, backend: Any, png: bytes) -> None:
    album_id = catalogue.add_album()

    assert (await upload(album_id, of_size(LIMIT, png))).status_code == 201
    assert refused(await upload(album_id, of_size(LIMIT + 1, png)), 413)
    assert refused(await upload(album_id, bytes(LIMIT + 1)), 413)
    assert refused(await upload(album_id, bytes(5_000_000)), 413)

    assert len(await backend.content()) == 1


def form(content: bytes, disposition: bytes = b'name="cover"; filename="cover.png"') -> bytes:
    return b"--edge\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + content + b"\r\n--edge--\r\n"


async def test_a_body_of_unknown_length_is_as_good(client: Any, catalogue: Any, png: bytes) -> None:
    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    album_id = catalogue.add_album()
    for size, status in ((LIMIT, 201), (LIMIT + 1, 413)):
        answer = await client.post(
            f"/albums/{album_id}/covers",
            content=pieces(form(of_size(size, png))),
            headers={"Content-Type": "multipart/form-data; boundary=edge"},
        )
        assert answer.status_code == status


async def test_a_body_that_never_ends_is_answered_before_its_end(client: Any, catalogue: Any) -> None:
    body = form(bytes(700_000))[:-20]
    for length, sent in (
        ("Transfer-Encoding: chunked", b"%x\r\n%b" % (len(body) + 1, body)),
        ("Content-Length: 10000000000", body),
    ):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        head = f"POST /albums/{catalogue.add_album()}/covers HTTP/1.1\r\nHost: media\r\n{length}\r\n"
        writer.write(head.encode() + b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n" + sent)

        try:
            status = await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)
        finally:
            writer.close()

        assert status.split()[1] == b"413"


async def test_what_is_no_form_with_one_file_is_refused(client: Any, catalogue: Any, backend: Any, png: bytes) -> None:
    album_id = catalogue.add_album()
    multipart, plain = "multipart/form-data; boundary=edge", b'name="cover"'
    part = form(png)[: -len(b"--edge--\r\n")]
    small = form(b"x", b'name="other"; filename="x"')[: -len(b"--edge--\r\n")]
    requests: dict[str, tuple[str | None, bytes]] = {
        "the image itself": ("image/png", png),
        "JSON": ("application/json", b'{"cover": "x"}'),
        "an encoded form": ("application/x-www-form-urlencoded", b"cover=x"),
        "nothing": (None, b""),
        "an image of no type": (None, png),
        "an empty form": (multipart, b""),
        "a form without fields": (multipart, b"--edge--\r\n"),
        "a form without an edge": ("multipart/form-data", form(png)),
        "a form with another edge": ("multipart/form-data; boundary=other", form(png)),
        "a form that breaks off": (multipart, form(png)[:-200]),
        "a form in an odd encoding": (f"{multipart}; charset=undefined", form(png, b'name="\xff"; filename="\xfe"')),
        "another field": (multipart, form(png, b'name="image"; filename="cover.png"')),
        "a field without a name": (multipart, form(png, b'filename="cover.png"')),
        "text": (multipart, form(b"cover.png", plain)),
        "an image as text": (multipart, form(png, plain)),
        "an empty file": (multipart, form(b"")),
        "no file chosen": (multipart, form(b"", b'name="cover"; filename=""')),
        "two covers": (multipart, part + form(png)),
        "a cover and text of that name": (multipart, part + form(b"x", plain)),
        "more files than anyone needs": (multipart, small * 30 + form(png)),
    }
    for what, (content_type, content) in requests.items():
        headers = {"Content-Type": content_type} if content_type else {}
        answer = await client.post(f"/albums/{album_id}/covers", content=content, headers=headers)
        assert refused(answer, 400), what
    assert await backend.content() == []
    assert catalogue.calls == []


async def test_other_fields_beside_the_cover_are_ignored(client: Any, catalogue: Any, png: bytes) -> None:
    answer = await client.post(
        f"/albums/{catalogue.add_album()}/covers",
        data={"title": "Parachutes"},
        files={"back": ("back.html", FOREIGN, "text/html"), "cover": ("cover.png", png, "image/png")},
    )

    assert answer.status_code == 201


async def test_a_small_file_that_is_a_huge_picture_is_refused(upload: Any, catalogue: Any) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000_000))) + chunk(b"IEND", b"")

    assert refused(await upload(catalogue.add_album(), bomb), 400)


async def test_the_payload_is_judged_before_the_album_is_looked_for(upload: Any, backend: Any, png: bytes) -> None:
    for album_id in (new_id("album"), "album-x", "nonsense"):
        assert refused(await upload(album_id, b"no image"), 400)
        assert refused(await upload(album_id, bytes(LIMIT + 1)), 413)
        assert refused(await upload(album_id, png), 404)
    assert await backend.content() == []


async def test_an_album_that_cannot_be_is_not_found(upload: Any, catalogue: Any, backend: Any, png: bytes) -> None:
    for album_id in ("..", "%2e%2e", "album-x%00", "%F0%9F%8E%B5", "album-" + "z" * 32, "x" * 5000):
        assert refused(await upload(album_id, png), 404)
    assert catalogue.calls == []
    assert await backend.content() == []


async def test_of_covers_uploaded_at_once_one_is_referred_to_and_served(
    client: Any, upload: Any, catalogue: Any, draw: Any
) -> None:
    album_id = catalogue.add_album()
    images = [draw("PNG", (100 + number, 50)) for number in range(6)]

    answers = await asyncio.gather(*(upload(album_id, image) for image in images))

    assert {answer.status_code for answer in answers} == {201}
    cover = await client.get(catalogue.path(album_id))
    with Image.open(io.BytesIO(cover.content)) as image:
        assert image.size in {(100 + number, 50) for number in range(6)}


async def test_the_same_image_never_has_the_same_path_twice(upload: Any, catalogue: Any, png: bytes) -> None:
    album_id = catalogue.add_album()
    paths = set()
    for _ in range(3):
        await upload(album_id, png)
        paths.add(catalogue.path(album_id))

    assert len(paths) == 3
    assert len({path[:-37] for path in paths}) == 1, "they differ in nothing but the part that makes them unique"
