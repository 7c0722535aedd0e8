"""What the mail says, byte for byte where clients rely on it."""

import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtplib.email import flatten_message
from pydantic import ValidationError

from openmusic_export.app import create_worker
from openmusic_export.delivery.mail import compose
from openmusic_export.formats import FORMATS
from openmusic_export.playlists import Playlist, PlaylistSong
from openmusic_export.settings import WorkerSettings
from openmusic_kit.ids import new_id
from openmusic_testkit import plain_http
from openmusic_testkit.waiting import eventually

SENDER = "OpenMusic <no-reply@openmusic.example>"
JOB = "export-01932f3a7c5e7d4a8b1c2d3e4f506174"


def arrived(playlist: Playlist, sender: str = SENDER, cte_type: str = "8bit", **settings: Any) -> EmailMessage:
    """The mail as it is read at the other end."""
    mail = compose(JOB, playlist, FORMATS["json"], "listener@mail.test", WorkerSettings(mail_from=sender, **settings))
    read = message_from_bytes(flatten_message(mail, cte_type=cte_type), policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def playlist_named(name: str, *songs: PlaylistSong) -> Playlist:
    return Playlist(id=new_id("playlist"), name=name, songs=list(songs))


@pytest.mark.parametrize("cte_type", ["8bit", "7bit"])
def test_a_mail_has_a_text_an_html_part_and_the_playlist_as_json(cte_type: str) -> None:
    song = PlaylistSong(id=new_id("song"), title="Sæglópur “live”", performer="Sigur Rós")
    playlist = playlist_named("Söngs 🎵", song)

    mail = arrived(playlist, cte_type=cte_type)

    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "listener@mail.test", "Your playlist export")
    assert mail["Message-ID"] == f"<{JOB}@openmusic.example>"
    assert abs(mail["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)
    assert mail["Auto-Submitted"] == "auto-generated", "an out-of-office note would answer (RFC 3834)"
    assert mail["MIME-Version"] == "1.0"
    assert [part.get_content_type() for part in mail.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/json")
    ]
    assert "“Söngs 🎵” with 1 song." in text_of(mail, "plain")
    assert "<strong>Söngs 🎵</strong>" in text_of(mail, "html")
    (attachment,) = mail.iter_attachments()
    assert attachment.get_content_type() == "application/json"
    assert attachment.get_filename() == f"{playlist.id}.json"
    assert attachment.get_content_disposition() == "attachment"
    assert json.loads(attachment.get_content()) == {
        "playlist": {
            "id": playlist.id,
            "name": "Söngs 🎵",
            "songs": [{"id": song.id, "title": "Sæglópur “live”", "performer": "Sigur Rós"}],
        }
    }


def test_subject_and_sender_may_hold_any_letter() -> None:
    settings = WorkerSettings(mail_from="Müsik <no-reply@openmusic.example>", mail_subject="Dein Püree 🎵")
    mail = compose(JOB, playlist_named("x"), FORMATS["json"], "listener@mail.test", settings)
    sent = flatten_message(mail)
    read = message_from_bytes(sent, policy=policy.default)
    assert sent.partition(b"\n\n")[0].isascii()
    assert (read["Subject"], read["From"]) == ("Dein Püree 🎵", "Müsik <no-reply@openmusic.example>")
    assert read["From"].addresses[0].addr_spec == "no-reply@openmusic.example"


def test_an_empty_playlist_has_no_songs_in_its_file() -> None:
    playlist = playlist_named("Nothing yet")
    (attachment,) = arrived(playlist).iter_attachments()
    expected = {"playlist": {"id": playlist.id, "name": "Nothing yet", "songs": []}}
    assert json.loads(attachment.get_content()) == expected


def test_the_same_job_has_the_same_message_id_and_another_sender_its_own_domain() -> None:
    first, second = arrived(playlist_named("a")), arrived(playlist_named("b"))
    assert first["Message-ID"] == second["Message-ID"]
    assert arrived(playlist_named("c"), "me@sender.test")["Message-ID"] == f"<{JOB}@sender.test>"


@pytest.mark.parametrize(
    "name", ["x\r\nBcc: b@mail.test", "x\n\n<script>", "\r\n.\r\nRCPT TO:<b@mail.test>", "x\x0b\x85"]
)
def test_a_name_with_line_breaks_adds_no_header_and_no_part(name: str) -> None:
    plain, odd = arrived(playlist_named("x")), arrived(playlist_named(name))
    assert odd.keys() == plain.keys()
    assert [part.get_content_type() for part in odd.walk()] == [part.get_content_type() for part in plain.walk()]
    (attachment,) = odd.iter_attachments()
    assert json.loads(attachment.get_content())["playlist"]["name"] == name


@pytest.mark.parametrize(("songs", "count"), [(0, "0 songs"), (1, "1 song"), (2, "2 songs")])
def test_a_mail_says_how_many_songs_it_holds(songs: int, count: str) -> None:
    song = PlaylistSong(id=new_id("song"), title="t", performer="p")
    mail = arrived(playlist_named("x", *[song] * songs))
    assert f"with {count}.\n" in text_of(mail, "plain")
    assert f"with {count}.<" in text_of(mail, "html")


def test_the_attached_file_can_be_read_by_people() -> None:
    song = PlaylistSong(id=new_id("song"), title="Sæglópur", performer="Sigur Rós")
    assert '\n      {\n        "id"' in FORMATS["json"].render(playlist_named("x", song))
    assert "Sæglópur" in FORMATS["json"].render(playlist_named("x", song))


def test_a_name_is_no_markup() -> None:
    html = text_of(arrived(playlist_named('<img src="x" onerror=alert(1)> & "co"')), "html")
    assert "<img" not in html
    assert "&lt;img src=&quot;x&quot; onerror=alert(1)&gt; &amp; &quot;co&quot;" in html


def test_a_very_long_name_stays_within_the_lines_of_a_mail() -> None:
    mail = compose(JOB, playlist_named("n" * 5000), FORMATS["json"], "listener@mail.test", WorkerSettings())
    assert max(len(line) for line in flatten_message(mail).splitlines()) <= 998  # RFC 5322


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_from": "nobody"},
        {"mail_from": "A <a@sender.test>\r\nBcc: b@mail.test"},
        {"mail_subject": "Hello\r\nBcc: b@mail.test"},
        {"smtp_user": "me"},
        {"smtp_user": "me", "smtp_password": "p", "smtp_security": "none", "smtp_host": "mail.sender.test"},
        {"smtp_reply_timeout": 901},
        {"smtp_reply_timeout": 600, "export_repeat_after": 600},
        {"export_copies": 0},
    ],
)
def test_settings_that_would_break_mails_or_show_the_password_are_refused_at_the_start(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        WorkerSettings(**wrong)


OWN = {"service_credential": "of-its-own", "pgpassword": "of-its-own", "rabbitmq_server": "amqp://a:b@rabbitmq/"}


@pytest.mark.parametrize("host", ["mail.sender.test", "10.0.0.1", "mail"])
@pytest.mark.parametrize("mail_from", [SENDER, "Müsik <me@OpenMusic.Example>"])
async def test_the_example_does_not_send_through_a_real_mail_server(
    host: str, mail_from: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValidationError, match="MAIL_FROM must be set"):
        WorkerSettings(**OWN, environment="production", smtp_host=host, mail_from=mail_from)
    create_worker(WorkerSettings(smtp_host=host, mail_from=mail_from))
    assert "MAIL_FROM is an example" in caplog.text


@pytest.mark.parametrize(
    "settings", [{"smtp_host": "maildev"}, {}, {"smtp_host": "mail.sender.test", "mail_from": "me@sender.test"}]
)
async def test_the_example_is_good_for_the_mail_page_and_an_address_of_ones_own_for_all(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    create_worker(WorkerSettings(**OWN, environment="production", **settings))
    assert caplog.text == ""


def test_the_pool_has_a_connection_for_every_mail_in_hand() -> None:
    settings = WorkerSettings(export_concurrency=30)
    assert settings.pg_pool_max > 30


async def test_a_mail_server_with_a_web_page_shows_it_as_it_was_meant(
    run_worker: Any, export: Any, neighbours: Any, mail_sink: Any
) -> None:
    playlist_id = neighbours.add_playlist("user-a", "Söngs <b>&</b>", songs=3)
    address = f"{playlist_id[-12:]}@listener.test"
    async with run_worker(smtp_host=mail_sink.smtp_host, smtp_port=mail_sink.smtp_port):
        await export(playlist_id, address)
        async with plain_http.AsyncClient(base_url=mail_sink.web_url) as page:

            async def received() -> list[Any]:
                mails = (await page.get("/api/email")).json()
                return [mail for mail in mails if mail["to"][0]["address"] == address]

            (mail,) = await eventually(received)
            (attachment,) = mail["attachments"]
            file = await page.get(f"/api/email/{mail['id']}/attachment/{attachment['generatedFileName']}")

    assert mail["subject"] == "Your playlist export"
    assert mail["from"][0]["address"] == "no-reply@openmusic.example"
    assert "Söngs <b>&</b>" in mail["text"]
    assert "Söngs &lt;b&gt;&amp;&lt;/b&gt;" in mail["html"]
    assert (attachment["filename"], attachment["contentType"]) == (f"{playlist_id}.json", "application/json")
    assert file.json() == {"playlist": neighbours.playlists[playlist_id]}


def test_replies_and_complaints_go_where_the_settings_say() -> None:
    plain = arrived(playlist_named("x"))
    assert plain["Reply-To"] is None
    assert "did not ask" not in text_of(plain, "plain")

    mail = arrived(playlist_named("x"), mail_reply_to="Help <help@music.test>", mail_abuse_contact="<abuse@music.test>")
    assert mail["Reply-To"] == "Help <help@music.test>"
    assert "Please tell <abuse@music.test>." in text_of(mail, "plain")
    assert "Please tell &lt;abuse@music.test&gt;." in text_of(mail, "html")


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_reply_to": "help"},
        {"mail_reply_to": "help@music.test\nBcc: all@music.test"},
        {"mail_abuse_contact": "abuse@music.test\n"},
        {"mail_attachment_limit": 0},
        {"smtp_ehlo_name": "two names"},
        {"smtp_ehlo_name": "worker\r\nMAIL"},
    ],
)
def test_what_would_break_a_mail_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WorkerSettings(**wrong)


def test_a_file_above_the_limit_is_not_attached_and_the_mail_says_what_to_do() -> None:
    songs = [PlaylistSong(id=new_id("song"), title="Yellow", performer="Coldplay") for _ in range(20)]
    playlist = playlist_named("For the road", *songs)
    size = len(FORMATS["json"].content(playlist))

    fits = arrived(playlist, mail_attachment_limit=size)
    assert len(list(fits.iter_attachments())) == 1

    mail = arrived(playlist, mail_attachment_limit=size - 1)
    assert list(mail.iter_attachments()) == []
    for kind in ("plain", "html"):
        text = " ".join(text_of(mail, kind).split())
        assert "with 20 songs" in text
        assert "nothing is attached" in text
        assert f"/playlists/{playlist.id}/songs?limit=100" in text
        assert "The attached JSON file" not in text
