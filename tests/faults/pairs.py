"""Two friends who use everything that there is, and who know what they should see."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import at_once
import leaving
import lists
from clients import Answer, Client, User
from lists import living
from models import Album, Change, Colour, Copy, Leaver, Playlist, Song, Value, picture
from reads import Reads

LONGEST_PLAYLIST = 25
CHANGES_OF_A_LIFE = 40  # after so many, a pair turns to a new album or playlist
WATCHED = 0.4  # the part of changes that are looked at before and at once afterwards, through another gateway

Step = Callable[[], Awaitable[Any]]


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
    leavers: list[Leaver] = field(default_factory=list)
    deletes_accounts: bool = True
    copies_in_doubt: list[Copy] = field(default_factory=list)
    cut_off: list[str] = field(default_factory=list)
    """Names of playlists whose import its client broke off."""
    _names: int = 0
    _album: Album | None = None
    _playlist: Playlist | None = None
    _changes: int = 0

    def __post_init__(self) -> None:
        self.reads = Reads(self.client, self.dice)
        self._gateway = 0

    def name(self, kind: str) -> str:
        self._names += 1
        return f"{kind} {self._names} of {self.run} {self.number}"

    @property
    def both(self) -> tuple[User, User]:
        return self.owner, self.friend

    async def step(self) -> None:
        """Something that a user does; what is in doubt is left alone from then on."""
        self._gateway = self.reads.gateway = self.dice.choice(self.client.gateways)
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

    def _habits(self) -> list[tuple[Step, int]]:
        album, playlist = self.now()
        of_album = [lambda: self.reads.album(album)]
        of_songs = [lambda user=user: self.reads.songs_of(playlist, user) for user in self.both]
        of_playlists = [lambda user=user: self.reads.playlists_of(user, self.playlists) for user in self.both]
        of_activities = [lambda: self.reads.activities_of(playlist, self.owner)]

        def watched(change: Step, *reads: Step) -> Step:
            return lambda: self._watch(change, reads)

        return [
            (self._read_songs, 14),
            (self._read_activities, 5),
            (of_album[0], 8),
            (self._read_song, 3),
            (lambda: self.reads.likes_of(album), 6),
            (lambda: self.reads.cover_of(album), 4),
            (self._read_playlists, 4),
            (self._search, 4),
            (self._look_back, 8),
            (watched(self._add_song, *of_songs, *of_activities, *of_album), 12),
            (watched(self._delete_song_from_playlist, *of_songs, *of_activities), 4),
            (watched(self._like, lambda: self.reads.likes_of(album)), 6),
            (watched(self._share, *of_songs, *of_playlists), 5),
            (self._intrude, 3),
            (watched(self._upload, lambda: self.reads.cover_of(album)), 3),
            (watched(self._rename_album, *of_album), 3),
            (watched(self._rename_song, *of_songs, *of_album), 4),
            (watched(self._delete_song, *of_songs, *of_album), 2),
            (watched(self._delete_album, *of_album), 1),
            (watched(self._delete_playlist, *of_songs, *of_playlists), 1),
            (self._export, 4),
            (self._use_account, 2),
            (lambda: leaving.an_account_is_deleted(self), 1 if self.deletes_accounts else 0),
            (watched(lambda: lists.a_song_is_moved(self), *of_songs), 4),
            (watched(lambda: lists.all_songs_are_put_in_order(self), *of_songs), 2),
            (watched(lambda: lists.many_songs_are_added(self), *of_songs, *of_activities), 2),
            (watched(lambda: lists.many_songs_are_deleted(self), *of_songs, *of_activities), 2),
            (watched(lambda: lists.a_playlist_is_copied(self), *of_playlists), 1),
            (watched(lambda: lists.a_playlist_is_imported(self), *of_playlists), 1),
            (lambda: lists.an_import_is_cut_off(self), 1),
            (lambda: lists.two_songs_are_moved(self), 2),
            (lambda: at_once.two_songs_are_added(self), 2),
            (lambda: at_once.two_songs_are_deleted(self), 2),
            (lambda: at_once.a_song_is_deleted_twice(self), 1),
            (lambda: at_once.a_friend_is_removed_while_adding(self), 3),
            (lambda: at_once.everything_is_deleted(self), 1),
        ]

    async def _watch(self, change: Step, reads: tuple[Step, ...]) -> None:
        """What another gateway, and whoever else, kept from before must not show once the change was answered."""
        if self.dice.random() > WATCHED:
            await change()
            return
        self.reads.gateway = self.dice.choice(self.client.gateways)
        for read in reads:
            await read()
        await change()
        for read in reads:
            await read()

    # Changes

    async def write(
        self,
        method: str,
        path: str,
        body: Any,
        user: User | None = None,
        *,
        may_be: frozenset[int] = frozenset(),
        **more: Any,
    ) -> Answer:
        """The answer; one that is neither success nor excusable nor ``may_be`` is noted as wrong."""
        answer = await self.client.ask(method, path, body, user, gateway=self._gateway, **more)
        self._expect(answer, f"{method} {path}", may_be | {201 if method == "POST" else 200})
        return answer

    def _expect(self, answer: Answer, request: str, statuses: frozenset[int]) -> None:
        if not answer.failed and answer.status not in statuses:
            self.client.journal.wrong.append(f"{request}: {answer.status} {answer.content[:200]!r}")

    async def _make(self, path: str, name: str, body: dict[str, Any], key: str, user: User | None = None) -> str | None:
        answer = await self.write("POST", path, body, user)
        if answer.status == 201:
            made: str = answer.data[key]
            return made
        self.unknown.append((path, name))
        return None

    async def _make_album(self) -> None:
        self._changes, self._playlist = 0, None
        name = self.name("Album")
        album_id = await self._make("/albums", name, {"name": name, "year": 2008}, "albumId")
        self._album = Album(album_id, Value(name)) if album_id else None
        if self._album is not None:
            self.albums.append(self._album)
            self._album.likes = {user.id: Value(False) for user in self.both}

    async def _make_playlist(self) -> None:
        name = self.name("Playlist")
        playlist_id = await self._make("/playlists", name, {"name": name}, "playlistId", self.owner)
        self._playlist = Playlist(playlist_id, name, self.owner, self.friend) if playlist_id else None
        if self._playlist is not None:
            self.playlists.append(self._playlist)

    async def make_song(self) -> Song | None:
        """In the present album; None when its id did not come."""
        album, _ = self.now()
        title = self.name("Song")
        body = Song("", Value(title)).fields(album.id, title)
        song_id = await self._make("/songs", title, body, "songId")
        if song_id is None:
            album.songs_in_doubt.append(title)
            return None
        song = Song(song_id, Value(title))
        self.songs.append(song)
        album.songs.append(song)
        return song

    def has_room(self, playlist: Playlist) -> bool:
        return len(playlist.songs) < LONGEST_PLAYLIST

    async def add(self, song: Song, user: User, may_be: frozenset[int] = frozenset()) -> tuple[Change, Answer]:
        path = f"/playlists/{self.now()[1].id}/songs"
        answer = await self.write("POST", path, {"songId": song.id}, user, may_be=may_be)
        return Change("add", song, user.username), answer

    async def delete(self, song: Song, user: User, may_be: frozenset[int] = frozenset()) -> tuple[Change, Answer]:
        path = f"/playlists/{self.now()[1].id}/songs"
        answer = await self.write("DELETE", path, {"songId": song.id}, user, may_be=may_be)
        return Change("delete", song, user.username), answer

    async def remove_friend(self) -> Answer:
        _, playlist = self.now()
        body = {"playlistId": playlist.id, "userId": self.friend.id}
        answer = await self.write("DELETE", "/collaborations", body, self.owner)
        playlist.shared.write(False, answer)
        return answer

    async def delete_song(self, song: Song) -> None:
        song.gone.write(True, await self.write("DELETE", f"/songs/{song.id}", None))

    async def delete_playlist(self) -> None:
        _, playlist = self.now()
        playlist.gone.write(True, await self.write("DELETE", f"/playlists/{playlist.id}", None, self.owner))

    def turn_to_another_playlist(self) -> None:
        self._playlist = None

    async def _add_song(self) -> None:
        _, playlist = self.now()
        song = await self.make_song()
        if song is not None and self.has_room(playlist):
            user = self.friend if playlist.shared.last and self.dice.random() < 0.5 else self.owner
            playlist.write(*await self.add(song, user))

    async def _delete_song_from_playlist(self) -> None:
        _, playlist = self.now()
        if songs := living(playlist.songs):
            playlist.write(*await self.delete(self.dice.choice(songs), self.owner))

    async def _like(self) -> None:
        album, _ = self.now()
        user = self.dice.choice(self.both)
        likes = album.likes[user.id]
        method = "DELETE" if likes.last else "POST"
        likes.write(not likes.last, await self.write(method, f"/albums/{album.id}/likes", None, user))

    async def _share(self) -> None:
        _, playlist = self.now()
        if playlist.shared.last:
            await self.remove_friend()
        else:
            body = {"playlistId": playlist.id, "userId": self.friend.id}
            playlist.shared.write(True, await self.write("POST", "/collaborations", body, self.owner))

    async def _intrude(self) -> None:
        """One who may not, or no longer, is refused and changes nothing, not even when no answer comes."""
        album, playlist = self.now()
        if playlist.shared.last or not album.songs:
            return
        path, song = f"/playlists/{playlist.id}/songs", self.dice.choice(album.songs)
        for method in ("POST", "DELETE"):
            answer = await self.client.ask(method, path, {"songId": song.id}, self.friend, gateway=self._gateway)
            # That there is no such song, or no such song in it, is said before who may change it.
            self._expect(answer, f"{method} {path} by a stranger", frozenset({403, 404}))

    async def _upload(self) -> None:
        album, _ = self.now()
        colour: Colour = (self.dice.randrange(256), self.dice.randrange(256), self.dice.randrange(256))
        answer = await self.client.upload(f"/albums/{album.id}/covers", picture(colour), gateway=self._gateway)
        self._expect(answer, "cover", frozenset({201}))
        album.cover.write(colour, answer)
        album.uploads_in_doubt += answer.failed

    async def _rename_album(self) -> None:
        album, _ = self.now()
        name = self.name("Renamed album")
        album.name.write(name, await self.write("PUT", f"/albums/{album.id}", {"name": name, "year": 1999}))

    async def _rename_song(self) -> None:
        album, _ = self.now()
        if songs := living(album.songs):
            song = self.dice.choice(songs)
            title = self.name("Renamed song")
            song.title.write(title, await self.write("PUT", f"/songs/{song.id}", song.fields(album.id, title)))

    async def _delete_song(self) -> None:
        album, _ = self.now()
        if songs := living(album.songs):
            await self.delete_song(self.dice.choice(songs))

    async def _delete_album(self) -> None:
        album, _ = self.now()
        album.gone.write(True, await self.write("DELETE", f"/albums/{album.id}", None))
        self._album = None

    async def _delete_playlist(self) -> None:
        _, playlist = self.now()
        if not playlist.exports:  # an export of a playlist that is gone is cancelled
            await self.delete_playlist()
            self.turn_to_another_playlist()

    async def _export(self) -> None:
        _, playlist = self.now()
        address = f"{self.name('export').replace(' ', '-')}@listener.test"
        path = f"/export/playlists/{playlist.id}"
        answer = await self.write("POST", path, {"targetEmail": address}, self.owner)
        playlist.exports.append((address, answer.status == 201))

    async def _use_account(self) -> None:
        """Registers, logs in, uses the tokens, and logs out; after that the one is good for nothing."""
        username = self.name("user").replace(" ", "_")
        person = {"username": username, "password": "secret", "fullname": "A Listener"}
        registered = await self.write("POST", "/users", person)
        self.accounts[username] = registered.status == 201
        if not self.accounts[username]:
            return
        user_id = registered.data["userId"]
        login = await self.write("POST", "/authentications", {"username": username, "password": "secret"})
        if login.status != 201:
            return
        await self._use_token(User(user_id, username, login.data["accessToken"]))
        token = {"refreshToken": login.data["refreshToken"]}
        refreshed = await self.write("PUT", "/authentications", token)
        if refreshed.status == 200:
            await self._use_token(User(user_id, username, refreshed.data["accessToken"]))
        out = await self.write("DELETE", "/authentications", token)
        if out.status == 200:
            after = await self.client.ask("PUT", "/authentications", token, gateway=self.reads.gateway)
            if not after.failed and after.status != 400:
                self.client.journal.lost.append(f"logout of {username}: its token is still good ({after.status})")

    async def _use_token(self, user: User) -> None:
        """It is good at once, through every gateway."""
        for gateway in self.client.gateways:
            self.reads.gateway = gateway
            await self.reads.playlists_of(user, [])

    # Reads

    async def _read_songs(self) -> None:
        await self.reads.songs_of(self.now()[1], self.dice.choice(self.both))

    async def _read_activities(self) -> None:
        await self.reads.activities_of(self.now()[1], self.dice.choice(self.both))

    async def _read_playlists(self) -> None:
        for user in self.both:
            await self.reads.playlists_of(user, self.playlists)

    async def _read_song(self) -> None:
        if self.songs:
            await self.reads.song(self.dice.choice(self.songs))

    async def _search(self) -> None:
        if certain := [song for song in self.songs if song.certain]:
            await self.reads.search(self.dice.choice(certain))

    async def _look_back(self) -> None:
        """At something that was made before, perhaps with a change in doubt."""
        if self.dice.random() < 0.5:
            await self.reads.songs_of(self.dice.choice(self.playlists), self.dice.choice(self.both))
        else:
            await self.reads.album(self.dice.choice(self.albums))

    async def look_at_everything(self) -> None:
        """After all is over: no read may fail any more, through whichever gateway."""
        for gateway in self.client.gateways:
            self.reads.gateway = gateway
            for album in self.albums:
                answers = [await self.reads.album(album), await self.reads.likes_of(album)]
                answers += [answer for answer in [await self.reads.cover_of(album)] if answer is not None]
                self._complain_about_failures(answers)
            for playlist in self.playlists:
                for user in self.both:
                    songs = await self.reads.songs_of(playlist, user)
                    activities = await self.reads.activities_of(playlist, user)
                    playlist.check_agreement(songs, activities, self.client.journal)
                    self._complain_about_failures([songs, activities])
            for user in self.both:
                self._complain_about_failures([await self.reads.playlists_of(user, self.playlists)])

    def _complain_about_failures(self, answers: list[Answer]) -> None:
        self.client.journal.wrong.extend(
            f"at last: {answer.status} {answer.content[:200]!r}" for answer in answers if answer.failed
        )

    def now(self) -> tuple[Album, Playlist]:
        """The album and the playlist that they are at."""
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
