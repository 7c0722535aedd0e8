import re
from email.utils import formataddr, parseaddr
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, SecretStr, model_validator

from openmusic_kit.messaging.topology import DEAD_LETTER_LIFE
from openmusic_kit.settings import BrokerSettings, DatabaseSettings, IdentitySettings, ServiceSettings

MAIL_PAGE = "maildev"  # the host that shows mails and delivers none, in compose.yaml and deploy/kubernetes
EXAMPLE_DOMAIN = "openmusic.example"


def _one_line(text: str) -> str:
    """For a header of a mail, where a line break would begin another header."""
    if not text.isprintable():
        raise ValueError("must be a single line of printable characters")
    return text


def _sender(text: str) -> str:
    name, address = parseaddr(_one_line(text))
    try:
        validate_email(address, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError("must be an address, or a name with an address in angle brackets") from error
    return formataddr((name, address))


def _address(text: str) -> str:
    """Empty, or what ``_sender`` takes."""
    return _sender(text) if text else text


def _host_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}|\[[A-Za-z0-9.:]+\]", text):
        raise ValueError("must be a host name, or an address in square brackets")
    return text


class ExportDatabaseSettings(DatabaseSettings):
    pguser: str = "openmusic_export"
    pgdatabase: str = "openmusic_export"
    playlist_url: str = "http://127.0.0.1:5103"


class Settings(ExportDatabaseSettings, BrokerSettings, IdentitySettings, ServiceSettings):
    """The settings of the API."""

    port: int = 5105


class WorkerSettings(ExportDatabaseSettings, BrokerSettings, ServiceSettings):
    """The settings of the worker. Its port serves health checks only."""

    port: int = 5106
    export_concurrency: int = Field(10, ge=1)
    """Mails that one worker sends at once. Each holds a database connection until its content is sent."""
    export_retry_for: float = 259_200
    """Seconds from the first failure of an export until it is dead-lettered."""
    export_copies: int = Field(3, ge=1)
    """Maximum mails of one export, when the mail server never confirms one."""
    export_repeat_after: float = 3600
    """Seconds between two such mails; longer than ``smtp_reply_timeout``."""
    mail_from: Annotated[str, AfterValidator(_sender)] = f"OpenMusic <no-reply@{EXAMPLE_DOMAIN}>"
    mail_subject: Annotated[str, AfterValidator(_one_line)] = "Your playlist export"
    mail_reply_to: Annotated[str, AfterValidator(_address)] = ""
    """Where replies to the mails go; empty means to ``mail_from``."""
    mail_abuse_contact: Annotated[str, AfterValidator(_one_line)] = ""
    """An address or a page for recipients who never asked for a mail; each mail names it."""
    mail_attachment_limit: int = Field(10_000_000, ge=1)
    """Bytes of the attached file, which is a third larger on its way. Above it, the mail says how to get the songs
    without a file: many mail servers refuse more than 20 MB."""
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: Literal["auto", "none", "starttls", "tls"] = "auto"
    """``auto`` means ``none`` without a login, else ``starttls``; on a loopback address only if offered."""
    smtp_ehlo_name: Annotated[str, AfterValidator(_host_name)] | None = None
    """How the worker introduces itself to the mail server; by default, the full name of its machine."""
    smtp_timeout: float = 15.0
    """Seconds for each step of the mail server."""
    smtp_reply_timeout: float = Field(600, le=900)
    """Seconds for the reply to a complete mail (RFC 5321, section 4.5.3.2.6). RabbitMQ redelivers a message that is not
    acknowledged within half an hour."""

    @property
    def keep_jobs_for(self) -> float:
        """Seconds that a settled job is kept: as long as its message may be redelivered or replayed."""
        return self.export_retry_for + DEAD_LETTER_LIFE

    @property
    def smtp_is_local(self) -> bool:
        try:
            return ip_address(self.smtp_host).is_loopback
        except ValueError:
            return self.smtp_host == "localhost"

    @property
    def uses_example_sender(self) -> bool:
        """Whether mails go to a real server from the default sender, which real servers reject."""
        is_example = parseaddr(self.mail_from)[1].lower().endswith(f"@{EXAMPLE_DOMAIN}")
        return is_example and not self.smtp_is_local and self.smtp_host != MAIL_PAGE

    @model_validator(mode="after")
    def _refuse_the_example_in_production(self) -> Self:
        if self.environment == "production" and self.uses_example_sender:
            raise ValueError("MAIL_FROM must be set when ENVIRONMENT=production and SMTP_HOST is a real mail server")
        return self

    @model_validator(mode="after")
    def _wait_for_a_reply_before_a_repeat(self) -> Self:
        if self.export_repeat_after <= self.smtp_reply_timeout:
            raise ValueError("EXPORT_REPEAT_AFTER must be longer than SMTP_REPLY_TIMEOUT")
        return self

    @model_validator(mode="after")
    def _leave_room_in_the_pool(self) -> Self:
        self.pg_pool_max = max(self.pg_pool_max, self.export_concurrency + 2)
        return self

    @model_validator(mode="after")
    def _never_show_the_password(self) -> Self:
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("SMTP_USER and SMTP_PASSWORD go together")
        if self.smtp_user is not None and self.smtp_security == "none" and not self.smtp_is_local:
            raise ValueError("SMTP_SECURITY=none would send SMTP_PASSWORD readable to another machine")
        return self
