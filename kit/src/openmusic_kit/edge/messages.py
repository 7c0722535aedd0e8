"""Messages from services to gateways about the responses that gateways keep, on one Redis channel.

A *hold* announces a change before it commits: ``{hold, tags, seconds}``. Gateways drop the responses with these tags,
and keep new ones only for a moment, until the hold is lifted or has lapsed; by then the change has certainly
committed or failed. A *purge* outdates responses and lifts holds: ``{tags, lifted}``, with ``{id, from}`` if it must
be acknowledged. So a response outlives a change by a moment at most, even if the service or the gateway dies between
the commit and the purge.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

CHANNEL = "gateway:purges"
BATCH = 500  # tags in one message


def holds(hold: str, tags: Sequence[str], seconds: float) -> Iterator[str]:
    """``hold`` identifies the change. It lapses after so many seconds."""
    return (json.dumps({"hold": hold, "tags": part, "seconds": seconds}) for part in _batches(tags))


def purges(tags: Iterable[str], lifted: Iterable[str] = ()) -> Iterator[str]:
    """The last message lifts the holds: all tags are purged by then."""
    holds_to_lift = list(lifted)
    parts = list(_batches(list(tags))) or ([[]] if holds_to_lift else [])
    for number, part in enumerate(parts, 1):
        yield json.dumps({"tags": part, "lifted": holds_to_lift if number == len(parts) else []})


def acknowledged_purge(purge_id: int, sender: str, tags: Sequence[str], lifted: Sequence[str]) -> str:
    """One whose acknowledgements the gateway ``sender`` waits for. Its tags come from headers, so they are few."""
    return json.dumps({"id": purge_id, "from": sender, "tags": tags, "lifted": lifted})


def _batches(tags: Sequence[str]) -> Iterator[list[str]]:
    return (list(tags[start : start + BATCH]) for start in range(0, len(tags), BATCH))
