"""What is asked: reads that repeat, and writes. Each is a list of lines for ``requests.lua``."""

import io
import json
import random
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from data import connected, load
from PIL import Image

from openmusic_kit.ids import new_id
from openmusic_local.stack import Stack

SONGS_IN_PLAYLIST = 20
ALBUMS, SONGS = 40_000, 40_000  # to like, and to add to a playlist; each once
COVERS = 16


@dataclass
class World:
    """What was put in before anything is measured."""

    username: str
    token: str
    user_id: str
    playlist_id: str
    empty_playlists: list[str]
    album_id: str
    song_id: str
    albums: list[str] = field(default_factory=list)
    songs: list[str] = field(default_factory=list)


def build(url: str) -> World:
    """A user with playlists, one of them with songs of one album."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:

        def post(path: str, body: dict[str, object], token: str = "") -> dict[str, str]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            data: dict[str, str] = http.post(path, json=body, headers=headers).raise_for_status().json().get("data", {})
            return data

        username = f"bench_{secrets.token_hex(4)}"
        user_id = post("/users", {"username": username, "password": "secret", "fullname": "B"})["userId"]
        token = post("/authentications", {"username": username, "password": "secret"})["accessToken"]
        album_id = post("/albums", {"name": "Measured", "year": 2000})["albumId"]
        songs = [post("/songs", _song(number, album_id))["songId"] for number in range(SONGS_IN_PLAYLIST)]
        playlists = [post("/playlists", {"name": f"Measured {number}"}, token)["playlistId"] for number in range(5)]
        for song_id in songs:
            post(f"/playlists/{playlists[0]}/songs", {"songId": song_id}, token)
        return World(username, token, user_id, playlists[0], playlists[1:], album_id, songs[0])


def add_material(stack: Stack, world: World) -> None:
    """Albums to like and songs to add, past the API."""
    world.albums, world.songs = [new_id("album") for _ in range(ALBUMS)], [new_id("song") for _ in range(SONGS)]
    with connected(stack, "catalog") as connection:
        load(connection, "albums", "id, name, year", ((album, "Filled", 2000) for album in world.albums))
        songs = ((song, "Filled", 2000, "Bench", "The Threads") for song in world.songs)
        load(connection, "songs", "id, title, year, genre, performer", songs)


def _song(number: int, album_id: str | None = None) -> dict[str, object]:
    song: dict[str, object] = {"title": f"Song {number}", "year": 2000, "genre": "Bench", "performer": "The Threads"}
    return song | ({"albumId": album_id} if album_id else {})


def reads(world: World) -> dict[str, tuple[str, list[str]]]:
    """Name to the service that answers and the requests."""
    return {
        "playlist songs": ("playlist", [f"GET /playlists/{world.playlist_id}/songs"]),
        "playlists": ("playlist", ["GET /playlists"]),
        "album": ("catalog", [f"GET /albums/{world.album_id}"]),
        "likes": ("catalog", [f"GET /albums/{world.album_id}/likes"]),
        "song": ("catalog", [f"GET /songs/{world.song_id}"]),
        "search": ("catalog", ["GET /songs?title=song%2019&performer=thread"]),
    }


def writes(world: World, covers: list[Path], part: int, parts: int) -> dict[str, list[str]]:
    """Each request succeeds once: of what can be done only once, each part has its share."""
    albums, songs = world.albums[part::parts], world.songs[part::parts]
    additions = [
        f"POST /playlists/{playlist}/songs {json.dumps({'songId': song})}"
        for playlist in world.empty_playlists
        for song in songs
    ]
    login = json.dumps({"username": world.username, "password": "secret"})
    return {
        "create song": [f"POST /songs {json.dumps(_song(0))}"],
        "add to playlist": additions,
        "like": [f"POST /albums/{album}/likes" for album in albums],
        "request export": [f'POST /export/playlists/{world.playlist_id} {{"targetEmail": "bench@listener.test"}}'],
        "log in": [f"POST /authentications {login}"],
        "upload cover": [
            f"POST /albums/{album}/covers @{covers[number % len(covers)]}" for number, album in enumerate(albums[:500])
        ],
    }


def make_covers(folder: Path) -> list[Path]:
    """Forms with a JPEG of about 100 kB each."""
    noise = random.Random(1)  # noqa: S311 - pictures, not secrets
    paths = []
    for number in range(COVERS):
        picture = io.BytesIO()
        Image.frombytes("RGB", (64, 64), noise.randbytes(64 * 64 * 3)).resize((600, 600)).save(
            picture, "JPEG", quality=95
        )
        head = 'Content-Disposition: form-data; name="cover"; filename="c.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        path = folder / f"cover-{number}.form"
        path.write_bytes(b"--bench\r\n" + head.encode() + picture.getvalue() + b"\r\n--bench--\r\n")
        paths.append(path)
    return paths
