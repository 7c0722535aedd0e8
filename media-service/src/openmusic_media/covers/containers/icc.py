"""Colour profiles (ICC.1:2022, section 7.2)."""


def trimmed(profile: bytes) -> bytes:
    """The profile without what lies behind its end; empty if it is none, so that no reader uses it either."""
    size = int.from_bytes(profile[:4], "big")
    if profile[36:40] != b"acsp" or not 128 <= size <= len(profile):
        return b""
    return profile[:size]
