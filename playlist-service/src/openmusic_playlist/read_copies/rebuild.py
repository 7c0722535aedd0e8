"""Compares the copies with their owners and mends what differs, while the service serves and news arrive.

A page tells how songs were when it was read, and news may have overtaken it. So it is used like news: it makes copies
newer, never older. A copy that it does not explain is in doubt: of another text though of the same version, of a later
version, deleted, or of a song that the page does not have. Then the copy is locked, and the owner is asked about that
song alone. The copy was made from something that the owner had committed, and the owner is asked after it, so its
answer cannot be older than a copy that is right; and no news can pass, as they wait for the lock. In particular a song
that was created after the page was read is in doubt for a moment, and then found.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

from psycopg.rows import DictRow

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.unit_of_work import CachedUnitOfWork
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import is_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.read_copies.errors import NothingOwned
from openmusic_playlist.read_copies.repository import SongCopyRepository, UserCopyRepository
from openmusic_playlist.read_copies.schemas import SongAnswer, SongsAnswer, UserAnswer, UsersAnswer
from openmusic_playlist.read_copies.song_news import bury_song, keep_song, replace_song, sweep

PAGE = 500

T = TypeVar("T")

Report = Callable[[str], object]


class Rebuild:
    """``report`` is told of each copy that was mended, in a line."""

    def __init__(
        self,
        database: Database,
        cache: Cache,
        purges: PurgePublisher,
        catalog: ServiceClient,
        auth: ServiceClient,
        report: Report,
    ) -> None:
        self._database = database
        self._cache = cache
        self._purges = purges
        self._catalog = catalog
        self._auth = auth
        self._report = report
        self._mended = 0

    async def run(self) -> None:
        """May be run at any time, and again. Raises Unavailable, and NothingOwned; what was mended before stays so."""
        users, songs = await self._users(), await self._songs()
        self._report(f"{self._mended} copies mended; compared with {songs} songs and {users} users")

    async def _songs(self) -> int:
        after, compared = "", 0
        while True:
            page = await self._page_of_songs(after)
            upto = page[-1].id if len(page) == PAGE else None
            if not page and not after:
                await self._require_no_copies()
            await self._compare(page, after, upto)
            compared += len(page)
            if upto is None:
                return compared
            after = upto

    async def _compare(self, page: list[SongAnswer], after: str, upto: str | None) -> None:
        async with self._database.read() as connection:
            copies = SongCopyRepository(connection)
            found = await copies.get_all([song.id for song in page])
            unexplained = set(await copies.living_between(after, upto)) - {song.id for song in page}
        await self._keep([song for song in page if song.id not in found or _is_news(song, found[song.id])], found)
        differing = {song.id for song in page if song.id in found and _differs(song, found[song.id])}
        for song_id in sorted(unexplained | differing):
            await self._resolve(song_id)

    async def _keep(self, news: list[SongAnswer], found: dict[str, DictRow]) -> None:
        if not news:
            return
        async with self._changing() as work:
            for song in news:
                await keep_song(work, **_copied(song))
        for song in news:
            self._tell(song.id, "was old" if song.id in found else "was missing")

    async def _resolve(self, song_id: str) -> None:
        """Of a copy in doubt."""
        async with self._changing() as work:
            copy = await SongCopyRepository(work.connection).lock(song_id)
            song = await self._ask(song_id)
            if copy is None or (song is None and copy["deleted"]) or (song is not None and _is_same(song, copy)):
                return
            if song is None:
                await bury_song(work, song_id=song_id, version=copy["version"])
            else:
                await replace_song(work, **_copied(song))
        if song is None:
            await sweep(self._database, song_id)
        self._tell(song_id, "is no more" if song is None else "was wrong")

    async def _ask(self, song_id: str) -> SongAnswer | None:
        if not is_id("song", song_id):
            return None
        answer = await self._catalog.get(f"/internal/songs/{song_id}")
        return answer.parse(DataResponse[SongAnswer]).data if answer.found else None

    async def _require_no_copies(self) -> None:
        async with self._database.read() as connection:
            if await SongCopyRepository(connection).living_between("", None):
                raise NothingOwned

    async def _users(self) -> int:
        after, compared = "", 0
        while True:
            page = await self._page_of_users(after)
            async with self._database.read() as connection:
                names = await UserCopyRepository(connection).names([user.id for user in page])
            for user in page:
                if names.get(user.id) != user.username:
                    await self._replace_user(user)
                    self._tell(user.id, "was wrong" if user.id in names else "was missing")
            compared += len(page)
            if len(page) < PAGE:
                return compared
            after = page[-1].id

    async def _replace_user(self, user: UserAnswer) -> None:
        """Users never change, so the owner's answer cannot be out of date."""
        async with self._changing() as work:
            copies = UserCopyRepository(work.connection)
            await copies.replace(user.id, user.username)
            await work.invalidate(*map(playlist_changed, await copies.playlists_of(user.id)))

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[CachedUnitOfWork]:
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            yield work
            await work.commit()

    async def _page_of_songs(self, after: str) -> list[SongAnswer]:
        return (await _page(self._catalog, "songs", after, DataResponse[SongsAnswer])).songs

    async def _page_of_users(self, after: str) -> list[UserAnswer]:
        return (await _page(self._auth, "users", after, DataResponse[UsersAnswer])).users

    def _tell(self, copied: str, what: str) -> None:
        self._mended += 1
        self._report(f"{copied} {what}")


async def _page(owner: ServiceClient, kind: str, after: str, shape: type[DataResponse[T]]) -> T:
    answer = await owner.get(f"/internal/{kind}?{urlencode({'after': after, 'limit': PAGE})}")
    if not answer.found:
        raise Unavailable(f"The owner of {kind} is too old: it does not list them")
    return answer.parse(shape).data


def _copied(song: SongAnswer) -> dict[str, Any]:
    return {"song_id": song.id, "title": song.title, "performer": song.performer, "version": song.version}


def _is_news(song: SongAnswer, copy: DictRow) -> bool:
    return song.version > copy["version"] and not copy["deleted"]


def _is_same(song: SongAnswer, copy: DictRow) -> bool:
    return not copy["deleted"] and (song.version, song.title, song.performer) == (
        copy["version"],
        copy["title"],
        copy["performer"],
    )


def _differs(song: SongAnswer, copy: DictRow) -> bool:
    return not _is_same(song, copy) and not _is_news(song, copy)
