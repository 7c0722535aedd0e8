"""``openmusic-local up | down | status | logs | reset``: what the Makefile calls."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping

from dotenv import dotenv_values

from openmusic_local.errors import LocalError
from openmusic_local.stack import Stack, repository

DEFAULTS = {"PORT": "5000", "MAIL_PORT": "1080"}
DATA = repository() / ".openmusic"


def settings() -> Mapping[str, str]:
    """The environment goes before ``.env``, and that before the defaults."""
    from_file = {name: value for name, value in dotenv_values(repository() / ".env").items() if value}
    chosen = {name: value for name, value in os.environ.items() if value}
    return {**DEFAULTS, **from_file, **chosen}


def up(stack: Stack, _: argparse.Namespace) -> None:
    if stack.running:
        print("OpenMusic is running already; nothing was changed.")
    else:
        started = time.monotonic()
        stack.start()
        print(f"OpenMusic is ready after {time.monotonic() - started:.0f} s.")
    print(f"  gateway    {stack.url}")
    print(f"  mail page  {stack.mail_url}")
    print("Try `make demo`; stop it with `make down`.")


def down(stack: Stack, _: argparse.Namespace) -> None:
    if not stack.running:
        print("OpenMusic is not running.")
        return
    print("stopping everything")
    stack.stop()
    print("OpenMusic is stopped; its data stays in .openmusic/.")


def status(stack: Stack, _: argparse.Namespace) -> None:
    if not stack.running:
        sys.exit("OpenMusic is not running.")
    for name, line in stack.states().items():
        print(f"{name:15} {line}")
    print(f"gateway {stack.url}, mail page {stack.mail_url}")


def logs(_: Stack, arguments: argparse.Namespace) -> None:
    pattern = f"{arguments.part or '*'}.log"
    files = sorted(str(path) for path in (DATA / "log").glob(pattern))
    if not files:
        sys.exit(f"There is no log {pattern} in {DATA / 'log'}.")
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])


def reset(stack: Stack, arguments: argparse.Namespace) -> None:
    down(stack, arguments)
    shutil.rmtree(DATA)
    print("All data is deleted.")


COMMANDS = {"up": up, "down": down, "status": status, "logs": logs, "reset": reset}


def main() -> None:
    parser = argparse.ArgumentParser(prog="openmusic-local")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--part", help="for logs: only this part, e.g. catalog")
    arguments = parser.parse_args()
    try:
        stack = Stack(DATA, settings(), report=lambda line: print(line, flush=True))
        COMMANDS[arguments.command](stack, arguments)
    except LocalError as error:
        sys.exit(f"openmusic-local: {error}")


if __name__ == "__main__":
    main()
