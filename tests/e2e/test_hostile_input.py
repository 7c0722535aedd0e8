"""Text that is meant to be taken for something else is text: stored and read back as it was, or refused."""

import json
import re
import secrets
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from openmusic_testkit.waiting import wait_until

HOSTILE = {
    "SQL": "'; DROP TABLE users; --",
    "SQL that is always true": "' OR '1'='1",
    "SQL in dollar quotes": "$$; SELECT pg_sleep(10); $$",
    "a backslash before a quote": "\\' OR 1=1 --",
    "placeholders": "%s %(id)s %% {0} {name} $1 :name ?",
    "signs of LIKE": "100%_\\%",
    "a header": "x\r\nSet-Cookie: a=b\r\nX-User-Id: user-1",
    "a whole answer": "x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a template": "{{7*7}} ${7*7} #{7*7} <%= 7*7 %>",
    "a lookup": "${jndi:ldap://127.0.0.1/a}",
    "a command": "`id`; $(id) | id && id",
    "a formula": "=cmd|' /C calc'!A0",
    "a path": "../../../etc/passwd",
    "JSON": '{"$ne": null}, "admin": true',
    "commands of Redis": "x\r\nFLUSHALL\r\n",
    "a colon and a star": "playlist:*:songs",
    "control characters": "a\x01\x08\x1b[31m\x7f\x85b",
    "text from right to left": "abc\u202e\u202dcba\u2066",
    "nothing to be seen": "a\u200b\u200d\ufeff\u2060b",
    "letters that look alike": "\u0430dmin \uff41dmin \u212aelvin",
    "letters in two spellings": "e\u0301 \u00e9 \ufb01 \u1e9e",
    "letters beyond two bytes": "\U0001f3b5\U00010348\U0010ffff",
    "what is no letter": "\ufffe\uffff\ufdd0",
    "many marks": "Z" + "\u0335\u0489" * 100,
    "spaces around": "  \t a \n ",
}
NO_TEXT = [
    b'"a\\u0000b"',
    b'"\\ud800"',
    b'"a\\udfff"',
    b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
    b'"a\x00b"',
    b'"a\nb"',
]
NUMBERS = [
    b"1e400",
    b"-1e400",
    b"1" * 5000,
    b"2147483648",
    b"NaN",
    b"Infinity",
    b"0x10",
    b"01",
    b"1e-2",
    b"-0.5",
    b"1_000",
]


def visible(text: str) -> str:
    """What a search compares: without letter case, marks, and characters that have no width."""
    letters = (each for each in unicodedata.normalize("NFKD", text) if unicodedata.category(each) not in {"Mn", "Cf"})
    return "".join(letters).casefold()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_it_is_stored_and_read_back_as_it_was(client: Any, alice: Any, text: str) -> None:
    album_id = client.album(text)
    song_id = client.song(text, performer=text, genre=text, albumId=album_id)
    playlist_id = client.playlist(alice, text)
    client.add(playlist_id, song_id, alice)

    album = client.call("GET", f"/albums/{album_id}").json()["data"]["album"]
    listed = {"id": song_id, "title": text, "performer": text}
    assert (album["name"], album["songs"]) == (text, [listed])
    song = client.call("GET", f"/songs/{song_id}").json()["data"]["song"]
    assert (song["title"], song["performer"], song["genre"]) == (text, text, text)
    found = client.call("GET", "/songs", params={"title": text, "performer": text}).json()["data"]["songs"]
    assert listed in found
    assert all(visible(text) in visible(each["title"]) for each in found), "no sign in it is a wildcard"
    answer = client.call("GET", f"/playlists/{playlist_id}/songs", user=alice)
    assert answer.json()["data"]["playlist"]["name"] == text
    assert answer.json()["data"]["playlist"]["songs"] == [listed]
    activities = client.call("GET", f"/playlists/{playlist_id}/activities", user=alice).json()["data"]["activities"]
    assert activities[0]["title"] == text
    for name in ("set-cookie", "x-user-id"):
        assert name not in answer.headers


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_user_is_who_was_registered_and_no_other(client: Any, text: str) -> None:
    name, password = f"{secrets.token_hex(6)} {text}", f"{text[:60]} {secrets.token_hex(6)}"
    user_id = client.created("/users", {"username": name, "password": password, "fullname": text})["userId"]

    user = client.call("GET", f"/users/{user_id}").json()["data"]["user"]
    assert user == {"id": user_id, "username": name, "fullname": text}
    assert client.created("/authentications", {"username": name, "password": password})["accessToken"]
    for wrong in ({"username": name, "password": text[:128]}, {"username": text, "password": password}):
        assert client.call("POST", "/authentications", wrong).status_code == 401


def test_names_that_look_alike_are_two_users(client: Any) -> None:
    """The contract takes any name; nothing is granted by name, only by id, so that they need not be told apart."""
    unique = secrets.token_hex(6)
    names = [
        f"admin {unique}",
        f"\u0430dmin {unique}",
        f"\uff41dmin {unique}",
        f"admin\u200b {unique}",
        f"Admin {unique}",
    ]
    ids = [client.created("/users", {"username": each, "password": each, "fullname": each})["userId"] for each in names]

    assert len(set(ids)) == len(names)
    for name in names:
        for password in names:
            status = client.call("POST", "/authentications", {"username": name, "password": password}).status_code
            assert status == (201 if name == password else 401)


