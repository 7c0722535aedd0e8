"""Edge tags: what an answer shows, so that a change of it can purge the answer from every gateway.

A gateway may keep an answer that has the header ``Cache-Tag``; only for one user if ``Cache-Control`` is ``private``.
The answer to a change lists the tags that it outdates in ``Cache-Purge``, and in ``Cache-Lift`` the holds that it ends
(see ``messages``). None of these headers leaves the gateway.

A tag is a kind and an id, such as ``thing:7``. The kind alone stands for every tag of that kind: the purge of any thing
drops an answer tagged ``thing``, and the purge of ``thing`` drops the answers of all things. A header that would list
too many ids lists their kind instead, so its length is bounded however much data there is.
"""

import re
from collections import Counter
from collections.abc import Iterable

CACHE_TAG = "Cache-Tag"
CACHE_PURGE = "Cache-Purge"
CACHE_LIFT = "Cache-Lift"

MAX_TAGS = 64  # in one header
MAX_TAG_LENGTH = 100  # characters; a kind, a colon and an id of ours take about 50
MAX_HEADER_LENGTH = MAX_TAGS * (MAX_TAG_LENGTH + 1)  # bytes in the value of either header

_TAG = re.compile(rf"(?=.{{1,{MAX_TAG_LENGTH}}}\Z)[a-z]+:[!-+\--~]+")


def private(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for the user who asked for it."""
    return {CACHE_TAG: joined(tags), "Cache-Control": "private, no-cache"}


def public(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for everyone."""
    return {CACHE_TAG: joined(tags), "Cache-Control": "public, no-cache"}


def joined(tags: Iterable[str]) -> str:
    """The value of either header."""
    return ",".join(bounded(tags))


def kind_of(tag: str) -> str:
    """``thing`` for ``thing:7``, and for ``thing`` itself."""
    return tag.partition(":")[0]


def bounded(tags: Iterable[str]) -> list[str]:
    """The tags, or kinds that include them: at most MAX_TAGS, none longer than MAX_TAG_LENGTH."""
    distinct = dict.fromkeys(tag if _TAG.fullmatch(tag) else kind_of(tag) for tag in tags)
    for kind, _ in Counter(map(kind_of, distinct)).most_common():
        if len(distinct) <= MAX_TAGS:
            break
        distinct = dict.fromkeys(kind if kind_of(tag) == kind else tag for tag in distinct)
    return list(distinct)
