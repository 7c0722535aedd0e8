"""``openmusic``: the operators' own commands, and those of the services that are installed beside them."""

import argparse
import logging
import sys
from importlib.metadata import EntryPoint, entry_points

from pydantic import ValidationError

from openmusic_operations import dead_letters
from openmusic_operations.errors import OperationFailed
from openmusic_operations.settings import Settings

SERVICE_COMMANDS = "openmusic.commands"
"""The group of entry points in which a service names commands of its own, such as ``read-copies``."""


def main() -> None:
    added = {point.name: point for point in entry_points(group=SERVICE_COMMANDS)}
    if len(sys.argv) > 1 and sys.argv[1] in added:
        added[sys.argv[1]].load()()
        return
    arguments = _parser(added).parse_args()
    logging.getLogger().addHandler(logging.NullHandler())  # what the operator must know is printed below
    try:
        dead_letters.run(arguments, Settings())
    except OperationFailed as error:
        sys.exit(f"openmusic: {error}")
    except (ValidationError, ValueError):
        sys.exit("openmusic: RABBITMQ_SERVER is not an address like amqp://user:password@host:5672/")
    except KeyboardInterrupt:
        sys.exit(130)


def _parser(added: dict[str, EntryPoint]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="openmusic", description="What operators do with a stack that runs.")
    commands = parser.add_subparsers(required=True, metavar="command")
    about = "messages that no consumer could apply"
    dead_letters.add_commands(commands.add_parser("dead-letters", help=about, description=about))
    for name in added:
        commands.add_parser(name, help="of a service that is installed here")
    return parser


if __name__ == "__main__":
    main()
