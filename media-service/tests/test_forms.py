"""Forms as writers of multipart make them, and as nobody should."""

import random
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart

import pytest

from openmusic_kit.errors import Invalid
from openmusic_media.covers.errors import CoverMissing, NotAForm, SeveralCovers
from openmusic_media.covers.forms import MAX_PARTS, extract_cover

IMAGE = b"\x89PNG\r\n\x1a\n\r\n--edge-- \r--edge\n\x00\xff\r\n\r\n--edg\r\n\r\n"
PLAIN = "multipart/form-data; boundary=edge"
DISPOSITION = b'Content-Disposition: form-data; name="cover"; filename="a.png"'


def form(
    *headers: bytes, before: bytes = b"", padding: bytes = b"", after: bytes = b"\r\n", edge: bytes = b"edge"
) -> bytes:
    head = b"\r\n".join(headers or [DISPOSITION])
    return (
        before
        + b"--"
        + edge
        + padding
        + b"\r\n"
        + head
        + b"\r\n\r\n"
        + IMAGE
        + b"\r\n--"
        + edge
        + b"--"
        + padding
        + after
    )


TITLE = b'--edge\r\nContent-Disposition: form-data; name="title"\r\n\r\nParachutes\r\n'
GOOD = {
    "plain": (PLAIN, form()),
    "a preamble": (PLAIN, form(before=b"This is a message in MIME format.\r\n--other\r\n")),
    "an empty line first": (PLAIN, form(before=b"\r\n")),
    "an epilogue": (PLAIN, form(after=b"\r\nThe end\r\n--edge\r\n\r\n")),
    "no line end at the end": (PLAIN, form(after=b"")),
    "space behind the boundaries": (PLAIN, form(padding=b" \t ")),
    "a quoted boundary": ('multipart/form-data; charset=utf-8; boundary="ed ge:=?(1)"', form(edge=b"ed ge:=?(1)")),
    "an escaped boundary": ('multipart/form-data; boundary="ed\\\\ge"', form(edge=b"ed\\ge")),
    "a boundary with signs of expressions": ("multipart/form-data; boundary=e.d+g*e", form(edge=b"e.d+g*e")),
    "capitals": ("Multipart/Form-Data; Boundary=edge", form(DISPOSITION.replace(b"Content-Disp", b"CONTENT-DISP"))),
    "a name without quotes": (PLAIN, form(b"Content-Disposition: form-data; name=cover; filename=a.png")),
    "a file name in two forms": (PLAIN, form(DISPOSITION + b"; filename*=utf-8''%e2%82%ac.png")),
    "a file name in the encoded form only": (
        PLAIN,
        form(b"Content-Disposition: form-data; name=cover; filename*=utf-8''a"),
    ),
    "a file name with everything": (
        PLAIN,
        form(b'Content-Disposition: form-data; name="cover"; filename="a;\\"=\xc3\xa9\xff.png"'),
    ),
    "an empty file name": (PLAIN, form(b'Content-Disposition: form-data; name="cover"; filename=""')),
    "a header on two lines": (PLAIN, form(b'Content-Disposition: form-data;\r\n name="cover";\r\n\tfilename="a.png"')),
    "more headers": (
        PLAIN,
        form(b"Content-Type: image/png", DISPOSITION, b"Content-Transfer-Encoding: binary", b"Content-Length: 3"),
    ),
    "another field before it": (PLAIN, TITLE + form()),
    "other fields": (PLAIN, TITLE * (MAX_PARTS - 1) + form()),
}


@pytest.mark.parametrize(("content_type", "body"), GOOD.values(), ids=GOOD.keys())
def test_the_cover_is_found_as_it_was_sent(content_type: str, body: bytes) -> None:
    assert extract_cover(content_type, body) == IMAGE


