"""What the gateway shows to people."""

import gzip
from typing import Any

import httpx
import pytest

from openmusic_gateway.reference import VERSION
from openmusic_testkit import plain_http

FILES = ("/docs", "/docs/start.js", "/docs/pages.css", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js")


def test_the_root_tells_programs_what_runs_and_where_to_go(client: httpx.Client) -> None:
    answer = client.get("/", headers={"Accept": "*/*"})

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert (data["name"], data["version"]) == ("OpenMusic", VERSION)
    assert (data["state"], data["unavailable"]) == ("ready", [])
    for link in data["links"].values():
        assert client.get(link).status_code == 200
    assert client.get("/version").json()["data"] == {"name": "OpenMusic", "version": VERSION}


def test_the_root_shows_people_a_page(client: httpx.Client) -> None:
    answer = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Everything works" in answer.text
    assert VERSION in answer.text


def test_the_root_names_what_is_unavailable(start_gateway: Any, service_url: Any, unused_port: Any) -> None:
    working = {f"{name}_url": service_url[1] for name in ("auth", "catalog", "playlist", "export")}
    with start_gateway(**working, media_url=f"http://127.0.0.1:{unused_port()}") as (url, _):
        data = plain_http.get(url).json()["data"]
        assert (data["state"], data["unavailable"]) == ("degraded", ["media"])
        assert "Unavailable: media" in plain_http.get(url, headers={"Accept": "text/html"}).text


@pytest.mark.parametrize("path", FILES)
def test_pages_and_their_files_are_served_compressed_and_revalidated(client: httpx.Client, path: str) -> None:
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = client.get(path, headers={"Accept-Encoding": "identity"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content  # httpx has unpacked it
    assert int(packed.headers["Content-Length"]) == len(gzip.compress(plain.content, mtime=0))
    again = client.get(path, headers={"If-None-Match": packed.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head(path).headers["ETag"] == packed.headers["ETag"]


def test_a_page_may_run_only_what_the_gateway_serves(client: httpx.Client) -> None:
    policy = client.get("/docs").headers["Content-Security-Policy"]

    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert client.get("/openapi.json").headers["Content-Security-Policy"].startswith("default-src 'none'; frame-anc")


@pytest.mark.parametrize("path", ["/docs/", "/docs/secrets", "/docs/..%2fopenapi.json", "/docs/%2e%2e", "/docs/a/b"])
def test_no_other_file_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_pages_are_only_read(client: httpx.Client) -> None:
    answer = client.post("/docs", json={})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
