"""Who it is that asks, by address. What it says of itself counts only if a proxy that is trusted has passed it on."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV6_PREFIX = 64  # bits; one subscriber has at least such a network (RFC 6177), so single addresses mean nothing
UNKNOWN = "unknown"


def networks(setting: str) -> list[Network]:
    """The comma-separated addresses and networks. Raises ValueError for what is none."""
    return [ipaddress.ip_network(each.strip()) for each in setting.split(",") if each.strip()]


class Clients:
    """``trusted`` are the proxies in front of the gateway."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = list(trusted)

    def address(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The client's address. ``peer`` has connected and sent these headers, ``X-Forwarded-For`` perhaps among them.

        Each proxy appends whom it heard from, so the list is read from its end, up to the first that is not trusted:
        what stands before that may be invented.
        """
        if not self._trusted:
            return peer
        address = peer
        hops = [
            hop for name, value in headers if name == b"x-forwarded-for" for hop in value.decode("latin-1").split(",")
        ]
        while hops and self._trusts(address):
            said = hops.pop().strip()
            if _parsed(said) is None:
                break
            address = said
        return address

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def key_of(address: str) -> str:
    """What is counted as one client: an IPv4 address, or the network of an IPv6 address."""
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
