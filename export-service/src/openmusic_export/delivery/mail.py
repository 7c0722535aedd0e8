"""The mail that carries an export.

Built with ``email.mime``: :class:`email.message.EmailMessage` parses every header again, which took most of the
worker's time.
"""

import html
import json
from datetime import UTC, datetime
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, parseaddr

from openmusic_export.playlists import Playlist

_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP  # readable in the source of the mail, unlike base64


def document(playlist: Playlist) -> bytes:
    """The attached JSON, in the shape that clients rely on."""
    songs = [{"id": song.id, "title": song.title, "performer": song.performer} for song in playlist.songs]
    content = {"playlist": {"id": playlist.id, "name": playlist.name, "songs": songs}}
    return json.dumps(content, ensure_ascii=False, indent=2).encode()


def compose(job_id: str, playlist: Playlist, target_email: str, sender: str, subject: str) -> Message:
    """A text part, an HTML part and the attachment. The Message-ID is derived from the job, to recognise repeats.

    ``target_email``, ``sender`` and ``subject`` must contain no line break.
    """
    count = f"{len(playlist.songs)} song{'' if len(playlist.songs) == 1 else 's'}"
    text = (
        f"Here is your playlist “{playlist.name}” with {count}.\n\n"
        "The attached JSON file holds all of it.\n\nOpenMusic\n"
    )
    name = html.escape(playlist.name)
    page = (
        f"<p>Here is your playlist <strong>{name}</strong> with {count}.</p>"
        "<p>The attached JSON file holds all of it.</p><p>OpenMusic</p>\n"
    )
    file = MIMEApplication(document(playlist), "json")
    file.add_header("Content-Disposition", "attachment", filename=f"{playlist.id}.json")
    mail = MIMEMultipart("mixed")
    mail["From"] = sender
    mail["To"] = target_email
    mail["Subject"] = subject if subject.isascii() else Header(subject, "utf-8").encode()
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{job_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses out-of-office replies
    mail.attach(MIMEMultipart("alternative", None, [_text_part(text, "plain"), _text_part(page, "html")]))
    mail.attach(file)
    return mail


def _text_part(text: str, kind: str) -> MIMEText:
    return MIMEText(text, kind, _UTF8)  # type: ignore[arg-type]  # its types know names only
