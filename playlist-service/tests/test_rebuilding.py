"""Copies that were damaged are mended from their owners, whatever happens meanwhile."""

import asyncio
from typing import Any

import pytest

from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import new_id
from openmusic_playlist.__main__ import rebuild_read_copies
from openmusic_playlist.read_copies.errors import NothingOwned
from openmusic_playlist.read_copies.rebuild import PAGE


@pytest.fixture
async def rebuild(client: Any, settings: Any, connection: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command beside the service; gives what it printed. There are no copies of another test."""
    assert client
    await connection.execute("TRUNCATE songs, users, playlists CASCADE")

    async def run() -> list[str]:
        capsys.readouterr()
        await rebuild_read_copies(settings)
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def keep(connection: Any) -> Any:
    async def insert(song_id: str, title: str, version: int = 1, *, deleted: bool = False) -> None:
        """A copy past our own code."""
        await connection.execute(
            "INSERT INTO songs (id, title, performer, version, deleted) VALUES (%s, %s, 'Coldplay', %s, %s)",
            [song_id, title, version, deleted],
        )

    return insert


async def test_every_kind_of_damage_is_mended_and_told(
    rebuild: Any, owners: Any, keep: Any, song_copy: Any, alice: Any
) -> None:
    missing, old, other_text, ahead, dead = [owners.add_song(f"song {number}") for number in range(5)]
    right, gone, strange = owners.add_song("right"), new_id("song"), "song-nobody"
    owners.rename(old, "renamed")
    await keep(old, "song 1")
    await keep(other_text, "damaged")
    await keep(ahead, "from the future", 2**63 - 1)
    await keep(dead, "", 7, deleted=True)
    await keep(right, "right")
    await keep(gone, "gone")
    await keep(strange, "strange")

    told = await rebuild()

    assert sorted(told[:-1]) == sorted(
        [
            f"{alice.id} was missing",
            f"{missing} was missing",
            f"{old} was old",
            f"{other_text} was wrong",
            f"{ahead} was wrong",
            f"{dead} was wrong",
            f"{gone} is no more",
            f"{strange} is no more",
        ]
    )
    assert told[-1] == "8 copies mended; compared with 6 songs and 1 users"
    for song_id, song in owners.songs.items():
        copy = await song_copy(song_id)
        assert (copy["title"], copy["version"], copy["deleted"]) == (song["title"], song["version"], False)
    assert [(await song_copy(each))["deleted"] for each in (gone, strange)] == [True, True]
    assert await rebuild() == ["0 copies mended; compared with 6 songs and 1 users"]


@pytest.mark.parametrize(
    ("damage", "titles", "username"),
    [
        ("UPDATE songs SET title = 'damaged' WHERE id = %(first)s", ["first", "second"], "alice"),
        ("UPDATE songs SET title = 'damaged', version = 0 WHERE id = %(first)s", ["first", "second"], "alice"),
        ("UPDATE songs SET id = %(unknown)s WHERE id = %(first)s", ["first", "second"], "alice"),
        ("UPDATE users SET username = 'mallory'", ["first", "second"], "alice"),
        ("SELECT 1", ["second"], "alice"),
    ],
    ids=["another text", "an old text", "a missing copy", "another name", "a song that is no more"],
)
async def test_a_cached_playlist_shows_at_once_what_was_mended(
    rebuild: Any, owners: Any, connection: Any, alice: Any, damage: str, titles: list[str], username: str
) -> None:
    playlist_id = await alice.add_playlist()
    first, second = owners.add_song("first"), owners.add_song("second")
    for song_id in (first, second):
        assert await alice.add(playlist_id, song_id) == 201
    await connection.execute(damage, {"first": first, "unknown": new_id("song")})
    if "first" not in titles:
        del owners.songs[first]
    for _ in range(2):
        _, cached = await alice.read(playlist_id)
    assert cached

    await rebuild()

    answer = await alice.call("GET", f"/playlists/{playlist_id}/songs")
    playlist = answer.json()["data"]["playlist"]
    assert "X-Data-Source" not in answer.headers
    assert ([song["title"] for song in playlist["songs"]], playlist["username"]) == (titles, username)


async def test_all_pages_are_compared(rebuild: Any, owners: Any, keep: Any, song_copy: Any) -> None:
    songs = [owners.add_song(f"song {number}") for number in range(2 * PAGE)]
    between, behind = songs[PAGE], new_id("song")
    del owners.songs[between]
    await keep(between, "gone")
    await keep(behind, "gone too")
    owners.users |= {new_id("user"): f"user {number}" for number in range(PAGE)}

    told = await rebuild()

    assert told[-1] == f"{3 * PAGE + 1} copies mended; compared with {2 * PAGE - 1} songs and {PAGE} users"
    assert [(await song_copy(each))["deleted"] for each in (between, behind)] == [True, True]
    assert (await song_copy(songs[-1]))["title"] == f"song {2 * PAGE - 1}"


async def test_news_that_arrive_after_a_page_was_read_are_not_undone(
    rebuild: Any, owners: Any, events: Any, applied: Any, song_copy: Any, alice: Any
) -> None:
    playlist_id = await alice.add_playlist()
    renamed, deleted, untouched = [owners.add_song(title) for title in ("renamed", "deleted", "untouched")]
    for song_id in (renamed, deleted, untouched):
        assert await alice.add(playlist_id, song_id) == 201
    created = []

    async def go_on() -> None:
        created.append(owners.add_song("created"))
        version = owners.rename(renamed, "renamed again")
        del owners.songs[deleted]
        await applied(
            await events.song("created", created[0], 1, "created"),
            await events.song("updated", renamed, version, "renamed again"),
            await events.song("deleted", deleted, 2),
        )
        assert await alice.add(playlist_id, created[0]) == 201

    owners.after_page = go_on

    told = await rebuild()

    assert told == ["0 copies mended; compared with 3 songs and 1 users"]
    assert (await alice.read(playlist_id))[0] == ["renamed again", "untouched", "created"]
    assert (await song_copy(deleted))["deleted"] is True
    assert (await song_copy(created[0]))["deleted"] is False


async def test_a_song_that_is_deleted_while_its_copy_is_in_doubt_stays_deleted(
    rebuild: Any, owners: Any, events: Any, applied: Any, keep: Any, song_copy: Any
) -> None:
    song_id = owners.add_song("in doubt")
    await keep(song_id, "", 99, deleted=True)
    let_go = owners.hold_back()
    rebuilding = asyncio.create_task(rebuild())
    await owners.holding.wait()
    del owners.songs[song_id]
    event_id = await events.song("deleted", song_id, 2)
    marker = owners.add_song("marker")
    await applied(await events.song("created", marker, 1, "marker"))

    let_go.set()

    assert f"{song_id} was wrong" in await rebuilding
    await applied(event_id)
    assert (await song_copy(song_id))["deleted"] is True


async def test_it_runs_while_playlists_are_read_and_changed(
    rebuild: Any, owners: Any, connection: Any, alice: Any
) -> None:
    playlist_id = await alice.add_playlist()
    songs = [owners.add_song(f"song {number}") for number in range(60)]
    expected = [f"song {number}" for number in range(60)]
    for song_id in songs[:30]:
        assert await alice.add(playlist_id, song_id) == 201
    await connection.execute("UPDATE songs SET title = 'damaged'")
    seen = []

    async def go_on() -> None:
        for song_id in songs[30:]:
            assert await alice.add(playlist_id, song_id) == 201
            seen.append((await alice.read(playlist_id))[0])

    await asyncio.gather(rebuild(), go_on(), rebuild())

    assert [len(titles) for titles in seen] == list(range(31, 61)), "a write was not seen"
    assert (await alice.read(playlist_id))[0] == expected


async def test_what_was_mended_stays_when_an_owner_goes_away_and_the_next_run_mends_the_rest(
    rebuild: Any, owners: Any, song_copy: Any
) -> None:
    songs = [owners.add_song(f"song {number}") for number in range(PAGE + 1)]

    async def go_down() -> None:
        owners.down.add("songs")

    owners.after_page = go_down
    with pytest.raises(Unavailable):
        await rebuild()
    assert (await song_copy(songs[0]))["title"] == "song 0"
    assert await song_copy(songs[-1]) is None

    owners.after_page = None
    owners.down.clear()
    assert len(await rebuild()) == 2


async def test_an_empty_catalogue_is_not_believed(rebuild: Any, owners: Any, keep: Any, song_copy: Any) -> None:
    song_id = new_id("song")
    await keep(song_id, "still here")
    assert owners.songs == {}

    with pytest.raises(NothingOwned):
        await rebuild()

    assert (await song_copy(song_id))["deleted"] is False
