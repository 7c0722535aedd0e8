"""Each part fails in each way while many users work. Nothing they were promised may be missing, and no answer wrong.

``recovery`` begins where the fault ends: a process is killed or started again, a server takes connections again, a
pause or bad weather is over. It is over when the whole story has been told once more, and counts the seconds that this
took longer than before the fault.
"""

import asyncio
import math
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from audit import Auditor
from clients import PATIENCE, Client, Journal, User, client
from collector import Collector
from crowd import Crowd
from faults import CELLS, FAULTS, SERVERS, Ground
from pairs import pairs_of
from report import Row
from story import NotYet, time_until_story_works

WARMING_UP = 2.0  # seconds before the first story
COOLING_DOWN = 2.0  # seconds after the recovery
THINKING = 0.7  # seconds between two steps of a pair, at the least
STEPS = 150  # of all pairs together, a second at the most
LONGEST_REQUEST = 15.0  # seconds
RECOVERS_WITHIN = 10.0
RECOVERY_GIVEN_UP = 30.0  # seconds
KEEPS_ACCOUNTS = ("rabbitmq", "emptied")
"""Where no account is deleted: docs/reliability.md says what a deletion loses with RabbitMQ's data."""
CLIENT_GIVES_UP = 4.0  # seconds; only a client can notice that its own connection to the gateway vanished
RECORDING_MAILS = frozenset({"export-worker", "postgres", "mail"})
"""Who takes part when a mail was accepted and this is recorded; a fault just between the two sends it again."""
SMOKE = {
    ("everything", "nothing"),
    ("postgres", "vanished"),
    ("rabbitmq", "emptied"),
    ("gateway", "Redis vanished"),
    ("auth", "clock ahead"),
    ("playlist", "cut"),
}


def _cells() -> list[Any]:
    return [
        pytest.param(*cell, id="-".join(cell).replace(" ", "-"), marks=[pytest.mark.smoke] * (cell in SMOKE))
        for cell in CELLS
    ]


@pytest.mark.parametrize(("part", "fault"), _cells())
async def test_nothing_is_lost_and_no_answer_is_wrong_when(
    part: str,
    fault: str,
    ground: Ground,
    auditor: Auditor,
    users: list[User],
    collector: Callable[[Client], Collector],
    urls: list[str],
    report: Callable[[Row], None],
) -> None:
    journal = Journal()
    await auditor.forget_mails()
    patience = CLIENT_GIVES_UP if (part, fault) == ("gateway", "vanished") else PATIENCE
    async with (
        client(*urls, journal=journal, patience=patience) as http,
        client(urls[0], journal=Journal(), patience=patience) as probe,
    ):
        pairs = pairs_of(users, f"{part}-{fault}-{secrets.token_hex(3)}", http)
        for pair in pairs:
            pair.deletes_accounts = (part, fault) != KEEPS_ACCOUNTS
        crowd = Crowd(pairs, max(THINKING, len(pairs) / STEPS), [collector(http)])
        async with crowd:
            await asyncio.sleep(WARMING_UP)
            usual = await _time_until_story_works(probe, auditor, users[0])
            await FAULTS[fault](ground, part)
            recovered = await _time_until_story_works(probe, auditor, users[0]) - usual
            await asyncio.sleep(COOLING_DOWN)
        slowest = journal.slowest
        await auditor.settle(crowd)
        await auditor.check(crowd)
    report(Row(SERVERS.get(part, part), fault, journal, max(recovered, 0.0)))
    assert recovered <= RECOVERS_WITHIN
    assert journal.lost == []
    assert journal.halves == []
    assert journal.wrong == []
    assert slowest[0] <= LONGEST_REQUEST, slowest
    assert journal.twice == [] or part in RECORDING_MAILS


async def _time_until_story_works(probe: Client, auditor: Auditor, friend: User) -> float:
    """The seconds until the story was told."""
    try:
        return await time_until_story_works(probe, auditor, friend, RECOVERY_GIVEN_UP)
    except NotYet:
        return math.inf
