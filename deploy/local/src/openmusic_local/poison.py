"""Messages that no consumer can apply, made from one that it can."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

REQUIRED = ("id", "type", "version", "aggregateId", "sequence", "time", "data")
STRANGE: dict[str, tuple[Any, ...]] = {
    "id": ("", 7, None, "x" * 3000, "nul \0"),
    "type": ("", 7, None, "nul \0", "x" * 3000),
    "version": (0, 2, -1, 1.5, True, "1", None, 10**30, 10**4000),
    "aggregateId": ("", 7, None, "x" * 3000, "nul \0"),
    "sequence": (0, -1, 1.5, True, "1", None, 2**63, 10**30),
    "time": ("once", "", None, True, "99999-01-01T00:00:00Z"),
    "requestId": (7, None, "x" * 65, "two\r\nlines", "nul \0"),
    "data": (None, "text", 7, True, []),
}
MALFORMED = {
    "nothing": b"",
    "no JSON": b"{song: gone}",
    "half a JSON": b'{"id": "1", "type": "',
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "half a surrogate pair": b'{"id": "\\ud800"}',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"event"',
    "a number": b"17",
    "a number of many digits": b"9" * 5_000,
    "deep lists": b"[" * 30_000,
    "deep objects": b'{"data":' * 5_000 + b"1" + b"}" * 5_000,
}


class Poison(NamedTuple):
    """``reason`` is what an operator must at least be told: a regular expression."""

    what: str
    body: bytes
    reason: str


def poisons(good: dict[str, Any]) -> Iterator[Poison]:
    """``good`` is an event as a consumer knows it, with its envelope."""
    for what, body in MALFORMED.items():
        yield Poison(what, body, "malformed: (Invalid JSON|Input should be an object)")
    for name in REQUIRED:
        rest = {key: value for key, value in good.items() if key != name}
        yield Poison(f"without {name}", _json(rest), f"malformed: {name}: Field required")
    for name, values in STRANGE.items():
        for value in values:
            shown = json.dumps(value, default=str)[:30] if not isinstance(value, int) else f"{value % 10**9}"
            yield Poison(f"{name} {shown}", _json(good | {name: value}), f"malformed: {name}: |unknown event: ")
    for name in good["data"]:
        rest = {key: value for key, value in good["data"].items() if key != name}
        yield Poison(f"data without {name}", _json(good | {"data": rest}), f"malformed: {name}: Field required")
        for value in (None, 7, True, [], {"deep": {}}):
            data = good["data"] | {name: value}
            yield Poison(f"{name} {json.dumps(value)}", _json(good | {"data": data}), f"malformed: {name}: ")
    yield Poison("a megabyte", _json(good | {"data": good["data"] | {"more": "x" * 2**20}}), "too large: 1048")


def _json(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()