@pytest.mark.parametrize("text", NO_TEXT)
def test_what_is_no_text_is_refused_in_every_field(client: Any, alice: Any, text: bytes) -> None:
    playlist_id = client.playlist(alice)
    bodies = {
        ("POST", "/albums"): [b'{"name": %s, "year": 1}'],
        ("POST", "/songs"): [
            b'{"title": %s, "year": 1, "genre": "g", "performer": "p"}',
            b'{"title": "t", "year": 1, "genre": %s, "performer": "p"}',
            b'{"title": "t", "year": 1, "genre": "g", "performer": %s}',
        ],
        ("POST", "/users"): [
            b'{"username": %s, "password": "secret", "fullname": "f"}',
            b'{"username": "u", "password": "secret", "fullname": %s}',
        ],
        ("POST", "/playlists"): [b'{"name": %s}'],
        ("POST", f"/export/playlists/{playlist_id}"): [b'{"targetEmail": %s}'],
        ("PUT", "/authentications"): [b'{"refreshToken": %s}'],
    }
    for (method, path), templates in bodies.items():
        for template in templates:
            answer = client.call(method, path, user=alice, content=template % text, headers=JSON)
            assert (answer.status_code, answer.json()["status"]) == (400, "fail"), (path, template)
    for path, body in NAMING.items():
        answer = client.call("POST", path, user=alice, content=body % text, headers=JSON)
        assert answer.status_code in {400, 401, 404}, (path, answer.text)


JSON = {"content-type": "application/json"}
NAMING = {  # what is named by a text that names nothing is not there
    "/authentications": b'{"username": %s, "password": "secret"}',
    "/songs": b'{"title": "t", "year": 1, "genre": "g", "performer": "p", "albumId": %s}',
    "/playlists/playlist-none/songs": b'{"songId": %s}',
    "/collaborations": b'{"playlistId": %s, "userId": "user-none"}',
}


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12].decode())
def test_what_is_no_whole_number_of_32_bits_is_refused(client: Any, number: bytes) -> None:
    for path, body in [
        ("/albums", b'{"name": "x", "year": %s}'),
        ("/songs", b'{"title": "t", "year": %s, "genre": "g", "performer": "p"}'),
        ("/songs", b'{"title": "t", "year": 1, "genre": "g", "performer": "p", "duration": %s}'),
        ("/albums", b'{"name": "x", "year": 1, "unknown": {"year": %s}, "year": "x"}'),
    ]:
        answer = client.call("POST", path, content=body % number, headers=JSON)
        assert (answer.status_code, answer.json()["status"]) == (400, "fail"), (path, body)


@pytest.mark.parametrize(
    "nested", [b"[" * 400_000, b'{"a":' * 100_000, b'{"name": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"]
)
def test_what_is_nested_too_deep_is_refused_and_others_are_served(client: Any, nested: bytes) -> None:
    for path in ("/albums", "/users", "/authentications"):
        answer = client.call("POST", path, content=nested, headers=JSON)
        assert answer.status_code in {400, 413}, answer.text
        assert answer.json()["status"] == "fail"
    client.album()


def test_of_a_key_that_comes_twice_the_last_counts_for_everyone(client: Any) -> None:
    body = b'{"name": "first", "name": "second", "year": 1, "year": 2}'
    album_id = client.call("POST", "/albums", content=body, headers=JSON).json()["data"]["albumId"]

    album = client.call("GET", f"/albums/{album_id}").json()["data"]["album"]
    assert (album["name"], album["year"]) == ("second", 2)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\nBcc: c@d.example",
        "a@b.example\r\nSubject: x\r\n\r\nbody",
        "a@b.example%0d%0aBcc:c@d.example",
        "a@b.example,c@d.example",
        "a@b.example;c@d.example",
        "<a@b.example>,<c@d.example>",
        "a@b.example\0",
        "a@b.example\u2028Bcc: c@d.example",
        "a@b.example> SIZE=1\r\nRCPT TO:<c@d.example",
        '"a\r\nBcc: c@d.example"@b.example',
        "a@[127.0.0.1]",
        "a@localhost",
        f"{'a' * 65}@b.example",
        f"a@{'b' * 250}.example",
    ],
)
def test_an_address_is_one_and_only_that(client: Any, alice: Any, address: str) -> None:
    path = f"/export/playlists/{client.playlist(alice)}"
    answer = client.call("POST", path, {"targetEmail": address}, alice)

    assert (answer.status_code, answer.json()["status"]) == (400, "fail"), answer.text


def test_a_hostile_name_stays_within_its_mail(
    client: Any, alice: Any, mails: Callable[[str], list[dict[str, Any]]]
) -> None:
    playlist_id = client.playlist(alice, HOSTILE["a header"])
    address = f"{playlist_id[-12:]}@listener.test"
    answer = client.call("POST", f"/export/playlists/{playlist_id}", {"targetEmail": address}, alice)
    assert answer.status_code == 201

    (mail,) = wait_until(lambda: mails(address))
    assert [each["address"] for each in mail["to"]] == [address]
    assert not {"set-cookie", "x-user-id"} & {name.lower() for name in mail["headers"]}
    assert len(mail["attachments"]) == 1


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "..\\..\\x.png",
        "/etc/passwd",
        "a\0.png",
        "a.png\r\nX-A: b",
        "\u202egnp.exe",
        "x" * 5000,
        "a.svg",
    ],
)
def test_the_name_of_a_cover_leads_nowhere(client: Any, picture: Any, name: str) -> None:
    album_id = client.album()
    answer = client.upload(album_id, picture(), name, "text/html")

    if answer.status_code == 400:
        assert answer.json()["status"] == "fail"
        return
    assert answer.status_code == 201, answer.text
    address = client.call("GET", f"/albums/{album_id}").json()["data"]["album"]["coverUrl"]
    assert re.fullmatch(r"[0-9a-f-]+\.png", address.rpartition("/")[2])
    cover = client.http.get(address)
    assert (cover.headers["content-type"], cover.content[:4]) == ("image/png", b"\x89PNG")
    assert json.dumps(name)[1:-1] not in str(cover.headers)
