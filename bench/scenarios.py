"""What is asked: reads that repeat, and writes. Each is a list of lines for ``requests.lua``."""

import json
import secrets
from dataclasses import dataclass, field

import httpx

SONGS_IN_PLAYLIST = 20
ALBUMS, SONGS = 2_000, 20_000  # to like, and to add to a playlist; each once


@dataclass
class World:
    """What was put in before anything is measured."""

    token: str
    user_id: str
    playlist_id: str
    empty_playlists: list[str]
    album_id: str
    song_id: str
    albums: list[str] = field(default_factory=list)
    songs: list[str] = field(default_factory=list)


def build(url: str) -> World:
    """A user with a playlist, and enough albums and songs for the writes."""
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
        return World(token, user_id, playlists[0], playlists[1:], album_id, songs[0])


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


def writes(world: World) -> dict[str, list[str]]:
    """Each request succeeds once; enough of them for a run."""
    playlists = [world.playlist_id, *world.empty_playlists]
    additions = [
        f"POST /playlists/{playlist} {json.dumps({'songId': song})}".replace(" {", "/songs {", 1)
        for playlist in playlists[1:]
        for song in world.songs
    ]
    return {
        "create song": [f"POST /songs {json.dumps(_song(0))}"],
        "add to playlist": additions,
        "like": [f"POST /albums/{album}/likes" for album in world.albums],
        "request export": [f'POST /export/playlists/{world.playlist_id} {{"targetEmail": "bench@listener.test"}}'],
    }
