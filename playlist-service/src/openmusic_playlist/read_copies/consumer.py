"""Keeps the copies of songs and user names up to date with the events of their owners."""

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.messaging.consumer import Subscription, UnprocessableMessage
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.inbox import mark_processed, was_seen
from openmusic_kit.messaging.topology import Queue
from openmusic_playlist.read_copies.repository import UserCopyRepository
from openmusic_playlist.read_copies.schemas import SongData, SongDeletedData, UserData
from openmusic_playlist.read_copies.song_news import bury_song, keep_song, sweep

QUEUE = Queue("playlist.read_copies", ("song.created.v1", "song.updated.v1", "song.deleted.v1", "user.registered.v1"))


class ReadCopies:
    def __init__(self, database: Database, cache: Cache, purges: PurgePublisher, pending: PendingChanges) -> None:
        self._database = database
        self._cache = cache
        self._purges = purges
        self._pending = pending

    @property
    def subscription(self) -> Subscription:
        return Subscription(QUEUE, self.apply)

    async def apply(self, event: Envelope) -> None:
        """Applies an event once, however often it comes. Raises Rejected, or ValidationError, if it makes no sense."""
        match (event.type, event.version):
            case ("song.created" | "song.updated", 1):
                await self._keep_song(event, SongData.model_validate(event.data))
            case ("song.deleted", 1):
                await self._bury_song(event, SongDeletedData.model_validate(event.data))
            case ("user.registered", 1):
                await self._keep_user(event, UserData.model_validate(event.data))
            case _:
                raise UnprocessableMessage(f"unknown event {event.type} v{event.version}")

    async def _keep_song(self, event: Envelope, song: SongData) -> None:
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

    async def _bury_song(self, event: Envelope, song: SongDeletedData) -> None:
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

    async def _keep_user(self, event: Envelope, user: UserData) -> None:
        async with self._database.unit_of_work() as work:
            if await mark_processed(work.connection, event.id):
                await UserCopyRepository(work.connection).keep(user.user_id, user.username)
                await work.commit()
