"""Hands mails to an SMTP server, over connections that are kept for the next one."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.message import EmailMessage
from typing import Protocol

import aiosmtplib
from aiosmtplib import SMTP

from openmusic_export.delivery.errors import MailNotSent, MailRefused
from openmusic_export.settings import WorkerSettings

REUSE_WITHIN = 5.0  # seconds; servers close connections that idle longer


class MailSender(Protocol):
    async def send(self, mail: EmailMessage) -> None:
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
            for _, connection in self._idle:
                await _hang_up(connection)

    async def send(self, mail: EmailMessage) -> None:
        try:
            connection = await self._connection()
        except (aiosmtplib.SMTPException, OSError) as error:  # a server that is set up wrongly can be mended
            raise MailNotSent(f"cannot log in to the mail server: {error}") from error
        try:
            await connection.send_message(mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            await _hang_up(connection)
            if (code := _code(error)) is not None and 500 <= code < 600:
                raise MailRefused(str(error)) from error
            raise MailNotSent(str(error)) from error
        except BaseException:
            connection.close()
            raise
        self._idle.append((time.monotonic(), connection))

    async def _connection(self) -> SMTP:
        while self._idle:
            since, connection = self._idle.pop()
            if connection.is_connected and time.monotonic() - since < REUSE_WITHIN:
                return connection
            await _hang_up(connection)
        settings = self._settings
        security = settings.smtp_security or ("starttls" if settings.smtp_user else "none")
        connection = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            timeout=settings.smtp_timeout,
            use_tls=security == "tls",
            start_tls=security == "starttls",
        )
        await connection.connect()
        return connection


def _code(error: Exception) -> int | None:
    """The server's reply code, if it was a reply."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return max(each.code for each in error.recipients)
    return error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None


async def _hang_up(connection: SMTP) -> None:
    with suppress(Exception):  # it may be broken; that is why we leave it
        await connection.quit(timeout=1)
    connection.close()
