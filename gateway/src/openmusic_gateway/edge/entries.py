"""Answers in memory, bounded in bytes; the least recently used go first."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from openmusic_kit.edge import kind_of

# Bytes beside the text itself, each a little more than tracemalloc finds in test_edge_memory.py.
PER_ENTRY = 750
PER_HEADER = 130
PER_TAG = 310
LARGEST = 512 * 1024  # bytes of a body; what is larger is passed on as it comes, and not kept
LONGEST_KEY = 2_048  # bytes of path and query; a longer one is hardly asked for twice
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
        self._by_label: dict[str, set[Key]] = {}
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
        size = size_of(key, entry)
        if size > self._capacity or len(key[0]) + len(key[1]) > LONGEST_KEY:
            return
        if entry.expires_at <= now or self.purged_since(entry.tags, since):
            return
        self._remove(key)
        self._entries[key] = entry
        self._size += size
        for label in _labels(entry.tags):
            self._by_label.setdefault(label, set()).add(key)
        while self._size > self._capacity or self._entries[self._oldest].expires_at <= now:
            self._remove(self._oldest)

    def purged_since(self, tags: Iterable[str], since: int) -> bool:
        """Whether an answer with these tags, which began to be fetched at the moment ``since``, is outdated."""
        return since < self._forgotten or any(
            self._purged.get(label, 0) > since for tag in tags for label in _meeting(tag)
        )

    def purge(self, tags: Iterable[str]) -> None:
        self.moment += 1
        for tag in tags:
            for label in _labels([tag]):
                self._purged[label] = self.moment
                self._purged.move_to_end(label)
            for label in _meeting(tag):
                for key in list(self._by_label.get(label, ())):
                    self._remove(key)
        while len(self._purged) > TAGS_REMEMBERED:
            self._forgotten = self._purged.popitem(last=False)[1]

    def clear(self) -> None:
        """Also keeps out what is being fetched now."""
        self.moment += 1
        self._forgotten = self.moment
        self._entries.clear()
        self._by_label.clear()
        self._size = 0

    @property
    def _oldest(self) -> Key:
        """Of which the last use is longest ago; there must be one."""
        return next(iter(self._entries))

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._size -= size_of(key, entry)
        for label in _labels(entry.tags):
            keys = self._by_label[label]
            keys.discard(key)
            if not keys:
                del self._by_label[label]


# A tag that is a kind alone stands for all tags of its kind (openmusic_kit.edge). So an answer is found under each of
# its tags and under "any of this kind", and a purge is remembered under the same two.


def _labels(tags: Iterable[str]) -> set[str]:
    """What answers are found under, and what purges are remembered under."""
    return {label for tag in tags for label in (tag, _any_of(tag))}


def _meeting(tag: str) -> tuple[str, ...]:
    """The labels of all answers that a purge of this tag outdates, and of all purges that outdate an answer with it."""
    kind = kind_of(tag)
    return (_any_of(tag),) if tag == kind else (tag, kind)


def _any_of(tag: str) -> str:
    return kind_of(tag) + ":"


def size_of(key: Key, entry: Entry) -> int:
    """Bytes of memory that it takes, all in all."""
    path, query, user_id = key
    text = len(path) + len(query) + len(user_id) + len(entry.body)
    text += sum(len(name) + len(value) + PER_HEADER for name, value in entry.headers)
    text += sum(2 * len(tag) + PER_TAG for tag in entry.tags)
    return text + PER_ENTRY
