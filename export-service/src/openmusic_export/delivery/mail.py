"""The mail that carries an export.

Built with ``email.mime``: :class:`email.message.EmailMessage` parses every header again, which took most of the
worker's time.
"""

import html
from datetime import UTC, datetime
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.header import Header
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, parseaddr

from openmusic_export.formats import Format
from openmusic_export.playlists import Playlist
from openmusic_export.settings import WorkerSettings

_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP  # readable in the source of the mail, unlike base64


def compose(
    job_id: str, playlist: Playlist, file_format: Format, target_email: str, settings: WorkerSettings
) -> Message:
    """A text part, an HTML part and the attachment. The Message-ID is derived from the job, to recognise repeats.

    ``target_email`` must contain no line break. A file above ``mail_attachment_limit`` is not attached.
    """
    content = file_format.content(playlist)
    fits = len(content) <= settings.mail_attachment_limit
    mail = MIMEMultipart("mixed")
    _address(mail, target_email, settings)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{job_id}@{parseaddr(settings.mail_from)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses out-of-office replies
    attached = f"The attached {file_format.extension.upper()} file holds all of it."
    mail.attach(_body(playlist, attached if fits else _too_large(playlist, len(content)), settings))
    if fits:
        file = MIMEBase(*file_format.media_type.split("/"))
        file.set_payload(content)
        encode_base64(file)
        file.add_header("Content-Disposition", "attachment", filename=file_format.file_name(playlist))
        mail.attach(file)
    return mail


def _address(mail: Message, target_email: str, settings: WorkerSettings) -> None:
    subject = settings.mail_subject
    mail["From"] = settings.mail_from
    mail["To"] = target_email
    mail["Subject"] = subject if subject.isascii() else Header(subject, "utf-8").encode()
    if settings.mail_reply_to:
        mail["Reply-To"] = settings.mail_reply_to


def _body(playlist: Playlist, about_the_file: str, settings: WorkerSettings) -> MIMEMultipart:
    """The same sentences as text and as a page."""
    count = f"{len(playlist.songs)} song{'' if len(playlist.songs) == 1 else 's'}"
    ending = ["OpenMusic"]
    if settings.mail_abuse_contact:
        ending.append(f"You did not ask for this mail? Please tell {settings.mail_abuse_contact}.")
    text = "\n\n".join([f"Here is your playlist “{playlist.name}” with {count}.", about_the_file, *ending])
    name = html.escape(playlist.name)
    page = "".join(f"<p>{html.escape(each, quote=False)}</p>" for each in (about_the_file, *ending))
    greeting = f"<p>Here is your playlist <strong>{name}</strong> with {count}.</p>"
    return MIMEMultipart(
        "alternative", None, [_text_part(f"{text}\n", "plain"), _text_part(f"{greeting}{page}\n", "html")]
    )


def _too_large(playlist: Playlist, size: int) -> str:
    return (
        f"Its file is too large for a mail ({size / 1e6:.1f} MB), so nothing is attached. Nothing is lost: read the "
        f"songs in pages at /playlists/{playlist.id}/songs?limit=100, or move some of them to a second playlist and "
        "export both."
    )


def _text_part(text: str, kind: str) -> MIMEText:
    return MIMEText(text, kind, _UTF8)  # type: ignore[arg-type]  # its types know names only
