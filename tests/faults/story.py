"""All that a new user does first, from the registration to the mail: what has to work again after a fault."""

import asyncio
import logging
import secrets
import time
from typing import Any

from audit import Auditor
from clients import Client, User
from models import picture

logger = logging.getLogger(__name__)

MAIL_WITHIN = 5.0  # seconds


class NotYet(Exception):
    """A part of the story failed."""


async def time_until_story_works(client: Client, auditor: Auditor, friend: User, patience: float) -> float:
    """The seconds until the whole story worked. Raises NotYet when it did not even after ``patience`` seconds."""
    started = time.monotonic()
    while True:
        try:
            await _play(client, auditor, friend)
        except NotYet as obstacle:
            passed = time.monotonic() - started
            logger.info("after %.1f s: %s", passed, obstacle)
            if passed > patience:
                raise
            await asyncio.sleep(0.1)
        else:
            return time.monotonic() - started


async def _play(client: Client, auditor: Auditor, friend: User) -> None:
    name = f"story_{secrets.token_hex(6)}"
    person = {"username": name, "password": "secret", "fullname": "A Listener"}
    user_id = (await _done(client, "POST", "/users", person))["userId"]
    tokens = await _done(client, "POST", "/authentications", {"username": name, "password": "secret"})
    user = User(user_id, name, tokens["accessToken"])
    album_id = (await _done(client, "POST", "/albums", {"name": name, "year": 2008}))["albumId"]
    song = {"title": name, "year": 2008, "genre": "Pop", "performer": "Coldplay", "albumId": album_id}
    song_id = (await _done(client, "POST", "/songs", song))["songId"]
    uploaded = await client.upload(f"/albums/{album_id}/covers", picture((1, 2, 3)))
    if uploaded.status != 201:
        raise NotYet(f"cover: {uploaded}")
    await _done(client, "POST", f"/albums/{album_id}/likes", None, user)
    playlist_id = (await _done(client, "POST", "/playlists", {"name": name}, user))["playlistId"]
    await _done(client, "POST", f"/playlists/{playlist_id}/songs", {"songId": song_id}, user)
    await _done(client, "POST", "/collaborations", {"playlistId": playlist_id, "userId": friend.id}, user)
    shown = await _done(client, "GET", f"/playlists/{playlist_id}/songs", None, friend)
    assert [each["id"] for each in shown["playlist"]["songs"]] == [song_id]
    await _done(client, "GET", f"/playlists/{playlist_id}/activities", None, user)
    album = await _done(client, "GET", f"/albums/{album_id}")
    cover = await client.ask("GET", "/covers/" + album["album"]["coverUrl"].partition("/covers/")[2])
    if cover.status != 200:
        raise NotYet(f"cover: {cover.status}")
    address = f"{name}@story.test"
    await _done(client, "POST", f"/export/playlists/{playlist_id}", {"targetEmail": address}, user)
    deadline = time.monotonic() + MAIL_WITHIN
    while not await auditor.copies(address):
        if time.monotonic() > deadline:
            raise NotYet("the mail has not come")
        await asyncio.sleep(0.1)


async def _done(client: Client, method: str, path: str, body: Any = None, user: User | None = None) -> Any:
    """The data of the answer, if it has any. Raises NotYet unless it is a success."""
    answer = await client.ask(method, path, body, user)
    if answer.status not in {200, 201}:
        raise NotYet(f"{method} {path}: {answer.status} {answer.content[:200]!r}")
    return answer.data
