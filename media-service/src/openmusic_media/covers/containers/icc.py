"""Colour profiles (ICC.1:2022, section 7.2)."""


def trimmed(profile: bytes) -> bytes:
    """Returns the profile without data after its end, or nothing when it is not a profile."""
    size = int.from_bytes(profile[:4], "big")
    if profile[36:40] != b"acsp" or not 128 <= size <= len(profile):
        return b""
    return profile[:size]
