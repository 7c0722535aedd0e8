"""Hands mails to an SMTP server, over connections that are kept for the next one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import Message
from email.utils import parseaddr
from typing import Protocol

import aiosmtplib
from aiosmtplib import SMTP
from aiosmtplib.email import flatten_message

from openmusic_export.delivery.errors import MailInDoubt, MailNotSent, MailRefused
from openmusic_export.delivery.replies import is_final, is_mendable, is_refused, is_taken
from openmusic_export.settings import WorkerSettings
from openmusic_kit.database.connections import IDLE_IN_TRANSACTION_TIMEOUT
from openmusic_kit.errors import Unavailable

REUSE_WITHIN = 5.0  # seconds; servers close connections that idle longer
CHECK_WITHIN = 2.0  # seconds that a connection has to show that it still works, before a mail is entrusted to it
OFFER_WITHIN = 0.75 * IDLE_IN_TRANSACTION_TIMEOUT
"""Seconds for all steps before the content; the job's playlist is read in the rest of the time. After that without a
statement, PostgreSQL releases the lock of the job."""
GO_AHEAD = 354
STEPS = {
    aiosmtplib.SMTPSenderRefused: "MAIL",
    aiosmtplib.SMTPRecipientRefused: "RCPT",
    aiosmtplib.SMTPDataError: "DATA",
}


class Offer(Protocol):
    """A mail that the server waits for. Nothing was sent of its content yet."""

    async def complete(self) -> None:
        """Returns once the server has taken the mail.

        Raises MailRefused for good, MailNotSent for now, and MailInDoubt. Whoever cancels it is in doubt as well.
        """

    def withdraw(self) -> None: ...


class MailSender(Protocol):
    async def offer(self, mail: Message) -> Offer:
        """Raises MailRefused for good, MailNotSent for now."""


class SmtpSender:
    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._idle: list[tuple[float, SMTP]] = []
        self._trouble: str | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._hang_up_idle()

    async def ping(self) -> None:
        """Raises Unavailable when the last mail met what keeps all mails from being sent. Asks nobody."""
        if self._trouble is not None:
            raise Unavailable(self._trouble)

    async def offer(self, mail: Message) -> Offer:
        try:
            async with asyncio.timeout(OFFER_WITHIN):
                return await self._offer(mail)
        except TimeoutError as error:
            self._trouble = "the mail server took too long"
            raise MailNotSent(self._trouble) from error

    async def _offer(self, mail: Message) -> Offer:
        try:
            connection = await self._connection()
        except (aiosmtplib.SMTPException, OSError) as error:
            self._trouble = f"cannot log in to the mail server: {error}"
            raise MailNotSent(self._trouble) from error
        try:
            content = await _introduce(connection, mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            await _hang_up(connection)
            reason = _explain(error)
            self._trouble = reason if _concerns_all(error) else None
            if isinstance(error, aiosmtplib.SMTPResponseException) and is_final(error.code, error.message):
                raise MailRefused(reason) from error
            raise MailNotSent(reason) from error
        except BaseException:
            connection.close()
            raise
        self._trouble = None
        return _Offer(connection, content, self._settings.smtp_reply_timeout, self._idle)

    async def _connection(self) -> SMTP:
        return await self._reusable() or await self._new()

    async def _reusable(self) -> SMTP | None:
        """The connection that was used last. When that one is of no use, none is."""
        if not self._idle:
            return None
        since, connection = self._idle.pop()
        if time.monotonic() - since < REUSE_WITHIN and await _answers(connection):
            return connection
        self._idle.append((since, connection))
        await self._hang_up_idle()
        return None

    async def _hang_up_idle(self) -> None:
        """The list stays the same one: offers that are under way give their connections back to it."""
        idle = self._idle.copy()
        self._idle.clear()
        await _hang_up(*(connection for _, connection in idle))

    async def _new(self) -> SMTP:
        settings = self._settings
        connection = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            timeout=settings.smtp_timeout,
            use_tls=settings.smtp_security == "tls",
            start_tls=_start_tls(settings),
        )
        try:
            await connection.connect()
            if connection.is_ehlo_or_helo_needed:
                await _greet(connection)
        except BaseException:
            connection.close()
            raise
        return connection


class _Offer:
    def __init__(self, connection: SMTP, content: bytes, reply_timeout: float, idle: list[tuple[float, SMTP]]) -> None:
        self._connection = connection
        self._content = content
        self._reply_timeout = reply_timeout
        self._idle = idle

    def withdraw(self) -> None:
        self._connection.close()

    async def complete(self) -> None:
        try:
            code, text = await self._send()
        except BaseException:
            self._connection.close()
            raise
        if is_taken(code):
            self._idle.append((time.monotonic(), self._connection))
            return
        await _hang_up(self._connection)
        reply = f"after the mail, the mail server said {code} {text}"
        if not is_refused(code):
            raise MailInDoubt(reply)
        raise MailRefused(reply) if is_final(code, text) else MailNotSent(reply)

    async def _send(self) -> tuple[int, str]:
        """Writes all at once, so that either nothing or, perhaps, everything was sent."""
        protocol = self._connection.protocol
        try:
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("Connection lost")
            protocol.write(self._content)
        except aiosmtplib.SMTPServerDisconnected as error:
            raise MailNotSent(str(error)) from error
        try:
            return await protocol.read_response(timeout=self._reply_timeout)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailInDoubt(f"after the mail, the mail server said nothing: {error}") from error


def _start_tls(settings: WorkerSettings) -> bool | None:
    """Whether to demand STARTTLS; None to use it if it is offered."""
    if settings.smtp_security != "auto":
        return settings.smtp_security == "starttls"
    if settings.smtp_user is None:
        return False
    return None if settings.smtp_is_local else True


async def _greet(connection: SMTP) -> None:
    try:
        await connection.ehlo()
    except aiosmtplib.SMTPHeloError:
        await connection.helo()


async def _introduce(connection: SMTP, mail: Message) -> bytes:
    """All steps until the server waits for the content, which is returned as it travels, with the dot at its end."""
    eight_bit = connection.supports_extension("8bitmime")
    content = _on_the_wire(flatten_message(mail, cte_type="8bit" if eight_bit else "7bit"))
    options = ["BODY=8BITMIME"] if eight_bit else []
    if connection.supports_extension("size"):
        options.append(f"SIZE={len(content)}")
    await connection.mail(parseaddr(str(mail["From"]))[1], options=options)
    await connection.rcpt(parseaddr(str(mail["To"]))[1])
    reply = await connection.execute_command(b"DATA")
    if reply.code != GO_AHEAD:
        raise aiosmtplib.SMTPDataError(reply.code, reply.message)
    return content


def _on_the_wire(content: bytes) -> bytes:
    """With a second dot before each that begins a line (RFC 5321, section 4.5.2)."""
    lines = ((b"." if line.startswith(b".") else b"") + line for line in content.splitlines())
    return b"\r\n".join((*lines, b".", b""))


def _explain(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException) and type(error) in STEPS:
        return f"to {STEPS[type(error)]}, the mail server said {error.code} {error.message}"
    return str(error)


def _concerns_all(error: Exception) -> bool:
    """Whether any other mail would have met the same."""
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return True
    return isinstance(error, aiosmtplib.SMTPSenderRefused) or is_mendable(error.code, error.message)


async def _answers(connection: SMTP) -> bool:
    """A connection that vanished without a word would keep a mail until ``smtp_timeout``."""
    try:
        await connection.noop(timeout=CHECK_WITHIN)
    except (aiosmtplib.SMTPException, OSError):
        return False
    except BaseException:
        connection.close()
        raise
    return True


async def _hang_up(*connections: SMTP) -> None:
    """They may be broken; that is why we leave them."""
    try:
        await asyncio.gather(*(each.quit(timeout=1) for each in connections), return_exceptions=True)
    finally:
        for each in connections:
            each.close()
