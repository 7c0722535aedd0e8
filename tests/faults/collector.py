"""A user whose lists are longer than any page: each is shown whole, or the answer is none."""

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from clients import Answer, Client, User

LONG = 1_010  # entries; a page of the API has up to 1 000

_MORE_PLAYLISTS = "INSERT INTO playlists (id, name, owner_id) SELECT unnest(%s::text[]), 'Of a collector', %s"
_MORE_ACTIVITIES = """
    INSERT INTO activities (playlist_id, user_id, title, action)
    SELECT playlist_id, user_id, title, action FROM activities, generate_series(1, %s) AS round
    WHERE playlist_id = %s ORDER BY round, position
"""
"""A thousand requests would take a minute on a busy machine."""


@dataclass
class Collector:
    """Owns ``playlists``, in one of which every song was added and deleted again and again."""

    user: User
    playlists: frozenset[str]
    busiest: str
    client: Client
    dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - of no secret

    async def step(self) -> None:
        await self.dice.choice([self._read_playlists, self._read_activities])(self.dice.choice(self.client.gateways))

    async def look_at_everything(self) -> None:
        for gateway in self.client.gateways:
            for answer in (await self._read_playlists(gateway), await self._read_activities(gateway)):
                if answer.failed:
                    self.client.journal.wrong.append(f"at last: {answer.status} {answer.content[:200]!r}")

    async def _read_playlists(self, gateway: int) -> Answer:
        answer = await self.client.ask("GET", "/playlists", user=self.user, gateway=gateway)
        if answer.status == 200:
            shown = [each["id"] for each in answer.data["playlists"]]
            if len(shown) != len(self.playlists) or set(shown) != self.playlists:
                self.client.journal.lost.append(f"{len(shown)} of {len(self.playlists)} playlists are shown")
        elif not answer.failed:
            self.client.journal.wrong.append(f"GET /playlists: {answer.status}")
        return answer

    async def _read_activities(self, gateway: int) -> Answer:
        path = f"/playlists/{self.busiest}/activities"
        answer = await self.client.ask("GET", path, user=self.user, gateway=gateway)
        if answer.status == 200:
            shown = [each["action"] for each in answer.data["activities"]]
            if shown != ["add", "delete"] * (LONG // 2):
                self.client.journal.lost.append(f"{len(shown)} of {LONG} activities are shown")
        elif not answer.failed:
            self.client.journal.wrong.append(f"GET {path}: {answer.status}")
        return answer


async def collect(http: Client, user: User, execute: Callable[..., object]) -> Callable[[Client], Collector]:
    """Makes all of it, most of it with ``execute`` in the playlists' database; the result reads it as that client."""

    async def make(path: str, body: object, key: str) -> str:
        answer = await http.ask("POST", path, body, user)
        assert answer.status == 201, answer
        return str(answer.data[key])

    song = {"title": "Again", "year": 2008, "genre": "Pop", "performer": "Coldplay"}
    song_id = await make("/songs", song, "songId")
    busiest = await make("/playlists", {"name": "The busiest"}, "playlistId")
    for method in ("POST", "DELETE"):
        answer = await http.ask(method, f"/playlists/{busiest}/songs", {"songId": song_id}, user)
        assert answer.status in {200, 201}, answer
    others = [f"playlist-{secrets.token_hex(16)}" for _ in range(LONG - 1)]
    await asyncio.to_thread(execute, _MORE_PLAYLISTS, others, user.id)
    await asyncio.to_thread(execute, _MORE_ACTIVITIES, LONG // 2 - 1, busiest)
    return lambda client: Collector(user, frozenset([busiest, *others]), busiest, client)
