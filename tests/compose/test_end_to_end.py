"""The same black-box tests that run against the stack without containers."""

import os
import subprocess
import sys

from compose_stack import GATEWAYS, MAIL_PAGE, ROOT, Compose


def test_the_end_to_end_tests_pass_against_the_containers(compose: Compose) -> None:
    del compose  # has to run
    addresses = {"OPENMUSIC_URL": GATEWAYS[0], "OPENMUSIC_MAIL_URL": MAIL_PAGE, "OPENMUSIC_ROUNDS": "50"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/e2e", "-q"],
        cwd=ROOT,
        env={**os.environ, **addresses},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
