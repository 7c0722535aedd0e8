"""Compares the copies with the services that own the data and repairs differences, while events keep arriving.

Pages are snapshots, so they only move copies forward. Any other difference is resolved under a row lock by asking the
owner; the lock blocks events, so its answer cannot be older than a correct copy. A song created after its page was read
is such a difference as well, and found to be correct.
"""

from collections.abc import AsyncIterator, Callable, Container
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlencode

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.unit_of_work import CachedUnitOfWork
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import is_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.projections.errors import CatalogueEmpty
from openmusic_playlist.projections.models import SongCopy, UserCopy
from openmusic_playlist.projections.repository import SongCopyRepository, UserCopyRepository
from openmusic_playlist.projections.schemas import SongAnswer, SongsAnswer, UserAnswer, UsersAnswer
from openmusic_playlist.projections.song_projection import replace_song, sweep, upsert_songs
from openmusic_playlist.projections.user_projection import replace_user, upsert_user

PAGE = 500

T = TypeVar("T")

Report = Callable[[str], object]


class Reconciliation:
    """``report`` gets a line for each repaired copy, and a summary."""

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
        self._repaired = 0

    async def run(self) -> None:
        """Safe to run at any time and repeatedly. Raises Unavailable and CatalogueEmpty; repairs made before stay."""
        users, songs = await self._reconcile_users(), await self._reconcile_songs()
        self._report(f"{self._repaired} copies repaired; compared with {songs} songs and {users} users")

    async def _reconcile_songs(self) -> int:
        after, compared = "", 0
        while True:
            page = (await _page(self._catalog, "songs", after, DataResponse[SongsAnswer])).copies()
            upto = page[-1].id if len(page) == PAGE else None
            if not page and not after:
                await self._require_no_copies()
            await self._reconcile_page(page, after, upto)
            compared += len(page)
            if upto is None:
                return compared
            after = upto

    async def _reconcile_page(self, page: list[SongCopy], after: str, upto: str | None) -> None:
        async with self._database.read() as connection:
            songs = SongCopyRepository(connection)
            copies = await songs.get_all([song.id for song in page])
            in_doubt = set(await songs.active_ids_between(after, upto)) - {song.id for song in page}
        newer = []
        for song in page:
            copy = copies.get(song.id)
            if copy is None or (song.version > copy.version and not copy.deleted):
                newer.append(song)
            elif song != copy:
                in_doubt.add(song.id)
        await self._apply(newer, copies.keys())
        for song_id in sorted(in_doubt):
            await self._resolve(song_id)

    async def _apply(self, newer: list[SongCopy], copied: Container[str]) -> None:
        if not newer:
            return
        async with self._changing() as work:
            await upsert_songs(work, newer)
        for song in newer:
            self._report_repair(song.id, "was old" if song.id in copied else "was missing")

    async def _resolve(self, song_id: str) -> None:
        """Asks the catalogue for one song while its copy is locked."""
        async with self._changing() as work:
            copy = await SongCopyRepository(work.connection).lock(song_id)
            song = await self._fetch(song_id)
            if copy is None or song == copy or (song is None and copy.deleted):
                return
            if song is None:
                await upsert_songs(work, [SongCopy(song_id, copy.version, deleted=True)])
            else:
                await replace_song(work, song)
        if song is None:
            await sweep(self._database, song_id)
        self._report_repair(song_id, "is no more" if song is None else "was wrong")

    async def _fetch(self, song_id: str) -> SongCopy | None:
        if not is_id("song", song_id):
            return None
        answer = await self._catalog.get(f"/internal/songs/{song_id}")
        if not answer.found:
            return None
        song = answer.parse(DataResponse[SongAnswer]).data
        return song.as_copy(song.id, song.version)

    async def _require_no_copies(self) -> None:
        async with self._database.read() as connection:
            if await SongCopyRepository(connection).active_ids_between("", None):
                raise CatalogueEmpty

    async def _reconcile_users(self) -> int:
        after, compared = "", 0
        while True:
            page = (await _page(self._auth, "users", after, DataResponse[UsersAnswer])).copies()
            async with self._database.read() as connection:
                copies = await UserCopyRepository(connection).get_all([user.id for user in page])
            for user in page:
                await self._reconcile_user(user, copies.get(user.id))
            compared += len(page)
            if len(page) < PAGE:
                return compared
            after = page[-1].id

    async def _reconcile_user(self, user: UserCopy, copy: UserCopy | None) -> None:
        if copy is None or (user.version > copy.version and not copy.deleted):
            async with self._changing() as work:
                await upsert_user(work, user)
            self._report_repair(user.id, "was missing" if copy is None else "was old")
        elif user != copy:
            await self._resolve_user(user.id)

    async def _resolve_user(self, user_id: str) -> None:
        """Asks auth for one user while the copy is locked. Deletes nothing: only an event takes playlists with it."""
        async with self._changing() as work:
            copy = await UserCopyRepository(work.connection).lock(user_id)
            answer = await self._auth.get(f"/internal/users/{user_id}")
            if not answer.found or (user := answer.parse(DataResponse[UserAnswer]).data.as_copy()) == copy:
                return
            await replace_user(work, user)
        self._report_repair(user_id, "was wrong")

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[CachedUnitOfWork]:
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            yield work
            await work.commit()

    def _report_repair(self, copy_id: str, problem: str) -> None:
        self._repaired += 1
        self._report(f"{copy_id} {problem}")


async def _page(owner: ServiceClient, kind: str, after: str, shape: type[DataResponse[T]]) -> T:
    answer = await owner.get(f"/internal/{kind}?{urlencode({'after': after, 'limit': PAGE})}")
    if not answer.found:
        raise Unavailable(f"The owner of {kind} is too old: it does not list them")
    return answer.parse(shape).data
