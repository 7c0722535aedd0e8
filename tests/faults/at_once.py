"""What two friends do at the same time: where locks are taken in another order, and where one is in the other's way."""

import asyncio
from typing import TYPE_CHECKING

from clients import Answer
from models import Change

if TYPE_CHECKING:
    from pairs import Pair

REFUSED = frozenset({400, 403, 404})  # what the one may be told because the other was faster


async def two_songs_are_added(pair: "Pair") -> None:
    _, playlist = pair.now()
    songs = [await pair.make_song(), await pair.make_song()]
    if not playlist.shared.last or None in songs:
        return
    first, second = songs
    assert first is not None
    assert second is not None
    added = await asyncio.gather(pair.add(first, pair.owner), pair.add(second, pair.friend))
    await _write(pair, list(added))


async def two_songs_are_deleted(pair: "Pair") -> None:
    _, playlist = pair.now()
    songs = [song for song in playlist.songs if not song.gone.last]
    if playlist.shared.last and len(songs) > 1:
        first, second = pair.dice.sample(songs, 2)
        deleted = await asyncio.gather(pair.delete(first, pair.owner), pair.delete(second, pair.friend))
        await _write(pair, list(deleted))


async def a_song_is_deleted_twice(pair: "Pair") -> None:
    """By one of the two: the other is told that it is not there."""
    _, playlist = pair.now()
    songs = [song for song in playlist.songs if not song.gone.last]
    if not playlist.shared.last or not songs:
        return
    song = pair.dice.choice(songs)
    missing = frozenset({404})
    deleted = await asyncio.gather(*(pair.delete(song, user, missing) for user in pair.both))
    done = [each for each in deleted if each[1].status == 200]
    in_doubt = [each for each in deleted if each[1].failed]
    if len(done) > 1 or not done + in_doubt:
        pair.client.journal.wrong.append(f"{song.id} was deleted by {len(done)} at once: {deleted}")
    elif done:
        playlist.write(*done[0])
    else:
        before = playlist.possible
        playlist.possible = [state.after([change]) for state in before for change, _ in in_doubt]
        if len(in_doubt) == len(deleted):
            playlist.possible += before


async def a_friend_is_removed_while_adding(pair: "Pair") -> None:
    """What the friend asked for is done before the removal is answered, or never."""
    _, playlist = pair.now()
    song = await pair.make_song() if playlist.shared.last else None
    if song is None:
        return

    async def remove() -> tuple[Answer, Answer | None]:
        removed = await pair.remove_friend()
        path = f"/playlists/{playlist.id}/songs"
        shown = await pair.client.ask("GET", path, user=pair.owner, gateway=pair.reads.gateway)
        return removed, shown

    added, (removed, shown) = await asyncio.gather(pair.add(song, pair.friend, frozenset({403})), remove())
    if added[1].status != 403:
        playlist.write(*added)
    if shown is not None and not removed.failed:
        playlist.settle(song, shown, pair.client.journal)
    await pair.reads.songs_of(playlist, pair.owner)


async def everything_is_deleted(pair: "Pair") -> None:
    """The owner deletes the playlist while the friend takes a song out of it, and that song is deleted as well."""
    _, playlist = pair.now()
    songs = [song for song in playlist.songs if not song.gone.last]
    if playlist.exports or len(songs) < 2:
        return
    first, second = pair.dice.sample(songs, 2)
    asked = pair.delete(first, pair.friend if playlist.shared.last else pair.owner, REFUSED)
    (change, answer), _, _ = await asyncio.gather(asked, pair.delete_song(second), pair.delete_playlist())
    if answer.status == 200 or answer.failed:
        playlist.write(change, answer)
    for user in pair.both:
        await pair.reads.songs_of(playlist, user)
    pair.turn_to_another_playlist()


async def _write(pair: "Pair", changes: list[tuple[Change, Answer]]) -> None:
    _, playlist = pair.now()
    playlist.write_at_once(changes)
    if not any(answer.failed for _, answer in changes):
        shown = await pair.client.ask("GET", f"/playlists/{playlist.id}/activities", user=pair.owner)
        playlist.narrow(shown, pair.client.journal)
    await pair.reads.songs_of(playlist, pair.owner)
