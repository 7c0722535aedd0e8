"""Memory that a peak needed goes back to the system."""

import ctypes

LARGE = 262_144  # bytes
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # the numbers of mallopt(3)


def tune_malloc() -> None:
    """Has glibc map each large block by itself, and unmap it when it is freed. With another library nothing changes.

    By default it does so only until it has met such blocks a few times; then they come out of its heaps, one for each
    few threads, and those do not shrink while anything small lies behind.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, LARGE)
        mallopt(_TRIM_THRESHOLD, LARGE)
