"""The sender against mail servers that are secured, set up wrongly or slow."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from openmusic_export.delivery import smtp
from openmusic_export.delivery.consumer import PREFETCH_FACTOR
from openmusic_export.delivery.errors import MailInDoubt, PermanentMailError, TransientMailError
from openmusic_export.delivery.service import RECORD_TIMEOUT
from openmusic_export.delivery.smtp import SmtpSender
from openmusic_export.settings import WorkerSettings
from openmusic_kit.database.connections import IDLE_IN_TRANSACTION_TIMEOUT
from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import TIMEOUT
from openmusic_testkit.certificates import write_self_signed
from openmusic_testkit.vanishing import VanishingProxy

LOGIN = {"smtp_user": "export", "smtp_password": "right"}


@pytest.fixture
def mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "a@sender.test", "b@mail.test", "<1@sender.test>"
    mail.set_content("Hello")
    return mail


class Sender(SmtpSender):
    async def send(self, mail: EmailMessage) -> None:
        await (await self.offer(mail)).complete()


@asynccontextmanager
async def sender(port: int, **settings: Any) -> AsyncIterator[Sender]:
    sender = Sender(WorkerSettings(smtp_port=port, **settings))
    async with sender.running():
        yield sender


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_self_signed(tmp_path_factory.mktemp("certificate") / "server.pem")


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


class Keeper:
    """Knows who may log in, and what passwords it was shown."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.seen.append(data.password)
        return AuthResult(success=data.password == b"right", handled=False)


