"""What a service tells the gateways about its answers: which of them may be kept at the edge, and when no longer.

An answer with the header ``Cache-Tag`` may be kept, for one user if ``Cache-Control`` says ``private``. The answer to a
change names in ``Cache-Purge`` the tags of all answers that it made outdated; they are gone from every gateway before
the client sees it. Neither header leaves the gateway.
"""

CACHE_TAG = "Cache-Tag"
CACHE_PURGE = "Cache-Purge"
PURGES = "gateway:purges"
"""The Redis channel of all purges: ``{tags: [...]}``; one with ``{id, from}`` as well wants to be acknowledged."""


def private(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for the user who asked."""
    return {CACHE_TAG: ",".join(tags), "Cache-Control": "private, no-cache"}


def public(*tags: str) -> dict[str, str]:
    """Headers of an answer that may be kept for everyone."""
    return {CACHE_TAG: ",".join(tags), "Cache-Control": "public, no-cache"}


def purging(*tags: str) -> dict[str, str]:
    """Headers of the answer to a change."""
    return {CACHE_PURGE: ",".join(tags)}
