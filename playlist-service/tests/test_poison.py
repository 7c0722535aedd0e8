"""Whatever lies in the queue, the news behind it arrive, and an operator is told what was wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from openmusic_kit.context import new_request_id
from openmusic_kit.ids import new_id
from openmusic_local.poison import Poison, poisons

CONTRACTS = Path(__file__).parents[2] / "contracts" / "events"
QUEUE = "playlist.read_copies"


def example(kind: str, **data: Any) -> dict[str, Any]:
    """That of the contract under an id of its own, perhaps with other data."""
    event: dict[str, Any] = json.loads((CONTRACTS / f"{kind}.v1.example.json").read_text())
    return event | {"id": new_request_id(), "data": event["data"] | data}


def nul(kind: str, name: str) -> Poison:
    body = json.dumps(example(kind, **{name: "nul \0"})).encode()
    return Poison(f"{kind} with NUL in {name}", body, f"malformed: {name}: must not contain a NUL")


@pytest.mark.parametrize("kind", ["song.created", "song.updated", "song.deleted", "user.registered"])
async def test_poison_is_dead_with_a_reason_and_what_is_behind_it_is_applied(
    events: Any, applied: Any, dead_letters: Any, connection: Any, kind: str
) -> None:
    good = example(kind)
    table = {poison.what: poison for poison in [*poisons(good), *(nul(kind, name) for name in good["data"])]}

    await dead_letters.put(QUEUE, {what: poison.body for what, poison in table.items()})
    await applied(await events.song("created", new_id("song"), 1, "behind it"))

    reasons = await dead_letters.reasons(QUEUE, table.keys())
    misleading = {what: reason for what, reason in reasons.items() if not re.match(table[what].reason, reason)}
    assert misleading == {}
    assert not [reason for reason in reasons.values() if "\n" in reason]
    cursor = await connection.execute("SELECT 1 FROM inbox WHERE event_id = %s", [good["id"]])
    assert await cursor.fetchone() is None, "one of them was applied"


async def test_an_event_that_comes_a_hundred_times_is_applied_once_and_holds_up_nothing(
    events: Any, applied: Any, song_copy: Any, connection: Any
) -> None:
    song_id, event_id = new_id("song"), new_request_id()
    data = {"songId": song_id, "title": "Clocks", "performer": "Coldplay"}
    for _ in range(100):
        await events.publish("song.created", song_id, 1, data, id=event_id)
    await applied(event_id, await events.song("updated", song_id, 2, "Clocks (Live)"))

    assert (await song_copy(song_id))["title"] == "Clocks (Live)"
    cursor = await connection.execute("SELECT count(*) AS n FROM inbox WHERE event_id = %s", [event_id])
    assert (await cursor.fetchone())["n"] == 1


async def test_an_event_from_the_future_is_applied_by_its_sequence_whatever_its_time(
    events: Any, applied: Any, song_copy: Any
) -> None:
    song_id = new_id("song")
    data = {"songId": song_id, "title": "Clocks", "performer": "Coldplay"}
    ahead = await events.publish("song.created", song_id, 1, data, time="9999-12-31T23:59:59Z")
    await applied(ahead, await events.song("updated", song_id, 2, "later"))
    assert (await song_copy(song_id))["title"] == "later"

    await applied(await events.song("updated", song_id, 2**63 - 1, "as late as can be"))
    await applied(await events.song("updated", song_id, 3, "older than that"))
    await applied(await events.song("deleted", song_id, 4))

    assert (await song_copy(song_id))["deleted"] is True
