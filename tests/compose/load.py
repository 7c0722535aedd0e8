"""Users who keep working while parts fail, and who notice every wrong answer."""

import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx

from openmusic_testkit.waiting import wait_until

EXCUSABLE = {502, 503, 504}
SONG = {"year": 2008, "genre": "Pop", "performer": "Coldplay"}


@dataclass
class User(threading.Thread):
    """Adds songs to a playlist and reads it back. ``complaints`` are the answers that were wrong."""

    urls: tuple[str, ...]
    headers: dict[str, str]
    stop: threading.Event
    number: int
    away: set[str]
    """The gateways that need not answer at the moment; shared by all users."""
    complaints: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    in_doubt: set[str] = field(default_factory=set)
    exported: int = 0
    exports_in_doubt: int = 0
    failed_reads: list[str] = field(default_factory=list)
    rounds: int = 0
    playlist_id: str = ""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    @property
    def address(self) -> str:
        return f"{self.playlist_id}@listener.test"

    def prepare(self) -> None:
        with httpx.Client(base_url=self.urls[0], timeout=30, trust_env=False) as http:
            answer = http.post("/playlists", json={"name": "Under load"}, headers=self.headers).raise_for_status()
            self.playlist_id = answer.json()["data"]["playlistId"]

    def run(self) -> None:
        clients = [httpx.Client(base_url=url, timeout=30, trust_env=False) for url in self.urls]
        for turn, http in enumerate(itertools.cycle(clients)):
            if self.stop.is_set():
                break
            self.rounds = turn
            self._add(http)
            self._read(http)
            if turn % 5 == self.number % 5:
                self._export(http)
        for client in clients:
            client.close()

    def _ask(self, http: httpx.Client, method: str, path: str, json: Any = None) -> httpx.Response | None:
        """The answer; None when it was one that a failing part excuses."""
        try:
            answer = http.request(method, path, json=json, headers=self.headers)
        except httpx.HTTPError as error:
            if str(http.base_url).rstrip("/") in self.away:
                self.stop.wait(0.1)
            else:
                self.complaints.append(f"{method} {path}: {error!r}")
            return None
        if answer.status_code in EXCUSABLE:
            if method == "GET":
                self.failed_reads.append(f"{answer.status_code} {answer.text}")
            self.stop.wait(0.1)
            return None
        if not answer.is_success:
            self.complaints.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        return answer

    def _add(self, http: httpx.Client) -> None:
        song = self._ask(http, "POST", "/songs", {**SONG, "title": f"Song of user {self.number}"})
        if song is None:
            return
        song_id = song.json()["data"]["songId"]
        if self._ask(http, "POST", f"/playlists/{self.playlist_id}/songs", {"songId": song_id}):
            self.acknowledged.append(song_id)
        else:
            self.in_doubt.add(song_id)

    def _read(self, http: httpx.Client) -> None:
        answer = self._ask(http, "GET", f"/playlists/{self.playlist_id}/songs")
        if answer is not None:
            self.check([song["id"] for song in answer.json()["data"]["playlist"]["songs"]])

    def check(self, songs: list[str]) -> None:
        """All that was acknowledged, in its order; of the rest only what may have been done."""
        certain = [song for song in songs if song not in self.in_doubt]
        if certain != self.acknowledged or len(songs) != len(set(songs)):
            missing, extra = set(self.acknowledged) - set(songs), set(certain) - set(self.acknowledged)
            self.complaints.append(f"playlist: {len(missing)} missing, {len(extra)} extra, or in another order")

    def check_at_last(self) -> None:
        with httpx.Client(base_url=self.urls[0], timeout=30, trust_env=False) as http:
            self._read(http)

    def _export(self, http: httpx.Client) -> None:
        if self._ask(http, "POST", f"/export/playlists/{self.playlist_id}", {"targetEmail": self.address}):
            self.exported += 1
        else:
            self.exports_in_doubt += 1


@dataclass
class Crowd:
    users: list[User]
    stop: threading.Event
    away: set[str]

    @classmethod
    def of(cls, number: int, urls: tuple[str, ...], headers: dict[str, str]) -> "Crowd":
        stop, away = threading.Event(), set[str]()
        return cls([User(urls, headers, stop, each, away) for each in range(number)], stop, away)

    def __enter__(self) -> "Crowd":
        for user in self.users:
            user.prepare()
        for user in self.users:
            user.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for user in self.users:
            user.join()

    @property
    def complaints(self) -> list[str]:
        return [complaint for user in self.users for complaint in user.complaints]

    @property
    def failed_reads(self) -> list[str]:
        return [failure for user in self.users for failure in user.failed_reads]

    def goes_on(self, rounds: int = 3) -> None:
        """Waits until everybody has tried as many rounds again, whatever came of them."""
        wanted = {user.number: user.rounds + rounds for user in self.users}
        wait_until(lambda: all(user.rounds >= wanted[user.number] for user in self.users), 120)
