"""A mix of real use as data, and the dice that choose from it: the same requests for every system that is measured."""

import json
import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, count, repeat
from typing import Any
from urllib.parse import quote

from data import Generator, Size

READS = {"playlist songs": 55, "playlists": 15, "album": 10, "likes": 6, "song": 14}  # percent of all reads
READS_AND_SEARCHES = READS | {"song": 9, "search": 5}
WRITES = {"change playlist": 60, "create song": 15, "create playlist": 15, "rename song": 10}  # percent of all writes
SIZES = {
    name: Size(songs=songs, albums=songs // 10, users=users, playlists=playlists, long_playlist=15, collection=0,
               playlist_songs=15)
    for name, songs, users, playlists in (
        ("small", 500, 100, 500), ("medium", 17_000, 1_000, 10_000), ("large", 50_000, 5_000, 100_000)
    )
}  # fmt: skip
SETTLED = 64  # requests after which an addition was certainly answered, at 32 connections


@dataclass(frozen=True)
class Request:
    """``user`` is the number of a user, from 1."""

    kind: str
    user: int
    method: str
    path: str
    body: Mapping[str, object] | None = None

    @property
    def line(self) -> str:
        """As ``requests.lua`` reads it."""
        content = json.dumps(self.body) if self.body else ""
        return f"{self.user} {self.method} {self.path} {content}".rstrip()


class Zipf:
    """Chooses by Zipf's law with exponent 1: the second of the items half as often as the first."""

    def __init__(self, items: list[Any], dice: random.Random) -> None:
        self._items = items
        self._weights = list(accumulate(1 / rank for rank in range(1, len(items) + 1)))
        self._dice = dice

    def choose(self) -> Any:
        return self._dice.choices(self._items, cum_weights=self._weights)[0]


class Dice:
    """Requests without an end; each can succeed if those before it were sent, in this order."""

    def __init__(self, made: Generator, connections: int, seed: int = 1) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - requests, not secrets
        numbers = {user_id: number for number, (user_id, _) in enumerate(made.users, 1)}
        members = {playlist_id: [numbers[owner_id]] for playlist_id, _, owner_id in made.playlists}
        for _, playlist_id, user_id in made.collaborations:
            members[playlist_id].append(numbers[user_id])
        self._playlists = Zipf(list(members.items()), self._dice)
        self._users = Zipf(list(numbers.values()), self._dice)
        self._albums = Zipf([album[0] for album in made.albums], self._dice)
        self._songs = Zipf(made.songs, self._dice)
        self._words = Zipf(sorted({word for song in made.songs for word in song[1].split()}), self._dice)
        self._contents = {(playlist_id, song_id) for playlist_id, song_id, *_ in made.contents}
        self._settled = max(SETTLED, 2 * connections)

    def requests(self, reads: Mapping[str, int], writes_percent: int) -> Iterator[Request]:
        """A sequence of its own: what it removes it has added before."""
        added: deque[tuple[int, int, str, str]] = deque()
        kinds = self._kinds(reads, writes_percent)
        for number, kind in enumerate(kinds):
            match kind:
                case "change playlist":
                    yield self._change_playlist(number, added)
                case "playlist songs":
                    yield self._read_playlist()
                case _:
                    yield self._single(kind)

    def of(self, kind: str) -> Iterator[Request]:
        """Requests of one kind; songs are only added."""
        for number in count():
            yield self._change_playlist(number, deque()) if kind == "add song" else self._single(kind)

    def _kinds(self, reads: Mapping[str, int], writes_percent: int) -> Iterator[str]:
        shares = {kind: share * (100 - writes_percent) for kind, share in reads.items()}
        shares |= {kind: share * writes_percent for kind, share in WRITES.items()}
        for _ in repeat(None):
            yield from self._dice.choices(list(shares), weights=list(shares.values()), k=1000)

    def _change_playlist(self, number: int, added: deque[tuple[int, int, str, str]]) -> Request:
        """Adds a song, or removes one, as often, whose addition was answered long ago."""
        if added and added[0][0] + self._settled < number and self._dice.random() < 0.5:
            _, user, playlist_id, song_id = added.popleft()
            return Request("remove song", user, "DELETE", f"/playlists/{playlist_id}/songs", {"songId": song_id})
        while True:
            (playlist_id, members), song_id = self._playlists.choose(), self._songs.choose()[0]
            if (playlist_id, song_id) not in self._contents:
                self._contents.add((playlist_id, song_id))  # never twice, also not in a later sequence
                user = self._dice.choice(members)
                added.append((number, user, playlist_id, song_id))
                return Request("add song", user, "POST", f"/playlists/{playlist_id}/songs", {"songId": song_id})

    def _read_playlist(self) -> Request:
        playlist_id, members = self._playlists.choose()
        return Request("playlist songs", self._dice.choice(members), "GET", f"/playlists/{playlist_id}/songs")

    def _single(self, kind: str) -> Request:
        method, path, body = self._sent(kind)
        return Request(kind, self._users.choose(), method, path, body)

    def _sent(self, kind: str) -> tuple[str, str, Mapping[str, object] | None]:
        """Method, path and body of what any user may send."""
        sent: tuple[str, str, Mapping[str, object] | None]
        match kind:
            case "playlists":
                sent = "GET", "/playlists", None
            case "album":
                sent = "GET", f"/albums/{self._albums.choose()}", None
            case "likes":
                sent = "GET", f"/albums/{self._albums.choose()}/likes", None
            case "song":
                sent = "GET", f"/songs/{self._songs.choose()[0]}", None
            case "search":
                sent = "GET", f"/songs?title={quote(f'{self._words.choose()} {self._words.choose()}')}", None
            case "create song":
                sent = "POST", "/songs", song_body(self._songs.choose())
            case "create playlist":
                sent = "POST", "/playlists", {"name": "Made by the mix"}
            case "rename song":
                song = self._songs.choose()
                renamed = song_body(song) | {"title": f"{song[1]} {self._dice.randrange(1000)}"}
                sent = "PUT", f"/songs/{song[0]}", renamed
            case _:
                raise AssertionError(kind)
        return sent


def song_body(song: tuple[Any, ...]) -> dict[str, object]:
    """What a client sends to make or change one; ``song`` is a row of ``Generator.songs``."""
    _, title, year, genre, performer, duration, album_id = song
    optional = {"duration": duration, "albumId": album_id}
    body: dict[str, object] = {"title": title, "year": year, "genre": genre, "performer": performer}
    return body | {name: value for name, value in optional.items() if value is not None}
