"""What users do with whole lists: put songs in order, add and delete many at once, copy, and import."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from clients import Answer, User
from models import Change, Copy, Playlist, Song, State

if TYPE_CHECKING:
    from pairs import Pair

MOST_AT_ONCE = 3  # songs


def living(songs: Sequence[Song]) -> list[Song]:
    """Those that nobody tried to delete."""
    return [song for song in songs if not song.gone.last]


async def a_song_is_moved(pair: "Pair") -> None:
    _, playlist = pair.now()
    user = _member(pair)
    if change := _some_move(pair, user):
        playlist.write(change, await _move(pair, change, user))
    else:
        await many_songs_are_added(pair)  # so that the next one finds some


async def two_songs_are_moved(pair: "Pair") -> None:
    """By both friends at the same time; whichever comes first, both moves count."""
    _, playlist = pair.now()
    moves = [(_some_move(pair, user), user) for user in pair.both]
    made = [(change, user) for change, user in moves if change is not None]
    if not playlist.shared.last or len(made) < 2:
        return
    answers = await asyncio.gather(*(_move(pair, change, user) for change, user in made))
    playlist.write_at_once([(change, answer) for (change, _), answer in zip(made, answers, strict=True)])
    shown = await pair.reads.songs_of(playlist, pair.owner)
    if not any(answer.failed for answer in answers):
        playlist.narrow_to_songs(shown)


async def all_songs_are_put_in_order(pair: "Pair") -> None:
    """Only of songs that are certainly there: an order that does not name each song is refused."""
    _, playlist = pair.now()
    songs = [song for song in playlist.songs if song.gone.possible == [False]]
    if len(songs) < 2:
        await many_songs_are_added(pair)
        return
    if not all(song.gone.certain for song in playlist.songs):
        return
    pair.dice.shuffle(songs)
    user = _member(pair)
    path = f"/playlists/{playlist.id}/songs/order"
    answer = await pair.write("PUT", path, {"songIds": [song.id for song in songs]}, user)
    moves = [Change("move", song, user.username, after) for after, song in zip([None, *songs], songs, strict=False)]
    playlist.write_together(moves, answer)


async def many_songs_are_added(pair: "Pair") -> None:
    _, playlist = pair.now()
    made = [await pair.make_song() for _ in range(pair.dice.randint(2, MOST_AT_ONCE))]
    songs = [song for song in made if song is not None]
    if songs and pair.has_room(playlist):
        await _change_together(pair, "POST", "add", songs)


async def many_songs_are_deleted(pair: "Pair") -> None:
    _, playlist = pair.now()
    there = living(playlist.songs)
    if len(there) > MOST_AT_ONCE:
        songs = pair.dice.sample(there, pair.dice.randint(2, MOST_AT_ONCE))
        await _change_together(pair, "DELETE", "delete", songs)


async def a_playlist_is_copied(pair: "Pair") -> None:
    """The copy has the songs in their order, and no activities."""
    _, playlist = pair.now()
    user, name = _member(pair), pair.name("Copy")
    answer = await pair.write("POST", f"/playlists/{playlist.id}/copy", {"name": name}, user)
    if answer.status == 201:
        (friend,) = (each for each in pair.both if each is not user)
        copied = [State(playlist.songs)]
        pair.playlists.append(Playlist(answer.data["playlistId"], name, user, friend, copied))
    elif answer.failed:
        pair.unknown.append(("/playlists", name))
        pair.copies_in_doubt.append(Copy(name, playlist.songs))


async def a_playlist_is_imported(pair: "Pair") -> None:
    """It has all songs that are there, each with its activity."""
    _, playlist = pair.now()
    songs, name = living(playlist.songs), pair.name("Import")
    answer = await pair.write("POST", _import_as(name), None, pair.owner, data=_file(songs))
    if answer.status == 201:
        state = State().after(Change("add", song, pair.owner.username) for song in songs)
        pair.playlists.append(Playlist(answer.data["playlistId"], name, pair.owner, pair.friend, [state]))
    elif answer.failed:
        pair.unknown.append(("/playlists", name))
        pair.copies_in_doubt.append(Copy(name, tuple(songs)))


async def an_import_is_cut_off(pair: "Pair") -> None:
    """By its client, after half of the file: nothing may come of it, although the half is a whole file."""
    _, playlist = pair.now()
    if songs := living(playlist.songs):
        name = pair.name("Half an import")
        await pair.client.cut_off(
            _import_as(name), _file(songs), pair.owner, gateway=pair.dice.choice(pair.client.gateways)
        )
        pair.cut_off.append(name)


def _import_as(name: str) -> str:
    return f"/playlists/import?{urlencode({'format': 'csv', 'name': name})}"


def _file(songs: Sequence[Song]) -> bytes:
    return "".join(["id\r\n", *(f"{song.id}\r\n" for song in songs)]).encode()


async def _change_together(pair: "Pair", method: str, action: Literal["add", "delete"], songs: list[Song]) -> None:
    _, playlist = pair.now()
    user, path = _member(pair), f"/playlists/{playlist.id}/songs/batch"
    answer = await pair.write(method, path, {"songIds": [song.id for song in songs]}, user)
    playlist.write_together([Change(action, song, user.username) for song in songs], answer)


def _some_move(pair: "Pair", user: User) -> Change | None:
    _, playlist = pair.now()
    songs = living(playlist.songs)
    if len(songs) < 2:
        return None
    song, after = pair.dice.sample(songs, 2)
    return Change("move", song, user.username, pair.dice.choice([None, after]))


async def _move(pair: "Pair", change: Change, user: User) -> Answer:
    _, playlist = pair.now()
    body = {"songId": change.song.id, "after": change.after.id if change.after else None}
    return await pair.write("PUT", f"/playlists/{playlist.id}/songs/order", body, user)


def _member(pair: "Pair") -> User:
    """One of those who may change the present playlist."""
    _, playlist = pair.now()
    return pair.friend if playlist.shared.last and pair.dice.random() < 0.5 else pair.owner
