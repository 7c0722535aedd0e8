"""Ports of stacks that are started at the same time."""

import subprocess
import sys
from pathlib import Path

from openmusic_local.ports import RANGE, Ports

CHOOSE = """
import sys
from pathlib import Path
from openmusic_local.ports import Ports
ports = Ports(Path(sys.argv[1]), {})
ports.choose([str(number) for number in range(300)], {})
print(*(ports[str(number)] for number in range(300)), flush=True)
sys.stdin.read()
"""


def test_processes_at_the_same_time_choose_different_ports(tmp_path: Path) -> None:
    """Nothing listens on them yet."""
    chosen: list[set[int]] = []
    processes = []
    for number in range(3):
        command = [sys.executable, "-c", CHOOSE, str(tmp_path / f"{number}.json")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        chosen.append({int(port) for port in process.stdout.readline().split()})
        processes.append(process)
    for process in processes:
        process.communicate()

    assert [len(each) for each in chosen] == [300] * 3
    assert len(set.union(*chosen)) == 900, "no port is chosen twice"


def test_a_port_that_was_chosen_stays_the_same(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json", {})
    ports.choose(["one"], {})
    first = ports["one"]
    again = Ports(tmp_path / "ports.json", {})
    again.choose(["one", "two"], {})

    assert again["one"] == first
    assert {first, again["two"]} <= set(RANGE)
