"""The mail that carries an export."""

import html
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from openmusic_export.playlists import Playlist


def document(playlist: Playlist) -> bytes:
    """The attached JSON, in the shape that clients rely on."""
    songs = [{"id": song.id, "title": song.title, "performer": song.performer} for song in playlist.songs]
    content = {"playlist": {"id": playlist.id, "name": playlist.name, "songs": songs}}
    return json.dumps(content, ensure_ascii=False, indent=2).encode()


def compose(job_id: str, playlist: Playlist, target_email: str, sender: str, subject: str) -> EmailMessage:
    """A text part, an HTML part and the attachment. The Message-ID is the job's, so that repeats can be told."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = target_email
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{job_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office note should answer
    count = f"{len(playlist.songs)} song{'' if len(playlist.songs) == 1 else 's'}"
    mail.set_content(
        f"Here is your playlist “{playlist.name}” with {count}.\n\n"
        "The attached JSON file holds all of it.\n\nOpenMusic\n"
    )
    name = html.escape(playlist.name)
    mail.add_alternative(
        f"<p>Here is your playlist <strong>{name}</strong> with {count}.</p>"
        "<p>The attached JSON file holds all of it.</p><p>OpenMusic</p>",
        subtype="html",
    )
    mail.add_attachment(document(playlist), maintype="application", subtype="json", filename=f"{playlist.id}.json")
    return mail
