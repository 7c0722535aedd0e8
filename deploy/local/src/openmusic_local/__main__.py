"""``openmusic-local up | down | status | logs | reset | run``: what the Makefile calls, and operators."""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from openmusic_kit.version import VERSION
from openmusic_local.configuration import from_file, settings
from openmusic_local.errors import LocalError
from openmusic_local.request_log import lines_of
from openmusic_local.settings import check_names
from openmusic_local.stack import Stack
from openmusic_operations.system import PROCESSES


def up(stack: Stack, _: argparse.Namespace) -> None:
    if stack.running:
        print("OpenMusic is running already; nothing was changed.")
    else:
        for name in check_names(from_file()):
            print(f"{name} in .env is no setting of OpenMusic; it has no effect.")
        started = time.monotonic()
        stack.start()
        print(f"OpenMusic is ready after {time.monotonic() - started:.0f} s.")
    print(f"  gateway    {stack.url}")
    print(f"  mail page  {stack.mail_url}")
    print("Try `make demo`; stop it with `make down`.")


def down(stack: Stack, _: argparse.Namespace) -> None:
    if stack.running:
        print("stopping everything", flush=True)
    elif stack.abandoned:
        print("The supervisor was killed; stopping what it left running", flush=True)
    else:
        print("OpenMusic is not running.")
        return
    stack.stop()
    print(f"OpenMusic is stopped; its data stays in {stack.folder}.")


def status(stack: Stack, _: argparse.Namespace) -> None:
    if stack.abandoned:
        sys.exit("The supervisor was killed, but parts of OpenMusic still run: stop them with `make down`.")
    if not stack.running:
        sys.exit("OpenMusic is not running.")
    for name, line in stack.states().items():
        print(f"{name:15} {line}")
    print(f"OpenMusic {VERSION}: gateway {stack.url}, mail page {stack.mail_url}")


def logs(stack: Stack, arguments: argparse.Namespace) -> None:
    found = {path.stem: str(path) for path in sorted((stack.folder / "log").glob("*.log"))}
    if not found:
        sys.exit("There are no logs: OpenMusic was not started yet.")
    if arguments.part and arguments.part not in found:
        sys.exit(f"There is no part {arguments.part}; there are {', '.join(found)}.")
    if arguments.request:
        logs = [log for log in sorted((stack.folder / "log").glob("*.log*")) if log.stem.split(".")[0] in found]
        lines = lines_of(arguments.request, logs)
        if not lines:
            sys.exit(f"No log holds a request {arguments.request}.")
        print("\n".join(lines))
        return
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", "20", "-F", *([found[arguments.part]] if arguments.part else found.values())])


def run(stack: Stack, arguments: argparse.Namespace) -> None:
    if not stack.running:
        sys.exit("OpenMusic is not running.")
    command = [arguments.program, *arguments.arguments]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        os.execvpe(command[0], command, {**os.environ, **stack.environment(arguments.process), "PATH": path})
    except OSError as error:
        sys.exit(f"openmusic-local: {command[0]}: {error.strerror}")


def reset(stack: Stack, arguments: argparse.Namespace) -> None:
    down(stack, arguments)
    if not stack.has_data:
        print(f"There is no data in {stack.folder}.")
        return
    shutil.rmtree(stack.folder)
    print("All data is deleted.")
    elsewhere = settings().get("STORAGE_FOLDER")
    if elsewhere and Path(elsewhere).exists():
        print(f"The folder of your own for covers stays: {elsewhere}")


COMMANDS = {"up": up, "down": down, "status": status, "logs": logs, "reset": reset, "run": run}


def main() -> None:
    parser = argparse.ArgumentParser(prog="openmusic-local")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "status", "reset"):
        commands.add_parser(name)
    logging = commands.add_parser("logs")
    logging.add_argument("--part", help="only this part, e.g. catalog")
    logging.add_argument("--request", help="what all parts say of the request with this X-Request-ID")
    running = commands.add_parser("run", help="runs a program with the settings of one of the processes")
    running.add_argument("process", choices=PROCESSES)
    running.add_argument("program", help="e.g. openmusic")
    running.add_argument("arguments", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    chosen = settings()
    try:
        stack = Stack(Path(chosen["OPENMUSIC_DATA"]), chosen, report=lambda line: print(line, flush=True))
        COMMANDS[arguments.command](stack, arguments)
    except LocalError as error:
        sys.exit(f"openmusic-local: {error}")


if __name__ == "__main__":
    main()
