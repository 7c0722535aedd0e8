"""The longest headers that services send pass through the gateway's own HTTP client."""

from typing import Any

from openmusic_gateway.service_session import MAX_HEADER_LENGTH
from openmusic_kit.edge import tags as edge
from openmusic_kit.ids import new_id
from openmusic_kit.web.paging import encode_cursor, next_page_link
from openmusic_testkit import plain_http

WIDEST = "\N{GRINNING FACE}" * 1000
LINK = next_page_link("/songs", title=WIDEST, performer=WIDEST, limit=1000, cursor=encode_cursor(new_id("song")))


class Talkative:
    """Answers each request with these headers, and counts them."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.asked = 0
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.asked += 1
        body = b'{"status": "success"}'
        headers = [*self._headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def test_the_widest_search_leads_to_its_next_page(serve: Any, start_gateway: Any, unused_port: Any) -> None:
    service, port = Talkative({"Link": LINK}), unused_port()
    urls = {f"{name}_url": f"http://127.0.0.1:{port}" for name in ("auth", "catalog", "playlist", "media", "export")}
    with serve(service, port), start_gateway(**urls) as (url, _):
        query = {"title": WIDEST, "performer": WIDEST}
        answer = plain_http.get(f"{url}/songs", params=query)

    assert (answer.status_code, answer.headers["Link"]) == (200, LINK)
    assert len(LINK) > 24_000


def test_a_change_of_what_very_many_share_is_carried_out_once_and_said_so(
    serve: Any, start_gateway: Any, unused_port: Any, redis_server: tuple[str, int]
) -> None:
    """As when a playlist with two hundred members is deleted; all tags in one header were more than a client reads."""
    members = [f"playlists:{new_id('user')}" for _ in range(200)]
    service, port = (
        Talkative({edge.CACHE_PURGE: edge.joined([f"playlist:{new_id('playlist')}", *members])}),
        unused_port(),
    )
    urls = {f"{name}_url": f"http://127.0.0.1:{port}" for name in ("auth", "catalog", "playlist", "media", "export")}
    redis = {"redis_server": redis_server[0], "redis_port": redis_server[1]}
    with serve(service, port), start_gateway(**urls, **redis) as (url, _):
        asked = service.asked
        answer = plain_http.delete(f"{url}/songs/a")

    assert (answer.status_code, service.asked - asked) == (200, 1)
    assert "cache-purge" not in answer.headers


def test_the_longest_tags_and_the_longest_link_are_less_than_the_gateway_reads() -> None:
    assert edge.MAX_HEADER_LENGTH + len(edge.CACHE_PURGE) < MAX_HEADER_LENGTH
    assert len(LINK) + len("Link") < MAX_HEADER_LENGTH
