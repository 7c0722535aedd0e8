import platform
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKS, SIZE = 60, 1_000_000


def peak_and_rest(first: str) -> tuple[float, float]:
    """Megabytes that a process held of large blocks with small ones between them, and after the large were freed."""
    script = f"""
from pathlib import Path
{first}
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
before, small = held(), []
for _ in range(3):
    large = []
    for _ in range({BLOCKS}):
        large.append(bytearray(b"x") * {SIZE})
        small.append(bytes(1000))
    peak = held()
    del large
print(peak - before, held() - before)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    peak, rest = map(float, done.stdout.split())
    return peak, rest


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="/proc tells what a process holds")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that keeps what was freed")
def test_what_a_peak_needed_is_given_back() -> None:
    peak, rest = peak_and_rest("from openmusic_kit.memory import tune_malloc\ntune_malloc()")

    assert peak > BLOCKS * SIZE / 1e6 * 0.9
    assert rest < 5
    assert peak_and_rest("")[1] > 20, "the library gives it back by itself now"
