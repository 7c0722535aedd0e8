"""``openmusic dead-letters list | show | replay | discard``."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Self

import typer

from openmusic_kit.commands.output import Json, done, group, harmless, show
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.messaging.topology import Queue
from openmusic_kit.settings import BrokerSettings
from openmusic_operations import system
from openmusic_operations.dead_queue import Wanted, connected, every, with_id
from openmusic_operations.errors import OperationFailed, QueueMissing
from openmusic_operations.letters import Letter
from openmusic_operations.presentation import LetterData, in_a_list, whole

QUEUES = {name: Queue(name, ()) for name in sorted(system.QUEUES)}
"""The queues of all consumers, whichever of them is installed here."""
LISTED = 50


def _queue(name: str) -> Queue:
    try:
        return QUEUES[name.removesuffix(".dead")]
    except KeyError:
        raise typer.BadParameter(f"there is no queue {harmless(name)}; there are {', '.join(QUEUES)}") from None


def _complete(start: str) -> list[str]:
    return [name for name in QUEUES if name.startswith(start)]


QueueName = Annotated[
    Queue, typer.Argument(parser=_queue, metavar="QUEUE", autocompletion=_complete, help=f"One of {', '.join(QUEUES)}.")
]
AnyQueueName = Annotated[
    Queue | None, typer.Argument(parser=_queue, metavar="[QUEUE]", autocompletion=_complete, help="All without it.")
]
LetterId = Annotated[str, typer.Argument(help="As `list` shows it.")]
AnyLetterId = Annotated[str | None, typer.Argument(metavar="[ID]", help="As `list` shows it.")]
All = Annotated[bool, typer.Option("--all", help="All of the queue.")]

app = group("Messages that no consumer could handle: look at the reason, remove its cause, then replay them.")


@dataclass(frozen=True)
class QueueOfLetters:
    """``count`` is None when the consumer of the queue never ran."""

    queue: str
    count: int | None
    letters: list[Letter]


@dataclass(frozen=True)
class QueueData:
    """The same for programs."""

    queue: str
    count: int | None
    letters: list[LetterData]

    @classmethod
    def of(cls, found: QueueOfLetters) -> Self:
        return cls(found.queue, found.count, [LetterData.of(letter) for letter in found.letters])


@app.command("list")
def list_letters(
    queue: AnyQueueName = None,
    limit: Annotated[int, typer.Option(min=1, help="Messages shown of each queue.")] = LISTED,
    as_json: Json = False,
) -> None:
    """Shows how many there are, and a line on each."""
    found = asyncio.run(_look([queue] if queue else list(QUEUES.values()), limit, must_exist=queue is not None))
    if as_json:
        show([QueueData.of(each) for each in found], as_json, "")
        return
    for each in found:
        if each.count is None:
            print(f"{each.queue}: its consumer never ran")
            continue
        print(f"{each.queue}: {each.count or 'no'} dead letter{'' if each.count == 1 else 's'}")
        for line in in_a_list(each.letters):
            print(line)
        if each.count > limit:
            print(f"  and {each.count - limit} more")


@app.command("show")
def show_letter(queue: QueueName, letter_id: LetterId, as_json: Json = False) -> None:
    """Shows the headers and the body of one. A letter may hold an e-mail address."""
    found = asyncio.run(_find(queue, letter_id))
    if as_json:
        show([LetterData.of(letter) for letter in found], as_json, "")
        return
    for letter in found:
        print("\n".join(whole(letter)))


@app.command("replay")
def replay_letters(
    queue: QueueName, letter_id: AnyLetterId = None, everything: All = False, as_json: Json = False
) -> None:
    """Sends one back to its consumer, or all."""
    moved = asyncio.run(_replay(queue, _wanted(letter_id, everything)))
    _report(queue, letter_id, moved, f"sent back to {queue.name}", as_json)


@app.command("discard")
def discard_letters(
    queue: QueueName,
    letter_id: AnyLetterId = None,
    everything: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="There is no way back.")] = False,
    as_json: Json = False,
) -> None:
    """Deletes one, or all."""
    deleted = asyncio.run(_discard(queue, letter_id, _wanted(letter_id, everything), yes))
    _report(queue, letter_id, deleted, "deleted", as_json)


def _wanted(letter_id: str | None, everything: bool) -> Wanted:
    if (letter_id is None) != everything:
        raise typer.BadParameter("name one letter by its id, or all of them by --all")
    return every if letter_id is None else with_id(letter_id)


def _report(queue: Queue, letter_id: str | None, count: int, what: str, as_json: bool) -> None:
    if not count and letter_id is not None:
        raise OperationFailed(f"{queue.dead} holds no message {harmless(letter_id)}")
    done(f"{count} {what}", as_json, queue=queue.name, count=count)


async def _look(queues: list[Queue], limit: int, *, must_exist: bool) -> list[QueueOfLetters]:
    found = []
    async with connected(_url()) as open_queue:
        for queue in queues:
            try:
                dead = await open_queue(queue)
            except QueueMissing:
                if must_exist:
                    raise
                found.append(QueueOfLetters(queue.name, None, []))
                continue
            found.append(QueueOfLetters(queue.name, await dead.count(), await dead.letters(limit)))
    return found


async def _find(queue: Queue, letter_id: str) -> list[Letter]:
    async with connected(_url()) as open_queue:
        return await (await open_queue(queue)).find(letter_id)


async def _replay(queue: Queue, wanted: Wanted) -> int:
    async with connected(_url()) as open_queue:
        return await (await open_queue(queue)).replay(wanted)


async def _discard(queue: Queue, letter_id: str | None, wanted: Wanted, yes: bool) -> int:
    async with connected(_url()) as open_queue:
        dead = await open_queue(queue)
        if not yes:
            count = await dead.count() if letter_id is None else len(await dead.find(letter_id))
            raise OperationFailed(f"{count} would be deleted for ever: say --yes to do it")
        return await dead.discard(wanted)


def _url() -> str:
    """Every consumer knows the address of RabbitMQ; so does the export service, in each kind of installation."""
    return settings_of("export", BrokerSettings).rabbitmq_server.get_secret_value()
