"""A client's address. ``X-Forwarded-For`` counts only if a trusted proxy sent it."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from openmusic_gateway.asgi import Headers

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV6_PREFIX = 64  # bits; a subscriber has at least such a network (RFC 6177), so limits are per network
UNKNOWN = "unknown"


def networks(setting: str) -> list[Network]:
    """The comma-separated addresses and networks. Raises ValueError for anything else."""
    return [ipaddress.ip_network(each.strip()) for each in setting.split(",") if each.strip()]


class Clients:
    """``trusted`` are the proxies in front of the gateway."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = list(trusted)

    def address(self, peer: tuple[str, int] | None, headers: Headers) -> str:
        """The address of the client whose request came over a connection from ``peer``; UNKNOWN without one.

        Each proxy appends the address that it got the request from, so the list is read from its end, up to the first
        address that is not trusted: everything before that could be forged.
        """
        if peer is None:
            return UNKNOWN
        address = peer[0]
        if not self._trusted:
            return address
        hops = [
            hop for name, value in headers if name == b"x-forwarded-for" for hop in value.decode("latin-1").split(",")
        ]
        while hops and self._trusts(address):
            hop = hops.pop().strip()
            if _parsed(hop) is None:
                break
            address = hop
        return address

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def client_key(address: str) -> str:
    """What counts as one client: an IPv4 address, or the network of an IPv6 address."""
    parsed = _parsed(address)
    if parsed is None:
        return UNKNOWN
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


@lru_cache(maxsize=4096)
def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (parsed.version == 6 and parsed.ipv4_mapped) or parsed
