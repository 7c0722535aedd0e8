"""Python's clients, each as it is by default: ``pythons.py NAME``. See client_story.py for the lines."""

import asyncio
import base64
import http.client
import sys
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import aiohttp
import httpx
import requests
import urllib3

Answer = tuple[int, Mapping[str, str], bytes]
Send = Callable[[str, str, dict[str, str], bytes, bool], Answer]


def pieces(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    yield body[len(body) // 2 :]


def with_http_client() -> Send:
    connections: dict[str, http.client.HTTPConnection] = {}

    def send(method: str, url: str, headers: dict[str, str], body: bytes, chunked: bool) -> Answer:
        parts = urlsplit(url)
        connection = connections.setdefault(parts.netloc, http.client.HTTPConnection(parts.netloc))
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, pieces(body) if chunked else body or None, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    return send


def with_urllib3() -> Send:
    pool = urllib3.PoolManager()

    def send(method: str, url: str, headers: dict[str, str], body: bytes, chunked: bool) -> Answer:
        content = pieces(body) if chunked else body or None
        answer = pool.request(method, url, headers=headers, body=content, chunked=chunked, redirect=False)
        return answer.status, answer.headers, answer.data

    return send


def with_requests() -> Send:
    session = requests.Session()
    session.trust_env = False

    def send(method: str, url: str, headers: dict[str, str], body: bytes, chunked: bool) -> Answer:
        answer = session.request(method, url, headers=headers, data=pieces(body) if chunked else body, timeout=30)
        return answer.status_code, answer.headers, answer.content

    return send


def with_httpx() -> Send:
    client = httpx.Client(trust_env=False, timeout=30)

    def send(method: str, url: str, headers: dict[str, str], body: bytes, chunked: bool) -> Answer:
        answer = client.request(method, url, headers=headers, content=pieces(body) if chunked else body)
        return answer.status_code, answer.headers, answer.content

    return send


def with_aiohttp() -> Send:
    loop = asyncio.new_event_loop()

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = loop.run_until_complete(opened())

    async def exchange(method: str, url: str, headers: dict[str, str], body: bytes, chunked: bool) -> Answer:
        content = body or None
        async with session.request(method, url, headers=headers, data=content, chunked=chunked or None) as answer:
            return answer.status, answer.headers, await answer.read()

    return lambda *step: loop.run_until_complete(exchange(*step))


CLIENTS: dict[str, Callable[[], Send]] = {
    "http.client": with_http_client,
    "urllib3": with_urllib3,
    "requests": with_requests,
    "httpx": with_httpx,
    "aiohttp": with_aiohttp,
}


def main() -> None:
    send = CLIENTS[sys.argv[1]]()
    for line in sys.stdin:
        method, url, headers, body, framing = line.rstrip("\n").split("\t")
        given = dict(each.split(": ", 1) for each in base64.b64decode(headers).decode().splitlines())
        status, told, content = send(method, url, given, base64.b64decode(body), framing == "chunked")
        lines = "".join(f"{name}: {value}\n" for name, value in told.items()).encode("utf-8", "replace")
        answer = [str(status), base64.b64encode(lines).decode(), base64.b64encode(content).decode()]
        sys.stdout.write("\t".join(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
