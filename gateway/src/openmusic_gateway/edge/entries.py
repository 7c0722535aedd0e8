"""Answers in memory, bounded in bytes; the least recently used go first."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

OVERHEAD = 1_500  # bytes that an entry takes beside its body, as measured with tracemalloc
TAGS_REMEMBERED = 10_000  # purged tags; fills that began before the oldest of them are not stored

Key = tuple[str, bytes, str]
"""Path and query as they were sent, and the id of the user for whom the answer is, or empty."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer with status 200. ``headers`` are those of every answer made of it, in lower case."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: bytes
    tags: tuple[str, ...]
    expires_at: float


class Entries:
    """Time is counted in moments: each purge is one. What was fetched before a purge of its tags is never stored."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._by_tag: dict[str, set[Key]] = {}
        self._size = 0
        self._purged: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0
        self.moment = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= now:
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Entry, since: int, now: float) -> None:
        """Stores what began to be fetched at the moment ``since``, unless it was purged or expired, or is too large.

        What else has expired makes room, whether there is need of it or not: only what is in use takes memory.
        """
        size = _size(entry)
        if size > self._capacity or entry.expires_at <= now or self.purged_since(entry.tags, since):
            return
        self._remove(key)
        self._entries[key] = entry
        self._size += size
        for tag in entry.tags:
            self._by_tag.setdefault(tag, set()).add(key)
        while self._size > self._capacity or self._entries[self._oldest].expires_at <= now:
            self._remove(self._oldest)

    def purged_since(self, tags: Iterable[str], since: int) -> bool:
        return since < self._forgotten or any(self._purged.get(tag, 0) > since for tag in tags)

    def purge(self, tags: Iterable[str]) -> None:
        self.moment += 1
        for tag in tags:
            self._purged[tag] = self.moment
            self._purged.move_to_end(tag)
            for key in list(self._by_tag.get(tag, ())):
                self._remove(key)
        while len(self._purged) > TAGS_REMEMBERED:
            self._forgotten = self._purged.popitem(last=False)[1]

    def clear(self) -> None:
        """Also keeps out what is being fetched now."""
        self.moment += 1
        self._forgotten = self.moment
        self._entries.clear()
        self._by_tag.clear()
        self._size = 0

    @property
    def _oldest(self) -> Key:
        """Of which the last use is longest ago; there must be one."""
        return next(iter(self._entries))

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._size -= _size(entry)
        for tag in entry.tags:
            keys = self._by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._by_tag[tag]


def _size(entry: Entry) -> int:
    return len(entry.body) + OVERHEAD
