"""How dead letters look on a terminal."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from openmusic_kit.commands.output import harmless
from openmusic_operations.letters import UNKNOWN, Letter, parsed

SHORT = 120  # characters of a reason in a list


@dataclass(frozen=True)
class LetterData:
    """For programs. ``body`` is what JSON says, or else a text."""

    id: str
    type: str
    died: datetime | None
    reason: str
    headers: dict[str, str]
    body: object

    @classmethod
    def of(cls, letter: Letter) -> Self:
        headers = {name: str(value) for name, value in letter.headers.items()}
        content = parsed(letter.body)
        body = _undecoded(letter.body) if content is None else content
        return cls(letter.id, letter.type, letter.died, letter.reason, headers, body)


def in_a_list(letters: list[Letter]) -> Iterator[str]:
    if not letters:
        return
    rows = [(letter.id, letter.type[:40], _time(letter.died), letter.reason[:SHORT]) for letter in letters]
    table = [("id", "type", "died", "reason"), *(tuple(map(harmless, row)) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for row in table:
        yield "  " + "  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]])


def whole(letter: Letter) -> Iterator[str]:
    yield f"id      {harmless(letter.id)}"
    yield f"type    {harmless(letter.type)}"
    yield f"died    {_time(letter.died)}"
    yield f"reason  {harmless(letter.reason)}"
    yield "headers"
    for name, value in sorted(letter.headers.items()):
        yield f"  {harmless(name)}: {harmless(str(value))}"
    yield f"body ({len(letter.body)} bytes)"
    content = parsed(letter.body)
    text = _undecoded(letter.body) if content is None else json.dumps(content, ensure_ascii=False, indent=2)
    yield from map(harmless, text.splitlines())


def _undecoded(body: bytes) -> str:
    return body.decode(errors="backslashreplace")


def _time(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ") if time else UNKNOWN
