"""The pool of SMTP connections, under a scheduler that a seed decides and with its clock."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cache
from typing import Any
from unittest import mock

import pytest
from aiosmtplib import SMTPResponse, SMTPServerDisconnected

from openmusic_export.delivery import smtp
from openmusic_export.delivery.errors import MailInDoubt, PermanentMailError, TransientMailError
from openmusic_export.delivery.smtp import SmtpSender
from openmusic_export.settings import WorkerSettings
from openmusic_testkit.interleavings import World, explore

SERVERS_PATIENCE = 6
"""Seconds after which the fake server closes a connection that idles."""


@dataclass
class Server:
    world: World
    failing: float = 0.0
    refusing: float = 0.0
    taken: list[bytes] = field(default_factory=list)
    connections: list["Connection"] = field(default_factory=list)
    slow: tuple[float, ...] = ()

    def connect(self, **_: Any) -> "Connection":
        connection = Connection(self)
        self.connections.append(connection)
        return connection


@dataclass(eq=False)
class Connection:
    """As the library's: one thing at a time."""

    server: Server
    closed: bool = False
    broken: bool = False
    vanished: bool = False
    busy: bool = False
    used_at: float = 0.0

    async def _step(self, patience: float) -> None:
        world = self.server.world
        assert not self.busy, "two mails over one connection at once"
        assert not self.closed, "it was hung up"
        self.busy = True
        try:
            if self.vanished:
                await asyncio.sleep(patience)
                raise SMTPServerDisconnected("timed out")
            await world.pause(*self.server.slow)
            if self.broken or world.now - self.used_at > SERVERS_PATIENCE:
                raise SMTPServerDisconnected("closed")
            if world.chance(self.server.failing):
                self.broken = True
                raise SMTPServerDisconnected("cut")
            self.used_at = world.now
        finally:
            self.busy = False

    async def connect(self) -> None:
        self.used_at = self.server.world.now
        await self._step(15)

    async def noop(self, timeout: float) -> None:  # noqa: ASYNC109 - as the library has it
        await self._step(timeout)

    is_ehlo_or_helo_needed = True

    async def ehlo(self) -> None:
        await self._step(15)
        self.is_ehlo_or_helo_needed = False

    def supports_extension(self, _: str) -> bool:
        return False

    async def mail(self, _: str, options: list[str]) -> None:
        assert options == []
        await self._step(15)

    async def rcpt(self, _: str) -> None:
        await self._step(15)

    async def execute_command(self, command: bytes) -> SMTPResponse:
        assert command == b"DATA"
        await self._step(15)
        return SMTPResponse(354, "go ahead")

    @property
    def protocol(self) -> "Connection":
        return self

    def write(self, content: bytes) -> None:
        self.content = content

    async def read_response(self, timeout: float) -> SMTPResponse:  # noqa: ASYNC109 - as the library has it
        await self._step(timeout)
        if self.server.world.chance(self.server.refusing):
            return SMTPResponse(554, "spam")
        self.server.taken.append(self.content)
        return SMTPResponse(250, "ok")

    async def quit(self, timeout: float) -> None:  # noqa: ASYNC109 - as the library has it
        await self._step(timeout)
        self.closed = True

    def close(self) -> None:
        self.closed = True


def numbered(number: int) -> tuple[EmailMessage, str]:
    mail, name = EmailMessage(), f"mail {number}."
    mail["From"], mail["To"], mail["Subject"] = "a@mail.test", "b@mail.test", name
    return mail, name


SETTINGS = WorkerSettings()
MAILS = itertools.cycle([numbered(number) for number in range(100)])
"""More than one interleaving sends, and made once: parsing their headers takes longer than all else."""


@pytest.fixture(scope="module", autouse=True)
def each_mail_is_rendered_once() -> Iterator[None]:
    """The same mails are sent thousands of times, and rendering one takes longer than sending it."""
    with (
        mock.patch.object(smtp, "flatten_message", cache(smtp.flatten_message)),
        mock.patch.object(smtp, "parseaddr", cache(smtp.parseaddr)),
    ):
        yield


async def send(sender: SmtpSender) -> tuple[bytes, str]:
    """What is in the mail, and what came of it."""
    mail, name = next(MAILS)
    try:
        await (await sender.offer(mail)).complete()
    except (PermanentMailError, TransientMailError, MailInDoubt) as error:
        return name.encode(), type(error).__name__
    return name.encode(), "sent"


def test_a_mail_is_sent_or_its_failure_told_and_no_connection_is_shared_or_left() -> None:
    async def scenario(world: World) -> None:
        server = Server(world, failing=world.dice.choice((0, 0.2)), refusing=world.dice.choice((0, 0.2)))
        sender = SmtpSender(SETTINGS)
        with mock.patch.object(smtp, "SMTP", server.connect):
            async with sender.running():
                for _ in range(3):
                    outcomes = await world.all(world.cancelled_sometime(send(sender)) for _ in range(4))
                    await world.pause(0, 1, 4.9, 5.1)
                    for mail, outcome in filter(None, outcomes):
                        taken = sum(mail in content for content in server.taken)
                        assert taken == (outcome == "sent") or outcome == "MailInDoubt"
                    if not server.failing and not server.refusing:
                        assert {outcome for _, outcome in filter(None, outcomes)} <= {"sent"}
        assert all(each.closed for each in server.connections)

    explore("SMTP connections: shared", scenario)


def test_connections_are_used_again_by_the_next_mails() -> None:
    async def scenario(world: World) -> None:
        server = Server(world)
        sender = SmtpSender(SETTINGS)
        with mock.patch.object(smtp, "SMTP", server.connect):
            async with sender.running():
                for _ in range(5):
                    await world.all(send(sender) for _ in range(3))
                    await world.pause(0, 1, 4.5)
                assert sum(not each.closed for each in server.connections) <= 3
                assert len(server.connections) < 10, "of 15 mails"
                await world.pause(5.1)
                await send(sender)
                assert sum(not each.closed for each in server.connections) == 1, "those that idled too long are left"

    explore("SMTP connections: used again", scenario)


def test_after_all_connections_vanished_the_next_mails_are_sent_soon() -> None:
    async def scenario(world: World) -> None:
        server = Server(world)
        sender = SmtpSender(SETTINGS)
        with mock.patch.object(smtp, "SMTP", server.connect):
            async with sender.running():
                await world.all(send(sender) for _ in range(10))
                for each in server.connections:
                    each.vanished = True
                await world.pause(0, 1, 4.9, 5.1)
                outcomes = await world.within(3.2, world.all(send(sender) for _ in range(world.dice.choice((1, 4)))))
                assert {outcome for _, outcome in outcomes} == {"sent"}

    explore("SMTP connections: vanished", scenario)


def test_an_offer_takes_less_time_than_the_lock_of_its_job_lasts_and_a_mail_ten_minutes_more() -> None:
    async def scenario(world: World) -> None:
        server = Server(world, slow=(14, 44, 100, 700))
        sender = SmtpSender(SETTINGS)
        with mock.patch.object(smtp, "SMTP", server.connect):
            async with sender.running():
                mail = EmailMessage()
                mail["From"], mail["To"] = "a@mail.test", "b@mail.test"
                try:
                    offer = await world.within(45.1, sender.offer(mail))
                    await world.within(701, offer.complete())
                except (TransientMailError, MailInDoubt):
                    pass
            assert all(each.closed for each in server.connections)

    explore("SMTP connections: slow", scenario)
