"""Who uses a secret starts again when it changes, and nobody else."""

import httpx
from compose_stack import Compose

from openmusic_operations.system import PROCESSES
from openmusic_testkit.waiting import wait_until

SERVERS = ("postgres", "redis", "rabbitmq", "minio", "maildev")
USERS = tuple(process.container for process in PROCESSES.values() if process.serves)


def started(compose: Compose, services: tuple[str, ...]) -> dict[str, str]:
    return {each.id: each.attrs["State"]["StartedAt"] for name in services for each in compose.containers(name)}


def test_a_new_credential_starts_its_users_again_and_no_server(
    compose: Compose, http: httpx.Client, user: dict[str, str]
) -> None:
    servers, users = started(compose, SERVERS), started(compose, USERS)

    compose.up(SERVICE_CREDENTIAL="another-one")

    def all_began_again() -> bool:
        now = started(compose, USERS)
        return now.keys() == users.keys() and all(now[each] != users[each] for each in users)

    wait_until(all_began_again, 120)
    wait_until(compose.healthy, 120)
    assert started(compose, SERVERS) == servers
    assert b"another-one" in compose.containers("catalog-service")[0].exec_run(["cat", ".env"]).output
    song = {"title": "Yellow", "year": 2000, "genre": "Pop", "performer": "Coldplay"}
    song_id = http.post("/songs", json=song).raise_for_status().json()["data"]["songId"]
    playlist = (
        http.post("/playlists", json={"name": "New"}, headers=user).raise_for_status().json()["data"]["playlistId"]
    )
    http.post(f"/playlists/{playlist}/songs", json={"songId": song_id}, headers=user).raise_for_status()


def test_what_is_known_already_is_not_written_again(compose: Compose) -> None:
    catalog = compose.containers("catalog-service")[0]
    before = catalog.exec_run(["stat", "-c", "%i %Y", ".env"]).output
    compose.run("run", "--rm", "--no-deps", "-T", "bootstrap")
    assert catalog.exec_run(["stat", "-c", "%i %Y", ".env"]).output == before
