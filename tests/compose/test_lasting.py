"""What must last does: across a stop, and among the dead letters."""

import secrets
from typing import Any

import httpx
from compose_stack import RECOVERY, Compose

from openmusic_testkit.waiting import wait_until


def test_all_is_there_after_down_and_up(compose: Compose, answers: Any) -> None:
    before = answers()

    compose.run("down")
    compose.up()

    assert answers() == before


def test_dead_letters_can_be_sent_again(compose: Compose, http: httpx.Client, user: dict[str, str], mails: Any) -> None:
    address = f"{secrets.token_hex(4)}@dead.test"
    playlist = http.post("/playlists", json={"name": "Late"}, headers=user).raise_for_status().json()["data"]
    compose.run("stop", "export-worker")
    export = f"/export/playlists/{playlist['playlistId']}"
    http.post(export, json={"targetEmail": address}, headers=user).raise_for_status()
    hasty = ("-e", "EXPORT_RETRY_FOR=0", "-e", "SMTP_HOST=127.0.0.1")  # where nobody takes mails
    name = compose.run("run", "--detach", "--no-deps", *hasty, "export-worker").split()[-1]
    wait_until(
        lambda: "1 dead letter" in compose.openmusic("media-service", "dead-letters", "list", "export.jobs"), RECOVERY
    )
    compose.docker.containers.get(name).remove(force=True)
    compose.run("start", "export-worker")
    wait_until(compose.healthy, RECOVERY)
    assert mails(address) == set()

    replayed = compose.openmusic("export-service", "dead-letters", "replay", "export.jobs", "--all")

    assert replayed.startswith("1 sent back")
    wait_until(lambda: len(mails(address)) == 1, RECOVERY)
