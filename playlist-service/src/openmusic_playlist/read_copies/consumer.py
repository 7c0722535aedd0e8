"""Keeps the copies of songs and user names up to date with the events of their owners."""

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.inbox import mark_processed, was_seen
from openmusic_kit.messaging.subscription import Subscription
from openmusic_playlist.read_copies.repository import UserCopyRepository
from openmusic_playlist.read_copies.schemas import SongCreated, SongDeleted, SongUpdated, UserRegistered
from openmusic_playlist.read_copies.song_news import bury_song, keep_song, sweep


class ReadCopies:
    def __init__(self, database: Database, cache: Cache, purges: PurgePublisher, pending: PendingChanges) -> None:
        self._database = database
        self._cache = cache
        self._purges = purges
        self._pending = pending

    async def keep_song(self, song: SongCreated | SongUpdated, event: Envelope) -> None:
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            if not await mark_processed(work.connection, event.id):
                return
            await keep_song(
                work,
                song_id=song.song_id,
                title=song.title,
                performer=song.performer,
                version=event.sequence,
            )
            await work.commit()
        await self._pending.settle(song.song_id, event.sequence)

    async def bury_song(self, song: SongDeleted, event: Envelope) -> None:
        """In two steps, as playlists are locked before songs. The event counts as applied after both."""
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            if await was_seen(work.connection, event.id):
                return
            await bury_song(work, song_id=song.song_id, version=event.sequence)
            await work.commit()
        await self._pending.settle(song.song_id, event.sequence)
        await sweep(self._database, song.song_id)
        async with self._database.unit_of_work() as work:
            await mark_processed(work.connection, event.id)
            await work.commit()

    async def keep_user(self, user: UserRegistered, event: Envelope) -> None:
        async with self._database.unit_of_work() as work:
            if await mark_processed(work.connection, event.id):
                await UserCopyRepository(work.connection).keep(user.user_id, user.username)
                await work.commit()


SUBSCRIPTION = Subscription[ReadCopies](
    "playlist.read_copies",
    {
        SongCreated: ReadCopies.keep_song,
        SongUpdated: ReadCopies.keep_song,
        SongDeleted: ReadCopies.bury_song,
        UserRegistered: ReadCopies.keep_user,
    },
)
