"""Copies that were damaged are repaired from their owners, whatever happens meanwhile."""

import asyncio
from contextlib import suppress
from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import new_id
from openmusic_playlist.projections.commands import reconcile
from openmusic_playlist.projections.consumer import SUBSCRIPTION
from openmusic_playlist.projections.errors import CatalogueEmpty
from openmusic_playlist.projections.reconciliation import PAGE


@pytest.fixture(autouse=True)
async def no_events(settings: Any) -> None:
    """None of another test is waiting for the service, which would make copies of it."""
    async with await aio_pika.connect(settings.rabbitmq_server.get_secret_value()) as connection:
        channel = await connection.channel()
        with suppress(ChannelNotFoundEntity):
            await (await channel.get_queue(SUBSCRIPTION.queue.name)).purge()


@pytest.fixture
async def reconcile_copies(client: Any, settings: Any, connection: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command beside the service; gives what it printed. There are no copies of another test."""
    assert client
    await connection.execute("TRUNCATE songs, users, playlists CASCADE")

    async def run() -> list[str]:
        capsys.readouterr()
        await reconcile(settings)
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


async def test_every_kind_of_damage_is_repaired_and_told(
    reconcile_copies: Any, peers: Any, keep: Any, song_copy: Any, alice: Any
) -> None:
    missing, old, other_text, ahead, dead = [peers.add_song(f"song {number}") for number in range(5)]
    right, gone, strange = peers.add_song("right"), new_id("song"), "song-nobody"
    peers.rename(old, "renamed")
    await keep(old, "song 1")
    await keep(other_text, "damaged")
    await keep(ahead, "from the future", 2**63 - 1)
    await keep(dead, "", 7, deleted=True)
    await keep(right, "right")
    await keep(gone, "gone")
    await keep(strange, "strange")

    told = await reconcile_copies()

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
    assert told[-1] == "8 copies repaired; compared with 6 songs and 1 users"
    for song_id, song in peers.songs.items():
        copy = await song_copy(song_id)
        assert (copy["title"], copy["version"], copy["deleted"]) == (song["title"], song["version"], False)
    assert [(await song_copy(each))["deleted"] for each in (gone, strange)] == [True, True]
    assert await reconcile_copies() == ["0 copies repaired; compared with 6 songs and 1 users"]


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
async def test_a_cached_playlist_shows_at_once_what_was_repaired(
    reconcile_copies: Any, peers: Any, connection: Any, alice: Any, damage: str, titles: list[str], username: str
) -> None:
    playlist_id = await alice.add_playlist()
    first, second = peers.add_song("first"), peers.add_song("second")
    for song_id in (first, second):
        assert await alice.add(playlist_id, song_id) == 201
    await connection.execute(damage, {"first": first, "unknown": new_id("song")})
    if "first" not in titles:
        del peers.songs[first]
    for _ in range(2):
        _, cached = await alice.read(playlist_id)
    assert cached

    await reconcile_copies()

    answer = await alice.call("GET", f"/playlists/{playlist_id}/songs")
    playlist = answer.json()["data"]["playlist"]
    assert "X-Data-Source" not in answer.headers
    assert ([song["title"] for song in playlist["songs"]], playlist["username"]) == (titles, username)


async def test_all_pages_are_compared(reconcile_copies: Any, peers: Any, keep: Any, song_copy: Any) -> None:
    songs = [peers.add_song(f"song {number}") for number in range(2 * PAGE)]
    between, behind = songs[PAGE], new_id("song")
    del peers.songs[between]
    await keep(between, "gone")
    await keep(behind, "gone too")
    peers.users |= {new_id("user"): f"user {number}" for number in range(PAGE)}

    told = await reconcile_copies()

    assert told[-1] == f"{3 * PAGE + 1} copies repaired; compared with {2 * PAGE - 1} songs and {PAGE} users"
    assert [(await song_copy(each))["deleted"] for each in (between, behind)] == [True, True]
    assert (await song_copy(songs[-1]))["title"] == f"song {2 * PAGE - 1}"


async def test_news_that_arrive_after_a_page_was_read_are_not_undone(
    reconcile_copies: Any, peers: Any, events: Any, applied: Any, song_copy: Any, alice: Any
) -> None:
    playlist_id = await alice.add_playlist()
    renamed, deleted, untouched = [peers.add_song(title) for title in ("renamed", "deleted", "untouched")]
    for song_id in (renamed, deleted, untouched):
        assert await alice.add(playlist_id, song_id) == 201
    created = []

    async def go_on() -> None:
        created.append(peers.add_song("created"))
        version = peers.rename(renamed, "renamed again")
        del peers.songs[deleted]
        await applied(
            await events.song("created", created[0], 1, "created"),
            await events.song("updated", renamed, version, "renamed again"),
            await events.song("deleted", deleted, 2),
        )
        assert await alice.add(playlist_id, created[0]) == 201

    peers.after_page = go_on

    told = await reconcile_copies()

    assert told == ["0 copies repaired; compared with 3 songs and 1 users"]
    assert (await alice.read(playlist_id))[0] == ["renamed again", "untouched", "created"]
    assert (await song_copy(deleted))["deleted"] is True
    assert (await song_copy(created[0]))["deleted"] is False


async def test_a_song_that_is_deleted_while_its_copy_is_in_doubt_stays_deleted(
    reconcile_copies: Any, peers: Any, events: Any, applied: Any, keep: Any, song_copy: Any
) -> None:
    song_id = peers.add_song("in doubt")
    await keep(song_id, "", 99, deleted=True)
    let_go = peers.hold_back()
    reconciling = asyncio.create_task(reconcile_copies())
    await peers.holding.wait()
    del peers.songs[song_id]
    event_id = await events.song("deleted", song_id, 2)
    marker = peers.add_song("marker")
    await applied(await events.song("created", marker, 1, "marker"))

    let_go.set()

    assert f"{song_id} was wrong" in await reconciling
    await applied(event_id)
    assert (await song_copy(song_id))["deleted"] is True


async def test_it_runs_while_playlists_are_read_and_changed(
    reconcile_copies: Any, peers: Any, connection: Any, alice: Any
) -> None:
    playlist_id = await alice.add_playlist()
    songs = [peers.add_song(f"song {number}") for number in range(60)]
    expected = [f"song {number}" for number in range(60)]
    for song_id in songs[:30]:
        assert await alice.add(playlist_id, song_id) == 201
    await connection.execute("UPDATE songs SET title = 'damaged'")
    seen = []

    async def go_on() -> None:
        for song_id in songs[30:]:
            assert await alice.add(playlist_id, song_id) == 201
            seen.append((await alice.read(playlist_id))[0])

    await asyncio.gather(reconcile_copies(), go_on(), reconcile_copies())

    assert [len(titles) for titles in seen] == list(range(31, 61)), "a write was not seen"
    assert (await alice.read(playlist_id))[0] == expected


async def test_what_was_repaired_stays_when_an_owner_goes_away_and_the_next_run_repairs_the_rest(
    reconcile_copies: Any, peers: Any, song_copy: Any
) -> None:
    songs = [peers.add_song(f"song {number}") for number in range(PAGE + 1)]

    async def go_down() -> None:
        peers.down.add("songs")

    peers.after_page = go_down
    with pytest.raises(Unavailable):
        await reconcile_copies()
    assert (await song_copy(songs[0]))["title"] == "song 0"
    assert await song_copy(songs[-1]) is None

    peers.after_page = None
    peers.down.clear()
    assert len(await reconcile_copies()) == 2


async def test_an_empty_catalogue_is_not_believed(reconcile_copies: Any, peers: Any, keep: Any, song_copy: Any) -> None:
    song_id = new_id("song")
    await keep(song_id, "still here")
    assert peers.songs == {}

    with pytest.raises(CatalogueEmpty):
        await reconcile_copies()

    assert (await song_copy(song_id))["deleted"] is False
