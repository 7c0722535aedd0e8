"""What people set reaches the processes; what `make up` decides, they cannot set by accident."""

import re
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from openmusic_local.ports import Ports
from openmusic_local.processes import PREFERRED_PORTS, StackContext, environment
from openmusic_local.secrets_file import Secrets
from openmusic_local.settings import MANAGED, known_to
from openmusic_local.stack import repository
from openmusic_operations.system import PROCESSES
from openmusic_testkit.waiting import wait_until

OF_UP_ALONE = {"OPENMUSIC_DATA", "MAIL_PORT", "MAIL_PAGE_HOST"}
GIVEN_NAMES, MANAGED_NAMES, NAMES_OF_CONTAINERS = (
    re.findall(r"^#([A-Z0-9_]+)=", part, re.MULTILINE)
    for part in (repository() / ".env.example").read_text().split("\n# ---- ")
)
PASSWORD = """it's a "password" ; # $HOME \\ 100%"""
SUBJECT = """100 % "yours" ; # $HOME"""


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    """With every setting that .env.example names given."""
    ports = Ports(tmp_path / "ports.json", {})
    ports.choose([*PREFERRED_PORTS, "gateway", "mail"], {})
    given = {name: f"the given {name}" for name in (*GIVEN_NAMES, *MANAGED_NAMES)}
    return StackContext(tmp_path, ports, Secrets(tmp_path / "secrets.json"), "127.0.0.1", "s3", given)


def test_the_list_of_what_up_decides_is_the_documented_one() -> None:
    assert set(MANAGED_NAMES) == MANAGED


@pytest.mark.parametrize("name", sorted({*GIVEN_NAMES} - OF_UP_ALONE - {"HOST", "PORT"}))
def test_a_setting_reaches_every_process_that_knows_it(name: str, context: StackContext) -> None:
    knowing = {process for process in PROCESSES if name in known_to(process)}
    given = {process for process in PROCESSES if environment(process, context).get(name) == f"the given {name}"}
    assert knowing
    assert given == knowing - ({"media"} if name == "BODY_LIMIT" else set())


@pytest.mark.parametrize("name", NAMES_OF_CONTAINERS)
def test_what_only_the_containers_take_is_known_to_no_process(name: str) -> None:
    assert not [process for process in PROCESSES if name in known_to(process)]


@pytest.mark.parametrize("name", MANAGED_NAMES)
def test_what_up_decides_cannot_be_given(name: str, context: StackContext) -> None:
    assert [process for process in PROCESSES if environment(process, context).get(name) == f"the given {name}"] == []


def test_the_media_service_gets_the_limit_of_covers_and_no_other(context: StackContext) -> None:
    assert environment("media", context)["BODY_LIMIT"] == "the given COVER_BODY_LIMIT"
    assert "BODY_LIMIT" not in environment("media", replace(context, given={"BODY_LIMIT": "1000"}))


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_listens_on_a_port_of_its_own_whatever_is_set(process: str, context: StackContext) -> None:
    settings = environment(process, context)
    assert (settings["HOST"], settings["PORT"]) == ("127.0.0.1", str(context.ports[process]))


@pytest.mark.parametrize("name", ["SMTP_HOST", "SMTP_PORT"])
def test_a_mail_server_of_ones_own_is_not_mixed_with_the_mail_page(name: str, context: StackContext) -> None:
    settings = environment("export-worker", replace(context, given={name: "given"}))
    assert {key: settings[key] for key in settings if key in {"SMTP_HOST", "SMTP_PORT"}} == {name: "given"}


@pytest.fixture(scope="module")
def covers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("covers") / "of our own"


