"""What a service tells the gateways about its answers: which of them may be kept at the edge, and when no longer.

An answer with the header ``Cache-Tag`` may be kept, for one user if ``Cache-Control`` says ``private``. The answer to a
change names in ``Cache-Purge`` the tags of all answers that it made outdated; they are gone from every gateway before
the client sees it. Neither header leaves the gateway.

A tag is a kind and an id, such as ``thing:7``. The kind alone stands for every tag of that kind: an answer tagged
``thing`` is outdated by the purge of any thing, and the purge of ``thing`` outdates the answers of all things. Headers
that would name too many ids name the kind instead, so they stay short however much data there is.
"""

import re
from collections import Counter
from collections.abc import Iterable

CACHE_TAG = "Cache-Tag"
CACHE_PURGE = "Cache-Purge"
PURGES = "gateway:purges"
"""The Redis channel of all purges: ``{tags: [...]}``; one with ``{id, from}`` as well wants to be acknowledged."""

MAX_TAGS = 64  # in one header
MAX_TAG_LENGTH = 100  # characters; a kind, a colon and an id of ours take about 50
MAX_HEADER_LENGTH = MAX_TAGS * (MAX_TAG_LENGTH + 1)  # bytes that the value of either header takes at most

_TAG = re.compile(rf"(?=.{{1,{MAX_TAG_LENGTH}}}\Z)[a-z]+:[!-+\--~]+")


def private(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for the user who asked."""
    return {CACHE_TAG: _joined(tags), "Cache-Control": "private, no-cache"}


def public(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for everyone."""
    return {CACHE_TAG: _joined(tags), "Cache-Control": "public, no-cache"}


def purging(*tags: str) -> dict[str, str]:
    """Headers of the answer to a change."""
    return {CACHE_PURGE: _joined(tags)}


def kind_of(tag: str) -> str:
    """``thing`` for ``thing:7``, and for ``thing`` itself."""
    return tag.partition(":")[0]


def bounded(tags: Iterable[str]) -> list[str]:
    """These tags, or kinds that include them: at most MAX_TAGS, none longer than MAX_TAG_LENGTH."""
    distinct = dict.fromkeys(tag if _TAG.fullmatch(tag) else kind_of(tag) for tag in tags)
    for kind, _ in Counter(map(kind_of, distinct)).most_common():
        if len(distinct) <= MAX_TAGS:
            break
        distinct = dict.fromkeys(kind if kind_of(tag) == kind else tag for tag in distinct)
    return list(distinct)


def _joined(tags: Iterable[str]) -> str:
    return ",".join(bounded(tags))
