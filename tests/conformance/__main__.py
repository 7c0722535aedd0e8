"""Shows which promises of the contract an installation keeps, by its URL alone: ``python tests/conformance URL``.

Runs ``tests/e2e`` against the installation. The exit code is 1 when a promise is broken, and 2 when nothing answers.
"""

import argparse
import os
import sys
from pathlib import Path

import httpx
import pytest
from promises import Recorder

ROOT = Path(__file__).parents[2]


def main() -> int:
    arguments = argparse.ArgumentParser(prog="tests/conformance", description=__doc__)
    arguments.add_argument("url", help="of the installation, e.g. http://127.0.0.1:5000")
    arguments.add_argument("--mail-url", help="of the MailDev that gets its mails, e.g. http://127.0.0.1:1080")
    given, options = arguments.parse_known_args()
    url = given.url.rstrip("/")
    try:
        httpx.get(url, timeout=20, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"nothing answers at {url}: {error}", file=sys.stderr)
        return 2
    os.environ["OPENMUSIC_URL"] = url
    if given.mail_url:
        os.environ["OPENMUSIC_MAIL_URL"] = given.mail_url.rstrip("/")
    recorder = Recorder()
    ended = pytest.main(
        ["--rootdir", str(ROOT), str(ROOT / "tests/e2e"), "-q", "--tb=short", "--no-header", "--no-summary", *options],
        plugins=[recorder],
    )
    print(recorder.table())
    if ended not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        return int(ended)
    return 0 if recorder.held and not recorder.broken else 1


if __name__ == "__main__":
    sys.exit(main())
