"""Sends mails to an SMTP server over a pool of connections."""

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

from openmusic_export.delivery.errors import MailInDoubt, PermanentMailError, TransientMailError
from openmusic_export.delivery.replies import is_accepted, is_permanent, is_rejected, is_server_fault
from openmusic_export.settings import WorkerSettings
from openmusic_kit.database.connections import IDLE_IN_TRANSACTION_TIMEOUT
from openmusic_kit.errors import Unavailable

MAX_IDLE = 5.0  # seconds; servers close connections that idle longer
PROBE_TIMEOUT = 2.0  # seconds for an idle connection to prove that it still works
OFFER_TIMEOUT = 0.75 * IDLE_IN_TRANSACTION_TIMEOUT
"""Seconds for all steps before the content. The rest is for reading the playlist: PostgreSQL releases the lock of the
job after IDLE_IN_TRANSACTION_TIMEOUT."""
START_MAIL_INPUT = 354
STEPS = {
    aiosmtplib.SMTPSenderRefused: "MAIL",
    aiosmtplib.SMTPRecipientRefused: "RCPT",
    aiosmtplib.SMTPDataError: "DATA",
}


class Offer(Protocol):
    """A mail that the server is ready to receive. None of its content was sent yet."""

    async def complete(self) -> None:
        """Returns once the server has accepted the mail. Raises MailError; if cancelled, the mail is in doubt."""

    def withdraw(self) -> None: ...


class MailSender(Protocol):
    async def offer(self, mail: Message) -> Offer:
        """Raises PermanentMailError and TransientMailError."""


class SmtpSender:
    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._idle: list[tuple[float, SMTP]] = []
        self._problem: str | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._close_idle()

    async def ping(self) -> None:
        """Raises Unavailable if the last mail failed for a reason that affects all mails. Sends nothing."""
        if self._problem is not None:
            raise Unavailable(self._problem)

    async def offer(self, mail: Message) -> Offer:
        try:
            async with asyncio.timeout(OFFER_TIMEOUT):
                return await self._offer(mail)
        except TimeoutError as error:
            self._problem = "the mail server took too long"
            raise TransientMailError(self._problem) from error

    async def _offer(self, mail: Message) -> Offer:
        try:
            connection = await self._connection()
        except (aiosmtplib.SMTPException, OSError) as error:
            self._problem = f"cannot log in to the mail server: {error}"
            raise TransientMailError(self._problem) from error
        try:
            content = await _start_mail(connection, mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            await _close(connection)
            reason = _explain(error)
            self._problem = reason if _affects_all_mails(error) else None
            if isinstance(error, aiosmtplib.SMTPResponseException) and is_permanent(error.code, error.message):
                raise PermanentMailError(reason) from error
            raise TransientMailError(reason) from error
        except BaseException:
            connection.close()
            raise
        self._problem = None
        return _Offer(connection, content, self._settings.smtp_reply_timeout, self._idle)

    async def _connection(self) -> SMTP:
        return await self._reusable() or await self._new()

    async def _reusable(self) -> SMTP | None:
        """The connection that was used last. If that one cannot be reused, closes all."""
        if not self._idle:
            return None
        since, connection = self._idle.pop()
        if time.monotonic() - since < MAX_IDLE and await _is_alive(connection):
            return connection
        self._idle.append((since, connection))
        await self._close_idle()
        return None

    async def _close_idle(self) -> None:
        """Keeps the list object: offers in progress return their connections to it."""
        idle = self._idle.copy()
        self._idle.clear()
        await _close(*(connection for _, connection in idle))

    async def _new(self) -> SMTP:
        settings = self._settings
        connection = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            local_hostname=settings.smtp_ehlo_name,
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
        if is_accepted(code):
            self._idle.append((time.monotonic(), self._connection))
            return
        await _close(self._connection)
        reply = f"after the mail, the mail server said {code} {text}"
        if not is_rejected(code):
            raise MailInDoubt(reply)
        raise PermanentMailError(reply) if is_permanent(code, text) else TransientMailError(reply)

    async def _send(self) -> tuple[int, str]:
        """Writes in one call: an error means that nothing was sent, success that everything may have been."""
        protocol = self._connection.protocol
        try:
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("Connection lost")
            protocol.write(self._content)
        except aiosmtplib.SMTPServerDisconnected as error:
            raise TransientMailError(str(error)) from error
        try:
            return await protocol.read_response(timeout=self._reply_timeout)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailInDoubt(f"after the mail, the mail server said nothing: {error}") from error


def _start_tls(settings: WorkerSettings) -> bool | None:
    """Whether to require STARTTLS; None means to use it if offered."""
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


async def _start_mail(connection: SMTP, mail: Message) -> bytes:
    """All steps before the content. Returns the content as it is sent, with the final dot."""
    eight_bit = connection.supports_extension("8bitmime")
    content = _dot_stuffed(flatten_message(mail, cte_type="8bit" if eight_bit else "7bit"))
    options = ["BODY=8BITMIME"] if eight_bit else []
    if connection.supports_extension("size"):
        options.append(f"SIZE={len(content)}")
    await connection.mail(parseaddr(str(mail["From"]))[1], options=options)
    await connection.rcpt(parseaddr(str(mail["To"]))[1])
    reply = await connection.execute_command(b"DATA")
    if reply.code != START_MAIL_INPUT:
        raise aiosmtplib.SMTPDataError(reply.code, reply.message)
    return content


def _dot_stuffed(content: bytes) -> bytes:
    """Doubles each dot that begins a line, and adds the final one (RFC 5321, section 4.5.2)."""
    lines = ((b"." if line.startswith(b".") else b"") + line for line in content.splitlines())
    return b"\r\n".join((*lines, b".", b""))


def _explain(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException) and type(error) in STEPS:
        return f"to {STEPS[type(error)]}, the mail server said {error.code} {error.message}"
    return str(error)


def _affects_all_mails(error: Exception) -> bool:
    """Whether any other mail would have failed as well."""
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return True
    return isinstance(error, aiosmtplib.SMTPSenderRefused) or is_server_fault(error.code, error.message)


async def _is_alive(connection: SMTP) -> bool:
    """Finds a connection that was lost silently; a mail would wait for ``smtp_timeout`` on it."""
    try:
        await connection.noop(timeout=PROBE_TIMEOUT)
    except (aiosmtplib.SMTPException, OSError):
        return False
    except BaseException:
        connection.close()
        raise
    return True


async def _close(*connections: SMTP) -> None:
    """Says goodbye where the connection still works."""
    try:
        await asyncio.gather(*(each.quit(timeout=1) for each in connections), return_exceptions=True)
    finally:
        for each in connections:
            each.close()
