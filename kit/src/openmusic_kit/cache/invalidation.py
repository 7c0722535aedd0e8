from dataclasses import dataclass


@dataclass(frozen=True)
class Invalidation:
    """What a change outdates: cached entries, by key, and answers that gateways keep, by edge tag."""

    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
