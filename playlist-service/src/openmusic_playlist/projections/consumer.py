"""Keeps the copies of songs and user names up to date with the events of the services that own them."""

from collections.abc import Sequence

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.pending_changes import PendingChanges
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.inbox import mark_all_processed, mark_processed, was_seen
from openmusic_kit.messaging.subscription import Subscription
from openmusic_playlist.projections.models import SongCopy, UserCopy
from openmusic_playlist.projections.schemas import (
    SongCreated,
    SongDeleted,
    SongUpdated,
    UserDeleted,
    UserRegistered,
    UserRenamed,
)
from openmusic_playlist.projections.song_projection import sweep, upsert_songs
from openmusic_playlist.projections.user_projection import delete_user, upsert_user


class ProjectionConsumer:
    def __init__(self, database: Database, cache: Cache, purges: PurgePublisher, pending: PendingChanges) -> None:
        self._database = database
        self._cache = cache
        self._purges = purges
        self._pending = pending

    async def upsert_song(self, song: SongCreated | SongUpdated, event: Envelope) -> None:
        await self.upsert_songs([(song, event)])

    async def upsert_songs(self, events: Sequence[tuple[SongCreated | SongUpdated, Envelope]]) -> None:
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            new = await mark_all_processed(work.connection, [event.id for _, event in events])
            if not new:
                return
            await upsert_songs(
                work, [song.as_copy(song.song_id, each.sequence) for song, each in events if each.id in new]
            )
            await work.commit()
        await self._pending.settle_all([(song.song_id, event.sequence) for song, event in events])

    async def delete_song(self, song: SongDeleted, event: Envelope) -> None:
        """Takes two steps, as playlists are locked before songs. The event counts as processed after both."""
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            if await was_seen(work.connection, event.id):
                return
            await upsert_songs(work, [SongCopy(song.song_id, event.sequence, deleted=True)])
            await work.commit()
        await self._pending.settle(song.song_id, event.sequence)
        await sweep(self._database, song.song_id)
        async with self._database.unit_of_work() as work:
            await mark_processed(work.connection, event.id)
            await work.commit()

    async def upsert_user(self, user: UserRegistered | UserRenamed, event: Envelope) -> None:
        async with self._cache.unit_of_work(purge=self._purges.publish) as work:
            if await mark_processed(work.connection, event.id):
                await upsert_user(work, UserCopy(user.user_id, event.sequence, user.username))
                await work.commit()

    async def delete_user(self, user: UserDeleted, event: Envelope) -> None:
        """Is idempotent, so it needs no inbox."""
        await delete_user(self._cache, self._purges, user.user_id, event.sequence)


SUBSCRIPTION = Subscription[ProjectionConsumer](
    "playlist.read_copies",
    {
        SongCreated: ProjectionConsumer.upsert_song,
        SongUpdated: ProjectionConsumer.upsert_song,
        SongDeleted: ProjectionConsumer.delete_song,
        UserRegistered: ProjectionConsumer.upsert_user,
        UserRenamed: ProjectionConsumer.upsert_user,
        UserDeleted: ProjectionConsumer.delete_user,
    },
    prefetch=100,
    batch_handlers={SongCreated: ProjectionConsumer.upsert_songs, SongUpdated: ProjectionConsumer.upsert_songs},
)