def test_a_mail_library_may_write_the_form() -> None:
    part = MIMEApplication(IMAGE, _encoder=lambda part: part.set_payload("image"))
    part.add_header("Content-Disposition", "form-data", name="cover", filename=("utf-8", "", "\u20ac.png"))
    whole = MIMEMultipart("form-data", boundary="edge", _subparts=[part])
    whole.preamble = "not for you"
    body = whole.as_bytes().partition(b"\n\n")[2].replace(b"\n", b"\r\n")

    assert extract_cover(PLAIN, body) == b"image"


def test_an_empty_file_is_a_file() -> None:
    assert extract_cover(PLAIN, form().replace(IMAGE, b"")) == b""


BAD = {
    "no type": (NotAForm, "", form()),
    "another type": (NotAForm, "multipart/mixed; boundary=edge", form()),
    "no boundary": (NotAForm, "multipart/form-data", form()),
    "an empty boundary": (NotAForm, 'multipart/form-data; boundary=""', form()),
    "another boundary": (NotAForm, "multipart/form-data; boundary=edgy", form()),
    "a boundary of no charset": (NotAForm, "multipart/form-data; boundary*=undefined''edge", form()),
    "a boundary beyond bytes": (NotAForm, "multipart/form-data; boundary*=utf-8''%e2%82%ac", form()),
    "nothing": (NotAForm, PLAIN, b""),
    "it breaks off": (NotAForm, PLAIN, form()[:-6]),
    "a boundary in the middle of a line": (CoverMissing, PLAIN, form(before=b"x")),
    "no end of the headers": (NotAForm, PLAIN, b"--edge\r\n" + DISPOSITION + b"\r\n--edge--"),
    "no headers": (NotAForm, PLAIN, form(b"")),
    "no name": (NotAForm, PLAIN, form(b"Content-Disposition: form-data; filename=cover")),
    "a name of no charset": (
        NotAForm,
        PLAIN,
        form(b"Content-Disposition: form-data; name*=undefined''cover; filename=a"),
    ),
    "too many fields": (NotAForm, PLAIN, TITLE * MAX_PARTS + form()),
    "no field": (CoverMissing, PLAIN, b"--edge--\r\n"),
    "text": (CoverMissing, PLAIN, form(b"Content-Disposition: form-data; name=cover")),
    "another name": (CoverMissing, PLAIN, form(DISPOSITION.replace(b"cover", b"Cover"))),
    "only in the epilogue": (CoverMissing, PLAIN, b"--edge--\r\n" + form()),
    "two": (SeveralCovers, PLAIN, form()[:-10] + form()),
}


@pytest.mark.parametrize(("error", "content_type", "body"), BAD.values(), ids=BAD.keys())
def test_what_is_no_form_with_one_cover_is_refused(error: type[Invalid], content_type: str, body: bytes) -> None:
    with pytest.raises(error):
        extract_cover(content_type, body)


def test_a_form_that_was_changed_at_random_is_found_or_refused() -> None:
    dice = random.Random(0)  # noqa: S311 - not for secrets
    words = [
        b"\r\n",
        b"--edge",
        b"--",
        b"; ",
        b'"',
        b"*=",
        b"utf-8''",
        b"undefined''",
        b"%00",
        b"=?utf-8?q?=",
        b"\xff",
        b"*0*=",
        b":",
    ]
    outcomes = set()
    for _ in range(3000):
        content_type, body = dice.choice(list(GOOD.values()))
        text = content_type.encode()
        for _ in range(dice.randrange(1, 4)):
            place = dice.randrange(len(body))
            body = body[:place] + dice.choice(words) + body[place + dice.randrange(3) :]
            if dice.random() < 0.3:
                place = dice.randrange(len(text))
                text = text[:place] + dice.choice(words[3:]) + text[place:]
        try:
            extract_cover(text.decode("latin-1"), body)
            outcomes.add("found")
        except Invalid as error:
            outcomes.add(type(error).__name__)

    assert {"found", "NotAForm", "CoverMissing"} <= outcomes
