"""What a line of the log holds, and what is masked in it."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from openmusic_kit.logs import configure_logging

ADDRESSES = ("alice@example.com", "josé.d'Arc+x@mail.example", "o/b=r_i.e-n@localhost", "ALICE@EXAMPLE.COM")


@pytest.fixture
def logged() -> Iterator[Callable[[], dict[str, object]]]:
    """The newest line."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging("catalog")
    output = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(output)

    def newest() -> dict[str, object]:
        line: dict[str, object] = json.loads(output.getvalue().splitlines()[-1])
        return line

    yield newest
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_keeps_its_domain_only_wherever_it_stands(
    logged: Callable[[], dict[str, object]], address: str
) -> None:
    reply = f"to RCPT, the mail server said 550 <{address}>: unknown\n{address}"
    try:
        raise ValueError(reply)
    except ValueError as error:
        extra = {"reason": reply, "more": {"list": [reply], "set": {reply}, "error": error}}
        logging.getLogger("mail").exception("refused %s", reply, extra=extra)
    line = logged()
    local, _, domain = address.partition("@")
    for part in (line["message"], line["reason"], line["exc_info"], json.dumps(line["more"], ensure_ascii=False)):
        assert local not in str(part)
        assert f"***@{domain}" in str(part)


def test_what_is_no_address_stays_as_it_is(logged: Callable[[], dict[str, object]]) -> None:
    extra = {"text": "3 @ 4, @home, user@", "count": 3, "share": 0.5, "none": None, "yes": True}
    logging.getLogger("mail").info("sent", extra=extra)
    line = logged()
    assert {name: line[name] for name in extra} == extra
    assert (line["service"], line["level"], line["message"]) == ("catalog", "INFO", "sent")
