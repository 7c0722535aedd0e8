"""Parts fail one by one while users work. What the users were promised is checked by the fixture `crowd`."""

import pytest
from compose_stack import GATEWAYS, RECOVERY, SCALE, Compose
from load import Crowd

from openmusic_testkit.waiting import wait_until

KILLED = 128 + 9  # what the engine does to a container that does not end in time


@pytest.mark.parametrize("server", ["postgres", "redis", "rabbitmq", "minio", "maildev"])
def test_nothing_is_lost_when_a_server_stops_and_starts(compose: Compose, crowd: Crowd, server: str) -> None:
    compose.run("stop", server)
    crowd.goes_on()
    compose.run("start", server)
    wait_until(compose.healthy, RECOVERY)


@pytest.mark.parametrize("service", ["playlist-service", "export-worker"])
def test_nothing_is_lost_when_a_copy_is_killed(compose: Compose, crowd: Crowd, service: str) -> None:
    victim = compose.containers(service)[0]
    crowd.goes_on()
    victim.kill()
    crowd.goes_on()
    victim.start()
    wait_until(compose.healthy, RECOVERY)


def test_nothing_is_lost_when_a_gateway_is_killed(compose: Compose, crowd: Crowd) -> None:
    victim = compose.containers("gateway")[0]
    crowd.goes_on()
    crowd.away.update(GATEWAYS)  # its connections break off
    victim.kill()
    crowd.goes_on(1)
    crowd.away.clear()  # the other one serves all
    crowd.goes_on()
    victim.start()
    wait_until(compose.healthy, RECOVERY)


def test_every_process_ends_by_itself_within_ten_seconds_of_being_told(compose: Compose, crowd: Crowd) -> None:
    for service in ("auth-service", "catalog-service", "playlist-service", "export-service", "export-worker"):
        crowd.goes_on(1)
        container = compose.containers(service)[0]
        container.stop(timeout=10)
        container.reload()
        assert container.attrs["State"]["ExitCode"] != KILLED, service
        container.start()
    wait_until(compose.healthy, RECOVERY)


def test_nothing_is_lost_when_a_copy_hangs(compose: Compose, crowd: Crowd) -> None:
    victim = compose.containers("playlist-service")[0]
    victim.pause()
    crowd.goes_on(1)
    victim.unpause()
    wait_until(compose.healthy, RECOVERY)


def test_nothing_is_lost_when_a_copy_is_cut_off(compose: Compose, crowd: Crowd) -> None:
    with compose.outside_the_network(compose.containers("playlist-service")[0]):
        crowd.goes_on(2)
    wait_until(compose.healthy, RECOVERY)


def test_a_service_is_rolled_to_a_new_image_without_a_failed_read(compose: Compose, crowd: Crowd) -> None:
    before = compose.containers("playlist-service")
    compose.run("build", "--quiet", "playlist-service", REVISION="next")
    crowd.goes_on()

    compose.script("roll", "playlist-service")

    after = compose.containers("playlist-service")
    assert len(after) == len(before) == SCALE["playlist-service"]
    assert {each.image.labels["org.opencontainers.image.revision"] for each in after} == {"next"}
    assert crowd.failed_reads == []
