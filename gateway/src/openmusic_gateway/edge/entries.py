"""Responses in memory, bounded in bytes; the least recently used are evicted first."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from openmusic_gateway.compression import Compressed
from openmusic_kit.edge.tags import kind_of

# Overhead in bytes, each a little more than tracemalloc finds in test_edge_memory.py.
ENTRY_OVERHEAD = 750
HEADER_OVERHEAD = 130
TAG_OVERHEAD = 310
MAX_BODY = 512 * 1024  # bytes; a larger body is streamed and not kept
MAX_KEY_LENGTH = 2_048  # bytes of path and query; a longer one is rarely repeated
MAX_PURGED_TAGS = 10_000  # that are remembered; what was fetched before the oldest of them is not kept

Key = tuple[str, bytes, str]
"""Path and query as the client sent them, and the id of the user for whom the response is, or empty."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A response with status 200. The names of its ``headers`` are in lower case."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: bytes
    tags: tuple[str, ...]
    expires_at: float
    announced: bool = False
    """Whether its changes are announced, so that it may be kept for long."""
    compressed: Compressed | None = None
    """None if it is never compressed."""


class Entries:
    """Each purge begins a new epoch. What began to be fetched before a purge of its tags is never kept."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._by_label: dict[str, set[Key]] = {}
        self._size = 0
        self._purged: OrderedDict[str, int] = OrderedDict()
        self._purge_horizon = 0
        """Purges up to this epoch are no longer remembered."""
        self.epoch = 0

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
        """Keeps what began to be fetched in the epoch ``since``, unless it was purged, has expired, or is too large.

        Evicts other expired entries even if there is room, so that only entries in use take memory.
        """
        size = size_of(key, entry)
        if size > self._capacity or len(key[0]) + len(key[1]) > MAX_KEY_LENGTH:
            return
        if entry.expires_at <= now or self.purged_since(entry.tags, since):
            return
        self._remove(key)
        self._entries[key] = entry
        self._size += size
        for label in labels(entry.tags):
            self._by_label.setdefault(label, set()).add(key)
        while self._size > self._capacity or self._entries[self._oldest].expires_at <= now:
            self._remove(self._oldest)

    def purged_since(self, tags: Iterable[str], since: int) -> bool:
        """Whether a response with these tags, which began to be fetched in the epoch ``since``, is outdated."""
        return since < self._purge_horizon or any(
            self._purged.get(label, 0) > since for tag in tags for label in affected(tag)
        )

    def purge(self, tags: Iterable[str]) -> None:
        self.epoch += 1
        for tag in tags:
            for label in labels([tag]):
                self._purged[label] = self.epoch
                self._purged.move_to_end(label)
            for label in affected(tag):
                for key in list(self._by_label.get(label, ())):
                    self._remove(key)
        while len(self._purged) > MAX_PURGED_TAGS:
            self._purge_horizon = self._purged.popitem(last=False)[1]

    def clear(self) -> None:
        """Drops all entries, and outdates what is being fetched."""
        self.epoch += 1
        self._purge_horizon = self.epoch
        self._entries.clear()
        self._by_label.clear()
        self._size = 0

    @property
    def _oldest(self) -> Key:
        """The least recently used; there must be one."""
        return next(iter(self._entries))

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._size -= size_of(key, entry)
        for label in labels(entry.tags):
            keys = self._by_label[label]
            keys.discard(key)
            if not keys:
                del self._by_label[label]


# A tag that is only a kind stands for all tags of its kind (openmusic_kit.edge). So an entry is indexed under each of
# its tags and under "any of this kind", and a purge is remembered under the same two labels.


def labels(tags: Iterable[str]) -> set[str]:
    """The labels that entries are indexed under, and purges are remembered under."""
    return {label for tag in tags for label in (tag, _any_of(tag))}


def affected(tag: str) -> tuple[str, ...]:
    """The labels of entries that a purge of this tag outdates, and of purges that outdate an entry with this tag."""
    kind = kind_of(tag)
    return (_any_of(tag),) if tag == kind else (tag, kind)


def _any_of(tag: str) -> str:
    return kind_of(tag) + ":"


def size_of(key: Key, entry: Entry) -> int:
    """Bytes of memory that an entry takes, with its key and the index."""
    path, query, user_id = key
    body = len(entry.body) if entry.compressed is None else len(entry.body) * 3 // 2  # compressed already or later
    text = len(path) + len(query) + len(user_id) + body
    text += sum(len(name) + len(value) + HEADER_OVERHEAD for name, value in entry.headers)
    text += sum(2 * len(tag) + TAG_OVERHEAD for tag in entry.tags)
    return text + ENTRY_OVERHEAD
