import signal
import subprocess
import sys
from pathlib import Path

from openmusic_local import running
from openmusic_local.waiting import wait_until

OWNER = """
from openmusic_local.temporary import temporary_stack
with temporary_stack() as stack:
    stack.start_servers("redis")
    print(stack.folder, flush=True)
    input()
"""


def test_nothing_is_left_of_a_stack_whose_owner_was_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert running.find(folder)
        owner.send_signal(signal.SIGKILL)

    assert wait_until(lambda: not folder.exists(), 60)
    assert not running.find(folder)
