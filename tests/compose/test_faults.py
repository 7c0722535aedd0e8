"""Parts fail one by one while users work. What the users were promised is checked by the fixture `crowd`."""

from typing import Any

import pytest
from compose_stack import GATEWAYS, SCALE, Compose
from load import Crowd

KILLED = 128 + 9  # what the engine does to a container that does not end in time


@pytest.mark.parametrize("server", ["postgres", "redis", "rabbitmq", "minio", "maildev"])
def test_nothing_is_lost_when_a_server_stops_and_starts(
    compose: Compose, crowd: Crowd, eventually: Any, server: str
) -> None:
    compose.run("stop", server)
    crowd.goes_on(eventually)
    compose.run("start", server)
    eventually(compose.healthy)


@pytest.mark.parametrize("service", ["playlist-service", "export-worker"])
def test_nothing_is_lost_when_a_copy_is_killed(compose: Compose, crowd: Crowd, eventually: Any, service: str) -> None:
    victim = compose.containers(service)[0]
    crowd.goes_on(eventually)
    victim.kill()
    crowd.goes_on(eventually)
    victim.start()
    eventually(compose.healthy)


def test_nothing_is_lost_when_a_gateway_is_killed(compose: Compose, crowd: Crowd, eventually: Any) -> None:
    victim = compose.containers("gateway")[0]
    crowd.goes_on(eventually)
    crowd.away.update(GATEWAYS)  # its connections break off
    victim.kill()
    crowd.goes_on(eventually, 1)
    crowd.away.clear()  # the other one serves all
    crowd.goes_on(eventually)
    victim.start()
    eventually(compose.healthy)


def test_every_process_ends_by_itself_within_ten_seconds_of_being_told(
    compose: Compose, crowd: Crowd, eventually: Any
) -> None:
    for service in ("auth-service", "catalog-service", "playlist-service", "export-service", "export-worker"):
        crowd.goes_on(eventually, 1)
        container = compose.containers(service)[0]
        container.stop(timeout=10)
        container.reload()
        assert container.attrs["State"]["ExitCode"] != KILLED, service
        container.start()
    eventually(compose.healthy)


def test_nothing_is_lost_when_a_copy_hangs(compose: Compose, crowd: Crowd, eventually: Any) -> None:
    victim = compose.containers("playlist-service")[0]
    victim.pause()
    crowd.goes_on(eventually, 1)
    victim.unpause()
    eventually(compose.healthy)


def test_nothing_is_lost_when_a_copy_is_cut_off(compose: Compose, crowd: Crowd, eventually: Any) -> None:
    with compose.outside_the_network(compose.containers("playlist-service")[0]):
        crowd.goes_on(eventually, 2)
    eventually(compose.healthy)


def test_a_service_is_rolled_to_a_new_image_without_a_failed_read(
    compose: Compose, crowd: Crowd, eventually: Any
) -> None:
    before = compose.containers("playlist-service")
    compose.run("build", "--quiet", "playlist-service", REVISION="next")
    crowd.goes_on(eventually)

    compose.script("roll", "playlist-service")

    after = compose.containers("playlist-service")
    assert len(after) == len(before) == SCALE["playlist-service"]
    assert {each.image.labels["org.opencontainers.image.revision"] for each in after} == {"next"}
    assert crowd.failed_reads == []