@pytest.mark.usefixtures("trusted")
async def test_a_login_goes_over_starttls(mail_server: Any, mail: EmailMessage, tls: ssl.SSLContext) -> None:
    keeper = Keeper()
    demands = {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": keeper}
    async with mail_server.listening(**demands), sender(mail_server.port, **LOGIN) as connected:
        await connected.send(mail)
        await connected.send(mail)
    assert mail_server.secured == [True, True]
    assert keeper.seen == [b"right"], "the second mail goes over the same connection"


@pytest.mark.usefixtures("trusted")
async def test_a_wrong_password_can_be_mended(mail_server: Any, mail: EmailMessage, tls: ssl.SSLContext) -> None:
    keeper = Keeper()
    demands = {"tls_context": tls, "auth_required": True, "authenticator": keeper}
    wrong = {"smtp_user": "export", "smtp_password": "wrong"}
    async with mail_server.listening(**demands), sender(mail_server.port, **wrong) as connected:
        with pytest.raises(TransientMailError, match="cannot log in"):
            await connected.send(mail)
    assert keeper.seen[0] == b"wrong"
    assert mail_server.mails == []


@pytest.mark.parametrize("security", ["starttls", "auto"])
async def test_a_password_is_not_shown_to_a_stranger_with_a_certificate_of_his_own(
    mail_server: Any, mail: EmailMessage, tls: ssl.SSLContext, security: str
) -> None:
    keeper = Keeper()
    demands = {"tls_context": tls, "authenticator": keeper, "auth_require_tls": False}
    async with (
        mail_server.listening(**demands),
        sender(mail_server.port, smtp_security=security, **LOGIN) as connected,
    ):
        with pytest.raises(TransientMailError, match="certificate"):
            await connected.send(mail)
    assert keeper.seen == []


async def test_a_password_is_not_sent_readable_when_a_server_stops_offering_starttls(
    mail_server: Any, mail: EmailMessage
) -> None:
    keeper = Keeper()
    async with (
        mail_server.listening(authenticator=keeper, auth_require_tls=False),
        sender(mail_server.port, smtp_security="starttls", **LOGIN) as connected,
    ):
        with pytest.raises(TransientMailError):
            await connected.send(mail)
    assert keeper.seen == []


async def test_elsewhere_a_login_demands_starttls_by_itself() -> None:
    here, there = (WorkerSettings(smtp_host=host, **LOGIN) for host in ("127.0.0.1", "mail.sender.test"))
    assert smtp._start_tls(here) is None
    assert smtp._start_tls(there) is True
    assert smtp._start_tls(WorkerSettings(smtp_host="mail.sender.test")) is False


async def test_a_login_on_this_machine_needs_no_starttls(mail_server: Any, mail: EmailMessage) -> None:
    keeper = Keeper()
    async with (
        mail_server.listening(authenticator=keeper, auth_require_tls=False),
        sender(mail_server.port, **LOGIN) as connected,
    ):
        await connected.send(mail)
    assert (keeper.seen, mail_server.secured) == ([b"right"], [False])


@pytest.mark.usefixtures("trusted")
async def test_a_server_that_speaks_tls_from_the_start(
    mail_server: Any, mail: EmailMessage, tls: ssl.SSLContext
) -> None:
    async with mail_server.listening(ssl=tls), sender(mail_server.port, smtp_security="tls") as connected:
        await connected.send(mail)
    assert mail_server.ids() == ["<1@sender.test>"]


@pytest.mark.parametrize(
    "greeting", [b"554 not today\r\n", b"421 too busy\r\n", b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_a_server_that_does_not_let_us_in_can_be_mended(mail: EmailMessage, greeting: bytes) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server, sender(server.sockets[0].getsockname()[1]) as connected:
        with pytest.raises(TransientMailError):
            await connected.send(mail)


async def test_a_mail_that_a_server_says_nothing_of_is_in_doubt(mail_server: Any, mail: EmailMessage) -> None:
    mail_server.delay = 30
    async with sender(mail_server.port, smtp_reply_timeout=0.2) as connected:
        with pytest.raises(MailInDoubt, match="said nothing"):
            await connected.send(mail)
        mail_server.delay = 0
        await connected.send(mail)
    assert len(mail_server.mails) == 1


async def test_a_server_has_longer_for_the_mail_than_for_the_steps_before(mail_server: Any, mail: EmailMessage) -> None:
    mail_server.delay = 0.4
    async with sender(mail_server.port, smtp_timeout=0.2) as connected:
        await connected.send(mail)
    assert len(mail_server.mails) == 1


async def test_all_steps_before_the_content_end_before_the_lock_of_the_job_does(
    mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "OFFER_TIMEOUT", 0.2)
    async with scripted(RCPT=None) as port, sender(port) as connected:
        with pytest.raises(TransientMailError, match="too long"):
            await connected.offer(mail)
        with pytest.raises(Unavailable, match="too long"):
            await connected.ping()


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({"DATA": "451 4.3.0 later"}, TransientMailError),
        ({"DATA": "554 5.5.1 no valid recipients"}, PermanentMailError),
        ({"DATA": "250 what?"}, TransientMailError),
        ({"DATA": ""}, TransientMailError),
        ({".": ""}, MailInDoubt),
        ({".": "354 go on"}, MailInDoubt),
        ({".": "HTTP/1.1 400 Bad Request"}, MailInDoubt),
        ({".": "999 ?"}, MailInDoubt),
        ({".": "421 4.3.2 closing"}, TransientMailError),
        ({".": "554 5.7.1 spam"}, PermanentMailError),
        ({".": "554 5.3.2 closed"}, TransientMailError),
        ({"EHLO": "502 what?"}, None),
        ({".": "251 forwarded"}, None),
    ],
)
async def test_a_mail_is_in_doubt_from_its_last_dot_until_a_reply_that_can_be_understood(
    mail: EmailMessage, replies: dict[str, str], expected: type[Exception] | None
) -> None:
    async with scripted(**replies) as port, sender(port) as connected:
        if expected is None:
            await connected.send(mail)
        else:
            with pytest.raises(expected):
                await connected.send(mail)


@asynccontextmanager
async def scripted(**replies: str | None) -> AsyncIterator[int]:
    """The port of a server that answers by the first word; nothing hangs up, None says nothing."""
    usual = {"EHLO": "250 mail.test", "HELO": "250 mail.test", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go",
             ".": "250 ok", "QUIT": "221 bye"}  # fmt: skip

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while line := (await reader.readline()).decode():
            reply = {**usual, **replies}.get(line.split()[0].upper() if line.split() else "")
            if reply == "":
                break
            if reply is not None:
                writer.write(f"{reply}\r\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_mail_that_was_withdrawn_is_not_sent(mail_server: Any, mail: EmailMessage) -> None:
    async with sender(mail_server.port) as connected:
        (await connected.offer(mail)).withdraw()
        await connected.send(mail)
    assert len(mail_server.mails) == 1


async def test_a_connection_that_closed_before_the_content_sent_nothing(mail_server: Any, mail: EmailMessage) -> None:
    async with sender(mail_server.port) as connected:
        offer = await connected.offer(mail)
        offer._connection.transport.abort()  # type: ignore[attr-defined]  # of our own class
        await asyncio.sleep(0)
        with pytest.raises(TransientMailError):
            await offer.complete()
    assert mail_server.mails == []


async def test_dots_at_the_beginning_of_lines_arrive_as_they_were(mail_server: Any, mail: EmailMessage) -> None:
    text = ".\n..\n.x\nx.\n\n.\n"
    mail.set_content(text, cte="7bit")
    async with sender(mail_server.port) as connected:
        await connected.send(mail)
    assert mail_server.mails[0].get_content().splitlines() == text.splitlines()


async def test_what_keeps_all_mails_from_being_sent_is_known_until_one_passes(
    mail_server: Any, mail: EmailMessage
) -> None:
    async with sender(mail_server.port) as connected:
        for step, reply, known in (
            ("RCPT", "550 5.1.1 nobody", False),
            ("MAIL", "550 5.1.8 nobody knows this domain", True),
            ("RCPT", "550 5.1.1 nobody", False),
            ("RCPT", "550 5.7.8 log in", True),
        ):
            mail_server.replies = {step: reply}
            with pytest.raises((PermanentMailError, TransientMailError)):
                await connected.send(mail)
            if known:
                with pytest.raises(Unavailable, match=reply[4:]):
                    await connected.ping()
            else:
                await connected.ping()
        mail_server.replies = {}
        await connected.send(mail)
        await connected.ping()


async def test_a_connection_that_the_server_closed_is_made_again(mail_server: Any, mail: EmailMessage) -> None:
    port = mail_server.port
    async with sender(port) as connected:
        await connected.send(mail)
        (_, idle), *_ = connected._idle
        idle.close()
        await connected.send(mail)
    assert len(mail_server.mails) == 2
    assert mail_server.connections == 2


async def test_a_connection_that_vanished_costs_the_next_mail_little_time(mail_server: Any, mail: EmailMessage) -> None:
    async with VanishingProxy(mail_server.port).running() as proxy, sender(proxy.port, smtp_timeout=30) as connected:
        await asyncio.gather(*(connected.send(mail) for _ in range(10)))
        proxy.vanish()
        async with asyncio.timeout(10):
            await connected.send(mail)
    assert len(mail_server.mails) == 11


@pytest.mark.parametrize(
    ("step", "reply", "expected"),
    [
        *[
            (step, reply, PermanentMailError)
            for step in ("RCPT", "DATA")
            for reply in ("500 no", "550 no", "554 no", "599 no")
        ],
        *[
            (step, reply, TransientMailError)
            for step in ("RCPT", "DATA")
            for reply in ("421 later", "450 later", "499 later")
        ],
        *[("RCPT", f"{code} log in", TransientMailError) for code in (530, 534, 535, 538)],
        *[("DATA", f"{code} log in", TransientMailError) for code in (530, 534, 535, 538)],
        *[("RCPT", f"{code} no", PermanentMailError) for code in (531, 533, 536, 537, 539)],
        *[(step, "550 5.7.1 no", PermanentMailError) for step in ("MAIL", "RCPT", "DATA")],
        *[
            ("RCPT", f"{code} {enhanced} no", TransientMailError)
            for code in (450, 550)
            for enhanced in ("4.7.1", "5.7.8", "5.7.9", "5.7.11", "5.7.14", "5.3.2", "5.3.5")
        ],
        *[
            ("RCPT", f"550 {enhanced} no", PermanentMailError)
            for enhanced in ("5.1.1", "5.2.2", "5.7.80", "5.7.0", "4.x", "4.7.")
        ],
        ("RCPT", "450 5.1.1 no", TransientMailError),
        ("MAIL", "550 unknown sender", PermanentMailError),
        ("MAIL", "451 unknown sender", TransientMailError),
    ],
)
async def test_only_what_concerns_this_recipient_or_this_content_is_refused_for_good(
    mail_server: Any, mail: EmailMessage, step: str, reply: str, expected: type[Exception]
) -> None:
    mail_server.replies[step] = reply
    async with sender(mail_server.port) as connected:
        with pytest.raises(expected, match=reply[4:]):
            await connected.send(mail)
        mail_server.replies.clear()
        await connected.send(mail)
    assert mail_server.ids() == ["<1@sender.test>"]
    assert mail_server.connections == 2, "a connection on which something went wrong is not used again"


def test_the_time_for_an_offer_leaves_some_of_the_time_of_the_lock_to_the_playlist_service() -> None:
    assert smtp.OFFER_TIMEOUT == 45
    assert IDLE_IN_TRANSACTION_TIMEOUT - smtp.OFFER_TIMEOUT >= 2 * TIMEOUT + 10


def test_rabbitmq_waits_longer_than_the_slowest_mail_takes() -> None:
    settings = WorkerSettings(smtp_reply_timeout=900)
    turn = IDLE_IN_TRANSACTION_TIMEOUT + settings.smtp_timeout
    assert PREFETCH_FACTOR * turn + settings.smtp_reply_timeout + RECORD_TIMEOUT < 1800, "RabbitMQ's consumer_timeout"


async def test_the_worker_introduces_itself_by_the_name_that_is_set(mail: EmailMessage, mail_server: Any) -> None:
    async with mail_server.listening() as server, sender(server.port, smtp_ehlo_name="mail.openmusic.test") as ours:
        await ours.send(mail)
    assert server.introduced == ["mail.openmusic.test"]
