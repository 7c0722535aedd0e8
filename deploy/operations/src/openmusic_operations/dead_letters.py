"""``openmusic dead-letters list | show | replay | discard``."""

import argparse
import asyncio

from openmusic_kit.messaging.topology import Queue
from openmusic_operations import system
from openmusic_operations.dead_queue import DeadQueue, connected, every, with_id
from openmusic_operations.errors import OperationFailed, QueueMissing
from openmusic_operations.presentation import harmless, in_a_list, whole
from openmusic_operations.settings import Settings

QUEUES = {name: Queue(name, ()) for name in sorted(system.QUEUES)}
"""The queues of all consumers, whichever of them is installed here."""
LISTED = 50


def add_commands(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="list | show | replay | discard", required=True)

    listing = actions.add_parser("list", help="how many there are, and a line on each")
    listing.add_argument("queue", nargs="?", type=_queue, help=f"one of {', '.join(QUEUES)}; all without it")
    listing.add_argument("--limit", type=int, default=LISTED, help=f"messages shown of each queue ({LISTED})")
    listing.set_defaults(run=_list)

    showing = actions.add_parser("show", help="headers and body of one")
    showing.add_argument("queue", type=_queue)
    showing.add_argument("id")
    showing.set_defaults(run=_show)

    for name, run, about in (
        ("replay", _replay, "sends one back to its consumer, or all"),
        ("discard", _discard, "deletes one, or all"),
    ):
        settling = actions.add_parser(name, help=about)
        settling.add_argument("queue", type=_queue)
        which = settling.add_mutually_exclusive_group(required=True)
        which.add_argument("id", nargs="?")
        which.add_argument("--all", action="store_true")
        settling.set_defaults(run=run)
        if name == "discard":
            settling.add_argument("--yes", action="store_true", help="there is no way back")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Raises OperationFailed."""
    asyncio.run(arguments.run(arguments, settings.rabbitmq_server.get_secret_value()))


def _queue(name: str) -> Queue:
    try:
        return QUEUES[name.removesuffix(".dead")]
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no queue {harmless(name)}; there are {', '.join(QUEUES)}") from None


async def _list(arguments: argparse.Namespace, url: str) -> None:
    async with connected(url) as open_queue:
        for queue in [arguments.queue] if arguments.queue else QUEUES.values():
            try:
                dead = await open_queue(queue)
            except QueueMissing:
                if arguments.queue:
                    raise
                print(f"{queue.name}: its consumer never ran")
                continue
            await _list_one(dead, queue, arguments.limit)


async def _list_one(dead: DeadQueue, queue: Queue, limit: int) -> None:
    count = await dead.count()
    print(f"{queue.name}: {count or 'no'} dead letter{'' if count == 1 else 's'}")
    for line in in_a_list(await dead.letters(limit)):
        print(line)
    if count > limit:
        print(f"  and {count - limit} more")


async def _show(arguments: argparse.Namespace, url: str) -> None:
    async with connected(url) as open_queue:
        for letter in await (await open_queue(arguments.queue)).find(arguments.id):
            print("\n".join(whole(letter)))


async def _replay(arguments: argparse.Namespace, url: str) -> None:
    async with connected(url) as open_queue:
        dead = await open_queue(arguments.queue)
        moved = await dead.replay(every if arguments.all else with_id(arguments.id))
    _tell(moved, f"sent back to {arguments.queue.name}", arguments)


async def _discard(arguments: argparse.Namespace, url: str) -> None:
    async with connected(url) as open_queue:
        dead = await open_queue(arguments.queue)
        if not arguments.yes:
            count = await dead.count() if arguments.all else len(await dead.find(arguments.id))
            raise OperationFailed(f"{count} would be deleted for ever: say --yes to do it")
        discarded = await dead.discard(every if arguments.all else with_id(arguments.id))
    _tell(discarded, "deleted", arguments)


def _tell(count: int, what: str, arguments: argparse.Namespace) -> None:
    if not count and not arguments.all:
        raise OperationFailed(f"{arguments.queue.dead} holds no message {harmless(arguments.id)}")
    print(f"{count} {what}")
