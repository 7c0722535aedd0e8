"""Pairs of friends who use everything that there is, and who know what they should see."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from clients import Answer, Client, User
from models import Album, Colour, Playlist, Song, Value, colour_of, picture

LONGEST_PLAYLIST = 25
CHANGES_OF_A_LIFE = 40  # after so many, a pair turns to a new album or playlist

T = TypeVar("T", Album, Playlist)


@dataclass
class Pair:
    """Two users and what they made. All that they do comes from ``dice``, one step after the other."""

    number: int
    run: str
    """Stands in every name, so that no other run has the same."""
    owner: User
    friend: User
    client: Client
    dice: random.Random
    albums: list[Album] = field(default_factory=list)
    playlists: list[Playlist] = field(default_factory=list)
    songs: list[Song] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    """Kind and name of what may have been made although its id never came."""
    accounts: dict[str, bool] = field(default_factory=dict)
    """User names, and whether their registration was acknowledged."""
    _names: int = 0
    _album: Album | None = None
    _playlist: Playlist | None = None
    _changes: int = 0

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind} {self._names} of {self.run} {self.number}"

    @property
    def both(self) -> tuple[User, User]:
        return self.owner, self.friend

    async def step(self) -> None:
        """Something that a user does; what is in doubt is left alone from then on."""
        if self._album is None or not self._album.certain or self._old():
            await self._make_album()
        elif self._playlist is None or not self._playlist.certain:
            await self._make_playlist()
        else:
            self._changes += 1
            doing, weights = zip(*self._habits(), strict=True)
            await self.dice.choices(doing, weights)[0]()

    def _old(self) -> bool:
        return self._changes > CHANGES_OF_A_LIFE

    def _habits(self) -> list[tuple[Callable[[], Awaitable[None]], int]]:
        return [
            (self._read_songs, 14),
            (self._read_activities, 5),
            (self._read_album, 9),
            (self._read_likes, 6),
            (self._read_cover, 4),
            (self._read_playlists, 4),
            (self._search, 4),
            (self._look_back, 8),
            (self._add_song, 12),
            (self._delete_song_from_playlist, 4),
            (self._like, 6),
            (self._share, 5),
            (self._upload, 3),
            (self._rename_album, 3),
            (self._rename_song, 3),
            (self._delete_song, 1),
            (self._delete_album, 1),
            (self._delete_playlist, 1),
            (self._export, 4),
            (self._use_account, 2),
        ]

    # Changes

    async def _write(self, method: str, path: str, body: Any, user: User | None = None, **more: Any) -> Answer:
        """The answer; one that is neither success nor excusable is noted as wrong.

        That there is nothing to delete is a success: a deletion is sent again when its answer was cut off.
        """
        answer = await self.client.ask(method, path, body, user, **more)
        expected = {201} if method == "POST" else {200, 404} if method == "DELETE" else {200}
        if not answer.failed and answer.status not in expected:
            self.client.journal.wrong.append(f"{method} {path}: {answer.status} {answer.content[:200]!r}")
        return answer

    async def _make(self, path: str, name: str, body: dict[str, Any], key: str, user: User | None = None) -> str | None:
        answer = await self._write("POST", path, body, user)
        if answer.status == 201:
            made: str = answer.data[key]
            return made
        self.unknown.append((path, name))
        return None

    async def _make_album(self) -> None:
        self._changes, self._playlist = 0, None
        name = self._name("Album")
        album_id = await self._make("/albums", name, {"name": name, "year": 2008}, "albumId")
        self._album = Album(album_id, Value(name)) if album_id else None
        if self._album is not None:
            self.albums.append(self._album)
            self._album.likes = {user.id: Value(False) for user in self.both}

    async def _make_playlist(self) -> None:
        name = self._name("Playlist")
        playlist_id = await self._make("/playlists", name, {"name": name}, "playlistId", self.owner)
        self._playlist = Playlist(playlist_id, name, self.owner, self.friend) if playlist_id else None
        if self._playlist is not None:
            self.playlists.append(self._playlist)

    async def _add_song(self) -> None:
        album, playlist = self._now()
        title = self._name("Song")
        body = Song("", Value(title)).fields(album.id, title)
        song_id = await self._make("/songs", title, body, "songId")
        if song_id is None:
            album.songs_in_doubt.append(title)
            return
        song = Song(song_id, Value(title))
        self.songs.append(song)
        album.songs.append(song)
        if len(playlist.songs) < LONGEST_PLAYLIST:
            user = self.friend if playlist.shared.last and self.dice.random() < 0.5 else self.owner
            answer = await self._write("POST", f"/playlists/{playlist.id}/songs", {"songId": song_id}, user)
            playlist.add(song, user, answer)

    async def _delete_song_from_playlist(self) -> None:
        _, playlist = self._now()
        songs = [song for song in playlist.songs if not song.gone.last]
        if songs:
            song = self.dice.choice(songs)
            path = f"/playlists/{playlist.id}/songs"
            playlist.delete(song, self.owner, await self._write("DELETE", path, {"songId": song.id}, self.owner))

    async def _like(self) -> None:
        album, _ = self._now()
        user = self.dice.choice(self.both)
        likes = album.likes[user.id]
        method = "DELETE" if likes.last else "POST"
        likes.write(not likes.last, await self._write(method, f"/albums/{album.id}/likes", None, user))

    async def _share(self) -> None:
        _, playlist = self._now()
        method = "DELETE" if playlist.shared.last else "POST"
        body = {"playlistId": playlist.id, "userId": self.friend.id}
        playlist.shared.write(not playlist.shared.last, await self._write(method, "/collaborations", body, self.owner))

    async def _upload(self) -> None:
        album, _ = self._now()
        colour: Colour = (self.dice.randrange(256), self.dice.randrange(256), self.dice.randrange(256))
        answer = await self.client.upload(f"/albums/{album.id}/covers", picture(colour))
        if not answer.failed and answer.status != 201:
            self.client.journal.wrong.append(f"cover: {answer.status} {answer.content[:200]!r}")
        album.cover.write(colour, answer)
        album.uploads_in_doubt += answer.failed

    async def _rename_album(self) -> None:
        album, _ = self._now()
        name = self._name("Renamed album")
        album.name.write(name, await self._write("PUT", f"/albums/{album.id}", {"name": name, "year": 1999}))

    async def _rename_song(self) -> None:
        album, _ = self._now()
        songs = [song for song in album.songs if not song.gone.last]
        if songs:
            song = self.dice.choice(songs)
            title = self._name("Renamed song")
            answer = await self._write("PUT", f"/songs/{song.id}", song.fields(album.id, title))
            song.title.write(title, answer)

    async def _delete_song(self) -> None:
        album, _ = self._now()
        songs = [song for song in album.songs if not song.gone.last]
        if songs:
            song = self.dice.choice(songs)
            song.gone.write(True, await self._write("DELETE", f"/songs/{song.id}", None))

    async def _delete_album(self) -> None:
        album, _ = self._now()
        album.gone.write(True, await self._write("DELETE", f"/albums/{album.id}", None))
        self._album = None

    async def _delete_playlist(self) -> None:
        _, playlist = self._now()
        if not playlist.exports:  # an export of a playlist that is gone is cancelled
            playlist.gone.write(True, await self._write("DELETE", f"/playlists/{playlist.id}", None, self.owner))
            self._playlist = None

    async def _export(self) -> None:
        _, playlist = self._now()
        address = f"{self._name('export').replace(' ', '-')}@listener.test"
        path = f"/export/playlists/{playlist.id}"
        answer = await self._write("POST", path, {"targetEmail": address}, self.owner)
        playlist.exports.append((address, answer.status == 201))

    async def _use_account(self) -> None:
        """Registers, logs in, refreshes and logs out; after that the token is good for nothing."""
        username = self._name("user").replace(" ", "_")
        person = {"username": username, "password": "secret", "fullname": "A Listener"}
        registered = await self._write("POST", "/users", person)
        self.accounts[username] = registered.status == 201
        if not self.accounts[username]:
            return
        login = await self._write("POST", "/authentications", {"username": username, "password": "secret"})
        if login.status != 201:
            return
        token = {"refreshToken": login.data["refreshToken"]}
        await self._write("PUT", "/authentications", token)
        out = await self.client.ask("DELETE", "/authentications", token)
        if out.failed:
            return
        if out.status not in {200, 400}:  # 400: it was sent again
            self.client.journal.wrong.append(f"logout: {out.status} {out.content!r}")
        after = await self.client.ask("PUT", "/authentications", token)
        if not after.failed and after.status != 400:
            self.client.journal.lost.append(f"logout of {username}: its token is still good ({after.status})")

    # Reads

    async def _read_songs(self) -> None:
        await self._read_songs_of(self._now()[1], self.dice.choice(self.both))

    async def _read_songs_of(self, playlist: Playlist, user: User) -> Answer:
        answer = await self.client.ask("GET", f"/playlists/{playlist.id}/songs", user=user)
        playlist.check_songs(user, answer, self.client.journal)
        return answer

    async def _read_activities(self) -> None:
        await self._read_activities_of(self._now()[1], self.dice.choice(self.both))

    async def _read_activities_of(self, playlist: Playlist, user: User) -> Answer:
        answer = await self.client.ask("GET", f"/playlists/{playlist.id}/activities", user=user)
        playlist.check_activities(user, answer, self.client.journal)
        return answer

    async def _read_album(self) -> None:
        await self._read_album_of(self._now()[0])

    async def _read_album_of(self, album: Album) -> Answer:
        answer = await self.client.ask("GET", f"/albums/{album.id}")
        album.check(answer, self.client.journal)
        return answer

    async def _read_likes(self) -> None:
        await self._read_likes_of(self._now()[0])

    async def _read_likes_of(self, album: Album) -> Answer:
        answer = await self.client.ask("GET", f"/albums/{album.id}/likes")
        album.check_likes(answer, self.client.journal)
        return answer

    async def _read_cover(self) -> None:
        await self._read_cover_of(self._now()[0])

    async def _read_cover_of(self, album: Album) -> Answer | None:
        """The album refers to a picture that is there, and is the right one."""
        shown = await self._read_album_of(album)
        if shown.status != 200 or shown.data["album"]["coverUrl"] is None:
            return None
        path = "/covers/" + shown.data["album"]["coverUrl"].partition("/covers/")[2]
        answer = await self.client.ask("GET", path)
        if answer.status == 404 and not album.cover.certain:  # replaced between the two by one that came late
            return answer
        if not answer.failed and (answer.status != 200 or colour_of(answer.content) not in album.cover.possible):
            self.client.journal.lost.append(f"cover of {album.id}: {answer.status}, not one of {album.cover.possible}")
        return answer

    async def _read_playlists(self) -> None:
        for user in self.both:
            answer = await self.client.ask("GET", "/playlists", user=user)
            if answer.failed:
                continue
            shown = {each["id"] for each in answer.data["playlists"]}
            for each in self.playlists:
                there = {not gone for gone in each.gone.possible}
                if user is self.friend:
                    there = {alive and shared for alive in there for shared in each.shared.possible}
                if (each.id in shown) not in there:
                    self.client.journal.lost.append(f"playlist {each.id} among those of {user.username}: {there}")

    async def _search(self) -> None:
        if not self.songs:
            return
        song = self.dice.choice(self.songs)
        if not song.certain:
            return
        answer = await self.client.ask("GET", "/songs", params={"title": song.title.last, "performer": "coldplay"})
        if answer.failed:
            return
        found = [each["id"] for each in answer.data["songs"] if each["title"] == song.title.last]
        if found != ([] if song.gone.last else [song.id]):
            self.client.journal.lost.append(f"search for {song.title.last}: {found}, not {song.id}")

    async def _look_back(self) -> None:
        """At something that was made before, perhaps with a change in doubt."""
        if self.dice.random() < 0.5:
            await self._read_songs_of(self.dice.choice(self.playlists), self.dice.choice(self.both))
        else:
            await self._read_album_of(self.dice.choice(self.albums))

    async def look_at_everything(self) -> None:
        """After all is over: no read may fail any more."""
        for album in self.albums:
            answers = [await self._read_album_of(album), await self._read_likes_of(album)]
            answers += [answer for answer in [await self._read_cover_of(album)] if answer is not None]
            self._complain_about_failures(answers)
        for playlist in self.playlists:
            for user in self.both:
                songs = await self._read_songs_of(playlist, user)
                activities = await self._read_activities_of(playlist, user)
                playlist.check_agreement(songs, activities, self.client.journal)
                self._complain_about_failures([songs, activities])
        await self._read_playlists()

    def _complain_about_failures(self, answers: list[Answer]) -> None:
        self.client.journal.wrong.extend(
            f"at last: {answer.status} {answer.content[:200]!r}" for answer in answers if answer.failed
        )

    def _now(self) -> tuple[Album, Playlist]:
        assert self._album is not None
        assert self._playlist is not None
        return self._album, self._playlist


def pairs_of(users: list[User], run: str, http: Client) -> list[Pair]:
    """Each two users in turn. The same users and the same dice for each run, but new names."""
    pairs = []
    for number, (owner, friend) in enumerate(zip(users[::2], users[1::2], strict=True)):
        dice = random.Random(number)  # noqa: S311 - of no secret
        pairs.append(Pair(number, run, owner, friend, http, dice))
    return pairs


class Crowd:
    """``pause`` is how many seconds, on average, a pair thinks between two steps."""

    def __init__(self, pairs: list[Pair], pause: float) -> None:
        self.pairs = pairs
        self._pause = pause
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.create_task(self._live(pair)) for pair in self.pairs]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Lets everybody finish what they are at; raises what went wrong in the crowd itself."""
        self._over.set()
        await asyncio.gather(*self._tasks)

    async def _live(self, pair: Pair) -> None:
        await asyncio.sleep(pair.dice.random() * self._pause)
        while not self._over.is_set():
            await pair.step()
            await asyncio.sleep(pair.dice.uniform(0.5, 1.5) * self._pause)

    async def look_at_everything(self) -> None:
        places = asyncio.Semaphore(16)

        async def one(pair: Pair) -> None:
            async with places:
                await pair.look_at_everything()

        await asyncio.gather(*map(one, self.pairs))
