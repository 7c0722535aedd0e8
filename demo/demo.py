"""A tour of OpenMusic: plays the whole story against the running stack and shows each request as curl would send it."""

import io
import json
import os
import secrets
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw

URL = os.environ.get("OPENMUSIC_URL", "http://127.0.0.1:5000")
MAIL_URL = os.environ.get("OPENMUSIC_MAIL_URL", "http://127.0.0.1:1080")
CATALOGUE = Path(__file__).parent / "catalogue.json"
SHOWN_HEADERS = ("x-data-source", "link", "location")
MAIL_DEADLINE = 30.0  # seconds

http = httpx.Client(timeout=20, trust_env=False)


def title(text: str) -> None:
    print(f"\n\n== {text}")


def show(command: str, answer: httpx.Response) -> None:
    print(f"\n$ {command}\n{answer.http_version} {answer.status_code} {answer.reason_phrase}")
    for name in SHOWN_HEADERS:
        if name in answer.headers:
            print(f"{name}: {answer.headers[name]}")
    if answer.headers.get("content-type", "").startswith("application/json"):
        print(json.dumps(answer.json(), indent=2, ensure_ascii=False))
    else:
        print(f"[{len(answer.content)} bytes of {answer.headers.get('content-type', 'nothing')}]")


def call(method: str, path: str, body: Any = None, token: str = "", quiet: bool = False) -> Any:
    """Sends the request, shows it, and gives the data of the answer; ends the tour on a failure."""
    command = ["curl", "-X", method, f"{URL}{path}"]
    headers = {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
        command += ["-H", f"Authorization: Bearer {token}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body, ensure_ascii=False)]
    answer = http.request(method, f"{URL}{path}", json=body, headers=headers)
    if not quiet or not answer.is_success:
        show(shlex.join(command), answer)
    if not answer.is_success:
        sys.exit("The tour ends here: that was not expected.")
    return answer.json().get("data")


def person(name: str) -> tuple[str, str, str]:
    """Registers and logs in. Gives user name, id and access token."""
    username = f"{name}_{secrets.token_hex(4)}"
    user_id = call("POST", "/users", {"username": username, "password": "secret", "fullname": name.title()})["userId"]
    tokens = call("POST", "/authentications", {"username": username, "password": "secret"})
    return username, user_id, tokens["accessToken"]


def catalogue() -> list[tuple[str, list[str]]]:
    """Adds albums and songs. Gives the id of each album and those of its songs."""
    added: list[tuple[str, list[str]]] = []
    for album in json.loads(CATALOGUE.read_text()):
        first = not added
        album_id = call("POST", "/albums", {"name": album["name"], "year": album["year"]}, quiet=not first)["albumId"]
        songs = []
        for number, (name, seconds) in enumerate(album["tracks"]):
            song = {
                "title": name,
                "year": album["year"],
                "genre": album["genre"],
                "performer": album["artist"],
                "duration": seconds,
                "albumId": album_id,
            }
            songs.append(call("POST", "/songs", song, quiet=not (first and number == 0))["songId"])
        added.append((album_id, songs))
    print(f"\n(and {sum(len(songs) for _, songs in added) - 1} more songs on {len(added)} albums, likewise)")
    return added


def draw_cover(name: str) -> bytes:
    image = Image.new("RGB", (480, 480), "#0b3954")
    pen = ImageDraw.Draw(image)
    for ring in range(12):
        edge = 30 + ring * 17
        pen.ellipse((edge, edge, 480 - edge, 480 - edge), outline="#ffb627", width=2 + ring % 3)
    pen.text((30, 440), name, fill="#ffffff")
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def cover(album_id: str) -> None:
    content = draw_cover("Parachutes")
    answer = http.post(f"{URL}/albums/{album_id}/covers", files={"cover": ("cover.png", content, "image/png")})
    show(f"curl -X POST {URL}/albums/{album_id}/covers -F cover=@cover.png", answer)
    cover_url = call("GET", f"/albums/{album_id}")["album"]["coverUrl"]
    show(f"curl {cover_url}", http.get(cover_url))


def mail_to(address: str) -> None:
    deadline = time.monotonic() + MAIL_DEADLINE
    while True:
        mails = http.get(f"{MAIL_URL}/api/email").json()
        found = [mail for mail in mails if mail["to"][0]["address"] == address]
        if found:
            break
        if time.monotonic() > deadline:
            sys.exit(f"No mail arrived within {MAIL_DEADLINE:.0f} s.")
        time.sleep(0.1)
    mail = found[0]
    print(f"\nFrom: {mail['from'][0]['address']}\nTo: {address}\nSubject: {mail['subject']}\n\n{mail['text']}")
    name = mail["attachments"][0]["generatedFileName"]
    attachment = http.get(f"{MAIL_URL}/api/email/{mail['id']}/attachment/{name}")
    show(f"curl {MAIL_URL}/api/email/{mail['id']}/attachment/{name}", attachment)
    json.loads(attachment.content)


def main() -> None:
    try:
        http.get(f"{URL}/health/live").raise_for_status()
    except httpx.HTTPError:
        sys.exit(f"OpenMusic does not answer at {URL}. Start it with `make up`.")
    title("Two people register")
    _, _, alice = person("alice")
    _, bob_id, bob = person("bob")
    title("The catalogue")
    (album_id, songs), *others = catalogue()
    call("GET", "/songs?title=yellow&performer=cold")
    title("A cover")
    cover(album_id)
    title("Likes: the second read comes from the cache")
    call("POST", f"/albums/{album_id}/likes", token=alice)
    call("GET", f"/albums/{album_id}/likes")
    call("GET", f"/albums/{album_id}/likes")
    title("A playlist that two people share")
    playlist_id = call("POST", "/playlists", {"name": "For the road"}, alice)["playlistId"]
    call("POST", "/collaborations", {"playlistId": playlist_id, "userId": bob_id}, alice)
    path = f"/playlists/{playlist_id}"
    call("POST", f"{path}/songs", {"songId": songs[4]}, alice)
    call("POST", f"{path}/songs", {"songId": others[0][1][5]}, bob)
    call("POST", f"{path}/songs", {"songId": others[1][1][0]}, bob)
    call("DELETE", f"{path}/songs", {"songId": songs[4]}, bob)
    call("GET", f"{path}/songs", token=bob)
    call("GET", f"{path}/activities", token=alice)
    title("An export by mail")
    address = f"alice.{secrets.token_hex(4)}@openmusic.example"
    call("POST", f"/export{path}", {"targetEmail": address}, alice)
    mail_to(address)
    print("\n\nThat was all of it.")


if __name__ == "__main__":
    main()