@pytest.fixture(scope="module")
def customised(make_installation: Callable[..., Any], mail_server: tuple[Any, int], covers: Path) -> Iterator[Any]:
    """Runs, with settings of which hardly one is the default, and some that must not matter."""
    installation = make_installation(
        HOST="127.0.0.2",
        ENVIRONMENT="production",
        STORAGE="local",
        STORAGE_FOLDER=str(covers),
        SMTP_HOST="127.0.0.1",
        SMTP_PORT=str(mail_server[1]),
        SMTP_USER="openmusic",
        SMTP_PASSWORD=PASSWORD,
        SMTP_SECURITY="none",
        MAIL_SUBJECT=SUBJECT,
        BODY_LIMIT="1000",
        COVER_BODY_LIMIT="100000",
        ACCESS_TOKEN_AGE="86400",
        PGHOST="192.0.2.1",
        REDIS_PASSWORD="of another Redis",
        SERVICE_CREDENTIAL="development-only",
    )
    installation.up()
    yield installation
    installation.remove()


def test_local_storage_keeps_covers_in_the_folder_and_needs_no_s3_server(
    customised: Any, covers: Path, upload_cover: Callable[[Any], str]
) -> None:
    with customised.http as http:
        album_id = upload_cover(http)
        address = http.get(f"/albums/{album_id}").json()["data"]["album"]["coverUrl"]
        assert address.startswith(f"http://127.0.0.2:{customised.settings['PORT']}/")
        content = http.get(address).content
    assert content in [path.read_bytes() for path in covers.rglob("*") if path.is_file()]
    assert "objectstore" not in customised.run("status").stdout


def test_the_mail_page_does_not_follow_the_gateway_to_another_address(customised: Any) -> None:
    port = int(customised.settings["MAIL_PORT"])
    assert httpx.get(f"http://127.0.0.1:{port}/api/healthz", trust_env=False).status_code == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((customised.settings["HOST"], port), timeout=5)


def test_an_export_goes_out_by_the_mail_server_that_is_set(customised: Any, mail_server: tuple[Any, int]) -> None:
    server, _ = mail_server
    username = f"alice_{secrets.token_hex(4)}"
    with customised.http as http:
        user = {"username": username, "password": "secret"}
        http.post("/users", json={**user, "fullname": "Alice"})
        token = http.post("/authentications", json=user).json()["data"]["accessToken"]
        http.headers["Authorization"] = f"Bearer {token}"
        playlist_id = http.post("/playlists", json={"name": "For the road"}).json()["data"]["playlistId"]
        answer = http.post(f"/export/playlists/{playlist_id}", json={"targetEmail": "alice@example.com"})
    assert answer.status_code == 201, answer.text
    wait_until(lambda: server.mails)
    assert (b"openmusic", PASSWORD.encode()) in server.logins
    assert server.mails[0].rcpt_tos == ["alice@example.com"]
    assert f"Subject: {SUBJECT}".encode() in (server.mails[0].content or b"")


def test_settings_are_given_to_the_processes_that_know_them_and_to_no_others(customised: Any) -> None:
    assert customised.environment("auth")["ACCESS_TOKEN_AGE"] == "86400"
    assert customised.environment("export-worker")["SMTP_PASSWORD"] == PASSWORD
    assert customised.environment("media")["BODY_LIMIT"] == "100000"
    assert customised.environment("catalog")["BODY_LIMIT"] == "1000"
    assert customised.environment("catalog")["PGHOST"] == "127.0.0.1"
    for part in PROCESSES:
        given = customised.environment(part)
        assert "REDIS_PASSWORD" not in given
        assert given["SERVICE_CREDENTIAL"] == customised.secrets["service_credential"]
        assert part == "export-worker" or "SMTP_PASSWORD" not in given


def test_down_stops_what_a_killed_supervisor_left_and_reset_deletes_all_but_a_folder_of_ones_own(
    customised: Any, covers: Path, alive: Callable[[set[int]], set[int]], kill_supervisor: Callable[[Any], None]
) -> None:
    pids = customised.pids
    kill_supervisor(customised)
    done = customised.run("down")
    assert done.returncode == 0
    assert "The supervisor was killed; stopping what it left running" in done.stdout
    assert alive(pids) == set()

    done = customised.run("reset")
    assert done.returncode == 0
    assert not customised.folder.exists()
    assert covers.exists()
    assert str(covers) in done.stdout
