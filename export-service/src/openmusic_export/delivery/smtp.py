"""Hands mails to an SMTP server, over connections that are kept for the next one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import Message
from typing import Protocol

import aiosmtplib
from aiosmtplib import SMTP

from openmusic_export.delivery.errors import MailNotSent, MailRefused
from openmusic_export.settings import WorkerSettings
from openmusic_kit.connections import IDLE_IN_TRANSACTION_TIMEOUT

REUSE_WITHIN = 5.0  # seconds; servers close connections that idle longer
CHECK_WITHIN = 2.0  # seconds that a connection has to show that it still works, before a mail is entrusted to it
SEND_WITHIN = 0.75 * IDLE_IN_TRANSACTION_TIMEOUT
"""Seconds for all steps of a mail; the job's playlist is read in the rest of the time. After that without a statement,
PostgreSQL releases the lock of the job."""
LOGIN_WANTED = {530, 534, 535, 538}  # RFC 4954; some servers say so only when they see the recipient


class MailSender(Protocol):
    async def send(self, mail: Message) -> None:
        """Returns once the server has taken the mail. Raises MailRefused for good, MailNotSent for now."""


class SmtpSender:
    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._idle: list[tuple[float, SMTP]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._hang_up_idle()

    async def send(self, mail: Message) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await self._send(mail)
        except TimeoutError as error:
            raise MailNotSent("the mail server took too long") from error

    async def _send(self, mail: Message) -> None:
        try:
            connection = await self._connection()
        except (aiosmtplib.SMTPException, OSError) as error:  # a server that is set up wrongly can be mended
            raise MailNotSent(f"cannot log in to the mail server: {error}") from error
        try:
            await connection.send_message(mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            await _hang_up(connection)
            if _is_final(error):
                raise MailRefused(str(error)) from error
            raise MailNotSent(str(error)) from error
        except BaseException:
            connection.close()
            raise
        self._idle.append((time.monotonic(), connection))

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
        idle, self._idle = self._idle, []
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
        except BaseException:
            connection.close()
            raise
        return connection


def _start_tls(settings: WorkerSettings) -> bool | None:
    """Whether to demand STARTTLS; None to use it if it is offered."""
    if settings.smtp_security != "auto":
        return settings.smtp_security == "starttls"
    if settings.smtp_user is None:
        return False
    return None if settings.smtp_is_local else True


def _is_final(error: Exception) -> bool:
    """Whether this recipient or this content was refused; a sender or login that is not liked can be mended here."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = {each.code for each in error.recipients}
    elif isinstance(error, aiosmtplib.SMTPDataError):
        codes = {error.code}
    else:
        return False
    return all(500 <= code < 600 for code in codes) and not codes & LOGIN_WANTED


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
