"""What every client plays, and how one is driven.

A driver is a program that reads a request per line and writes an answer per line, with tabs between: method, URL,
headers, body and ``chunked`` or nothing; then status, headers and body. Headers (``name: value`` lines) and bodies are
in base64.
"""

import base64
import io
import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """By their names in small letters."""
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data


Send = Callable[[str, str, dict[str, str], bytes, bool], Answer]


@contextmanager
def driven(command: list[str]) -> Iterator[Send]:
    """Sends by a driver that runs meanwhile."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    wire_in, wire_out = process.stdin, process.stdout

    def send(method: str, url: str, headers: dict[str, str], body: bytes, chunked: bool) -> Answer:
        lines = "".join(f"{name}: {value}\n" for name, value in headers.items()).encode()
        step = [method, url, _encoded(lines), _encoded(body), "chunked" if chunked else ""]
        wire_in.write("\t".join(step) + "\n")
        wire_in.flush()
        line = wire_out.readline()
        assert line, f"the client ended at {method} {url}"
        status, told, content = line.rstrip("\n").split("\t")
        return Answer(int(status), parsed(base64.b64decode(told).decode()), base64.b64decode(content))

    try:
        yield send
    finally:
        wire_in.close()
        process.wait(timeout=30)
        wire_out.close()


def parsed(lines: str) -> dict[str, str]:
    found = (line.partition(":") for line in lines.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in found}


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Story:
    """Steps by name, for the table."""

    def __init__(self, url: str, send: Send) -> None:
        self._url = url
        self._send = send
        self._token = ""
        self.played: list[str] = []

    def ask(self, method: str, path: str, json_body: Any = None, **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        body: bytes = more.get("body", b"")
        if json_body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(json_body).encode()
        url = path if path.startswith("http") else self._url + path
        return self._send(method, url, headers | more.get("headers", {}), body, more.get("chunked", False))

    def expect(self, step: str, status: int, answer: Answer) -> Answer:
        assert answer.status == status, f"{step}: {answer}"
        if answer.body and status >= 400:
            assert json.loads(answer.body)["status"] == "fail", step
        self.played.append(step)
        return answer

    def play(self) -> None:
        self._register()
        album_id, song_id = self._create()
        playlist_id = self._edit(song_id)
        self._upload(album_id)
        self._read(album_id)
        self._be_refused(playlist_id)

    def _register(self) -> None:
        user = {"username": f"client_{secrets.token_hex(6)}", "password": "secret"}
        self.expect("register", 201, self.ask("POST", "/users", {**user, "fullname": "Zoë 🎵"}))
        tokens = self.expect("log in", 201, self.ask("POST", "/authentications", user)).data
        self._token = tokens["accessToken"]

    def _create(self) -> tuple[str, str]:
        album = self.expect("album", 201, self.ask("POST", "/albums", {"name": "Ágætis byrjun", "year": 1999})).data
        song = {"title": "Svefn-g-englar 夢", "year": 1999, "genre": "Rock", "performer": "Sigur Rós"}
        album_id: str = album["albumId"]
        created = self.expect("song", 201, self.ask("POST", "/songs", {**song, "albumId": album_id})).data
        read = self.expect("unicode", 200, self.ask("GET", f"/songs/{created['songId']}")).data["song"]
        assert read["title"] == song["title"]
        large = json.dumps({**song, "more": "x" * 100_000}).encode()
        typed = {"Content-Type": "application/json"}
        self.expect("100 kB", 201, self.ask("POST", "/songs", body=large, headers=typed))
        self.expect("100 kB in chunks", 201, self.ask("POST", "/songs", body=large, headers=typed, chunked=True))
        return album_id, created["songId"]

    def _edit(self, song_id: str) -> str:
        playlist_id: str = self.expect("playlist", 201, self.ask("POST", "/playlists", {"name": "ж"})).data[
            "playlistId"
        ]
        path = f"/playlists/{playlist_id}/songs"
        self.expect("add", 201, self.ask("POST", path, {"songId": song_id}))
        songs = self.expect("read", 200, self.ask("GET", path)).data["playlist"]["songs"]
        assert [song["id"] for song in songs] == [song_id]
        self.expect("DELETE with a body", 200, self.ask("DELETE", path, {"songId": song_id}))
        return playlist_id

    def _upload(self, album_id: str) -> None:
        target = io.BytesIO()
        Image.effect_noise((300, 300), 80).save(target, "PNG")
        part = b'Content-Disposition: form-data; name="cover"; filename="c.png"\r\nContent-Type: image/png\r\n\r\n'
        form = b"preamble\r\n--e d\r\n" + part + target.getvalue() + b"\r\n--e d--\r\nepilogue"
        typed = {"Content-Type": 'multipart/form-data; boundary="e d"'}
        path = f"/albums/{album_id}/covers"
        self.expect("cover", 201, self.ask("POST", path, body=form, headers=typed, chunked=True))
        self.expect("cover again", 201, self.ask("POST", path, body=form, headers=typed))
        address = self.ask("GET", f"/albums/{album_id}").data["album"]["coverUrl"]
        cover = self.expect("read the cover", 200, self.ask("GET", address))
        with Image.open(io.BytesIO(cover.body)) as image:
            assert image.size == (300, 300)
        head = self.expect("HEAD of the cover", 200, self.ask("HEAD", address))
        assert (head.body, int(head.headers["content-length"])) == (b"", len(cover.body))

    def _read(self, album_id: str) -> None:
        path = f"/albums/{album_id}"
        whole = self.expect("album read", 200, self.ask("GET", path))
        same = self.expect("ETag", 304, self.ask("GET", path, headers={"If-None-Match": whole.headers["etag"]}))
        assert same.body == b""
        head = self.expect("HEAD", 200, self.ask("HEAD", path))
        assert (head.body, head.headers["content-length"]) == (b"", str(len(whole.body)))
        assert head.headers["x-data-source"] == "cache"
        options = self.expect("OPTIONS", 204, self.ask("OPTIONS", path))
        assert options.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"

    def _be_refused(self, playlist_id: str) -> None:
        self.expect("400", 400, self.ask("POST", "/albums", {"name": 1}))
        self.expect("404", 404, self.ask("GET", "/albums/album-none"))
        self.expect("405", 405, self.ask("PUT", "/songs", {}))
        self.expect("DELETE", 200, self.ask("DELETE", f"/playlists/{playlist_id}"))
        self._token = "x.y.z"
        self.expect("401", 401, self.ask("POST", "/playlists", {"name": "x" * 90_000}))
        self._token = ""
        self.expect("after all that", 200, self.ask("GET", "/songs?title=Svefn-g-englar"))
