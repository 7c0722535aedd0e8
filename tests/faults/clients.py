"""Requests through the gateway, each with its outcome in a journal."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

BROKEN = 0  # stands for the status of an answer that did not come, or not whole
EXCUSABLE = frozenset({BROKEN, 502, 503, 504})
_ID = re.compile(r"[0-9a-f]{32}")
PATIENCE = 30.0  # seconds until a client gives up, where it is not said otherwise


@dataclass(frozen=True)
class User:
    id: str
    username: str
    token: str


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def cached(self) -> bool:
        return self.headers.get("X-Data-Source") == "cache"

    @property
    def failed(self) -> bool:
        """Whether nobody knows if the request was carried out."""
        return self.status in EXCUSABLE

    @property
    def data(self) -> Any:
        return json.loads(self.content).get("data")


@dataclass
class Journal:
    """What became of all requests, and what was wrong with them."""

    statuses: Counter[int] = field(default_factory=Counter)
    failing: Counter[str] = field(default_factory=Counter)
    """Which kinds of requests failed, and how."""
    slowest: tuple[float, str] = (0.0, "")
    lost: list[str] = field(default_factory=list)
    """Acknowledged, but not there."""
    halves: list[str] = field(default_factory=list)
    """Neither wholly done nor not at all."""
    wrong: list[str] = field(default_factory=list)
    """Answers that should not have been."""
    twice: list[str] = field(default_factory=list)
    """Mails that came again."""

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @property
    def failures(self) -> dict[int, int]:
        return {status: number for status, number in sorted(self.statuses.items()) if status in EXCUSABLE}

    def note(self, request: str, answer: Answer, seconds: float) -> None:
        self.statuses[answer.status] += 1
        self.slowest = max(self.slowest, (seconds, f"{request}: {answer.status}"))
        if answer.failed:
            self.failing[f"{_ID.sub('…', request)}: {answer.status} {answer.content[:100]!r}"] += 1


class Client:
    """Of one or more gateways."""

    def __init__(self, http: aiohttp.ClientSession, urls: Sequence[str], journal: Journal) -> None:
        self._http = http
        self._urls = urls
        self.journal = journal

    @property
    def gateways(self) -> range:
        """Their numbers."""
        return range(len(self._urls))

    async def ask(
        self, method: str, path: str, body: Any = None, user: User | None = None, *, gateway: int = 0, **more: Any
    ) -> Answer:
        """``user`` may be None for what anybody may ask; ``gateway`` is the number of the one that is asked."""
        headers = {"Authorization": f"Bearer {user.token}"} if user else {}
        started = time.monotonic()
        url = self._urls[gateway] + path
        try:
            async with self._http.request(method, url, json=body, headers=headers, **more) as response:
                answer = Answer(response.status, await response.read(), response.headers)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            answer = Answer(BROKEN, repr(error).encode())
        self.journal.note(f"{method} {path}", answer, time.monotonic() - started)
        return answer

    async def cut_off(self, path: str, content: bytes, user: User, *, gateway: int = 0) -> None:
        """Sends the first half of the content, and hangs up. The failure is the client's own, and not noted."""

        async def half() -> AsyncIterator[bytes]:
            yield content[: len(content) // 2]
            raise ConnectionAbortedError

        headers = {"Authorization": f"Bearer {user.token}"}
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with self._http.post(self._urls[gateway] + path, data=half(), headers=headers):
                pass

    async def upload(self, path: str, content: bytes, *, gateway: int = 0) -> Answer:
        form = aiohttp.FormData()
        form.add_field("cover", content, filename="cover.png", content_type="image/png")
        return await self.ask("POST", path, gateway=gateway, data=form)


@asynccontextmanager
async def client(*urls: str, journal: Journal, patience: float = PATIENCE) -> AsyncIterator[Client]:
    """Gives up a request after ``patience`` seconds."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=patience)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield Client(http, urls, journal)


async def register(clients: Client, username: str) -> User:
    person = {"username": username, "password": "secret", "fullname": "A Listener"}
    registered = await clients.ask("POST", "/users", person)
    tokens = await clients.ask("POST", "/authentications", {"username": username, "password": "secret"})
    assert (registered.status, tokens.status) == (201, 201), (registered, tokens)
    return User(registered.data["userId"], username, tokens.data["accessToken"])


async def register_many(clients: Client, usernames: list[str]) -> list[User]:
    """A few at a time: a password takes a while on purpose."""
    places = asyncio.Semaphore(8)

    async def one(username: str) -> User:
        async with places:
            return await register(clients, username)

    return await asyncio.gather(*map(one, usernames))
