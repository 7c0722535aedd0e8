"""EDGE_CACHE_BYTES is what the edge cache really takes, whatever the answers look like; so is all it remembers."""

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from openmusic_gateway.edge.entries import MAX_KEY_LENGTH, MAX_PURGED_TAGS, Entries, Entry, Key, size_of
from openmusic_kit.edge.tags import MAX_TAGS

MEGABYTE = 1_000_000
NUMBERED = "{:012}"
"""Makes texts of one length, none of which Python keeps for other uses."""


def _entry(body: bytes, tags: tuple[str, ...], headers: int = 4) -> Entry:
    named = [(b"x-header-" + bytes([97 + number]), bytes(body[:1]) * 20) for number in range(headers)]
    return Entry(named, body, b'"%s"' % body[:24], tags, 1.0)


def small(number: int) -> tuple[Key, Entry]:
    name = NUMBERED.format(number)
    return (f"/albums/{name}", b"", ""), _entry(name.encode(), (f"album:{name}",))


def with_a_long_query(number: int) -> tuple[Key, Entry]:
    name = NUMBERED.format(number)
    query = name.encode() + bytes(MAX_KEY_LENGTH - 100)
    return (f"/albums/{name}", query, "user"), _entry(name.encode(), (f"album:{name}",))


def with_many_tags(number: int) -> tuple[Key, Entry]:
    name = NUMBERED.format(number)
    return (f"/a/{name}", b"", ""), _entry(name.encode(), tuple(f"song:{name}-{each}" for each in range(MAX_TAGS)))


def with_many_headers(number: int) -> tuple[Key, Entry]:
    name = NUMBERED.format(number)
    return (f"/a/{name}", b"", ""), _entry(name.encode(), (f"album:{name}",), headers=26)


def large(number: int) -> tuple[Key, Entry]:
    name = NUMBERED.format(number)
    return (f"/a/{name}", b"", ""), _entry(name.encode() * 5_000, (f"album:{name}",))


KINDS = [small, with_a_long_query, with_many_tags, with_many_headers, large]


@pytest.mark.parametrize("shape", KINDS, ids=lambda shape: shape.__name__)
def test_the_memory_of_the_edge_cache_is_what_it_may_be(shape: Callable[[int], tuple[Key, Entry]]) -> None:
    capacity = MEGABYTE
    entries = Entries(capacity)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2 * capacity // size_of(*shape(0))):
            entries.put(*shape(number), 0, 0.0)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert len(entries) == capacity // size_of(*shape(0))
    assert 0.6 * capacity < taken < capacity


def test_an_answer_under_a_key_that_is_too_long_is_not_kept() -> None:
    entries = Entries(MEGABYTE)
    for length in (MAX_KEY_LENGTH, MAX_KEY_LENGTH + 1):
        entries.put(("/" * 10, b"x" * (length - 10), ""), _entry(b"x", ("a:1",)), 0, 0.0)

    assert len(entries) == 1


def test_room_is_given_back_when_what_took_it_is_removed() -> None:
    entries = Entries(3 * size_of(*small(0)))
    for number in range(20):
        entries.put(*small(number), entries.epoch, 0.0)
        entries.purge([f"album:{NUMBERED.format(number)}"])
    assert not entries._by_label, "nor do tags that nothing has any more take memory"
    for number in range(3):
        entries.put(*small(number), entries.epoch, 0.0)
        entries.put(*small(number), entries.epoch, 0.0)

    assert len(entries) == 3


def test_what_is_remembered_of_purges_is_bounded() -> None:
    entries = Entries(MEGABYTE)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2 * MAX_PURGED_TAGS):
            entries.purge([f"album:{NUMBERED.format(number)}"])
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert taken < 400 * MAX_PURGED_TAGS


def test_all_room_is_given_back_when_everything_is_dropped() -> None:
    entries = Entries(3 * size_of(*small(0)))
    for _ in range(2):
        for number in range(3):
            entries.put(*small(number), entries.epoch, 0.0)
        assert len(entries) == 3
        entries.clear()
        assert len(entries) == 0
