"""What `docker inspect` must show."""

from typing import Any

from compose_stack import PROJECT, Compose
from docker.models.containers import Container

MEGABYTE = 1_000_000
WRITABLE_VOLUMES = {
    "postgres": {"/var/lib/postgresql/data"},
    "rabbitmq": {"/var/lib/rabbitmq"},
    "minio": {"/data"},
    "maildev": {"/mails"},
    "bootstrap": {"/secrets", "/volumes/minio", "/volumes/mails"},
}
PUBLISHED = {"proxy": "5000/tcp", "maildev": "1080/tcp"}


def service_of(container: Container) -> str:
    return str(container.labels["com.docker.compose.service"])


def every_container(compose: Compose) -> list[Container]:
    found = compose.containers(stopped=True)
    assert len(found) > 15
    return found


def test_nothing_runs_as_root_or_could_become_it(compose: Compose) -> None:
    for container in every_container(compose):
        host: dict[str, Any] = container.attrs["HostConfig"]
        user = container.attrs["Config"]["User"].split(":")[0]
        assert user.isdigit(), container.name
        assert int(user) > 0, container.name
        assert host["CapDrop"] == ["ALL"], container.name
        assert not host["CapAdd"], container.name
        assert not host["Privileged"], container.name
        assert "no-new-privileges:true" in host["SecurityOpt"], container.name
        assert host["Memory"] > 0, container.name


def test_nothing_is_writable_but_what_is_named(compose: Compose) -> None:
    for container in every_container(compose):
        assert container.attrs["HostConfig"]["ReadonlyRootfs"], container.name
        writable = {mount["Destination"] for mount in container.attrs["Mounts"] if mount["RW"]}
        assert writable == WRITABLE_VOLUMES.get(service_of(container), set()), container.name


def test_only_the_proxy_and_the_mail_page_are_published_and_on_this_machine_only(compose: Compose) -> None:
    for container in every_container(compose):
        published = container.attrs["HostConfig"]["PortBindings"] or {}
        wanted = PUBLISHED.get(service_of(container))
        assert set(published) == ({wanted} if wanted else set()), container.name
        assert all(each["HostIp"] == "127.0.0.1" for bound in published.values() for each in bound)


def test_the_images_of_the_services_are_small_and_hold_no_build_tools(compose: Compose) -> None:
    for container in compose.containers():
        if container.image.tags and container.image.tags[0].startswith("openmusic/"):
            assert container.image.attrs["Size"] < 220 * MEGABYTE, container.image.tags
            for tool in ("gcc", "strip", "curl"):
                assert container.exec_run(["which", tool]).exit_code != 0, tool


def test_a_container_reads_its_own_secrets_only_and_inspecting_it_shows_none(compose: Compose) -> None:
    catalog = compose.containers("catalog-service")[0]
    exit_code, content = catalog.exec_run(["cat", "/secrets/catalog/.env"])
    assert exit_code == 0
    own = dict(line.split("=", 1) for line in content.decode().split())
    assert set(own) == {"SERVICE_CREDENTIAL", "RABBITMQ_SERVER", "REDIS_PASSWORD", "PGPASSWORD"}
    for path in ("/secrets/auth/.env", "/secrets/postgres/password", "/secrets/secrets.json"):
        assert catalog.exec_run(["cat", path]).exit_code != 0, path
    for container in every_container(compose):
        assert not [secret for secret in own.values() if secret in str(container.attrs)], container.name


def test_only_who_must_is_on_a_network_that_leads_outside(compose: Compose) -> None:
    assert compose.docker.networks.get(f"{PROJECT}_internal").attrs["Internal"]
    for container in every_container(compose):
        networks = {name.removeprefix(f"{PROJECT}_") for name in container.attrs["NetworkSettings"]["Networks"]}
        on_the_edge = {"edge"} if service_of(container) in {*PUBLISHED, "export-worker"} else set()
        assert networks == {"internal"} | on_the_edge, container.name


def test_a_service_cannot_read_the_database_of_another(compose: Compose) -> None:
    catalog = compose.containers("catalog-service")[0]
    connect = (
        "import psycopg; from openmusic_catalog.settings import Settings; s = Settings();"
        "psycopg.connect(host='postgres', user=s.pguser, password=s.pgpassword.get_secret_value(), dbname='{}').close()"
    )
    assert catalog.exec_run(["python", "-c", connect.format("openmusic_catalog")]).exit_code == 0
    assert b"permission denied" in catalog.exec_run(["python", "-c", connect.format("openmusic_auth")]).output
