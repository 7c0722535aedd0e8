"""The description of the system agrees with the code and with what is made from it; nothing repeats it."""

import ast
from pathlib import Path

import manifests
import pytest
import yaml

from openmusic_local.settings import CLASSES
from openmusic_operations.system import GATEWAY, PROCESSES, SERVICES, WITH_DATABASE, Process

ROOT = Path(__file__).parents[2]
TELLTALE = {"postgres": "pghost", "redis": "redis_server", "rabbitmq": "rabbitmq_server"} | {
    "storage": "s3_endpoint",
    "mail": "smtp_host",
}
"""The setting by which a process finds each server."""

READERS = [path for folder in ("bench", "contracts", "deploy", "tests") for path in (ROOT / folder).rglob("*.py")]


@pytest.fixture(params=PROCESSES.values(), ids=PROCESSES)
def process(request: pytest.FixtureRequest) -> Process:
    found: Process = request.param
    return found


def test_a_process_needs_and_calls_what_its_settings_name(process: Process) -> None:
    fields = set(CLASSES[process.name].model_fields)
    assert {server.name for server in process.needs} == {name for name, field in TELLTALE.items() if field in fields}
    assert set(process.calls) == {service for service in SERVICES if f"{service}_url" in fields}
    assert CLASSES[process.name].model_fields["port"].default == process.port


def test_a_process_has_the_secrets_that_its_settings_name(process: Process) -> None:
    fields = CLASSES[process.name].model_fields
    secret = {name.upper() for name, field in fields.items() if "SecretStr" in str(field.annotation)}
    assert set(process.secrets) == secret - {"SMTP_PASSWORD"}  # given by the site, not made by us


def test_there_is_an_entry_for_each_folder_of_a_service() -> None:
    folders = {path.parents[2].name for path in ROOT.glob("*/src/openmusic_*/app.py")} - {"kit"}
    assert {process.folder for process in PROCESSES.values()} == folders


def test_services_with_migrations_have_a_database() -> None:
    assert {path.parents[2].name for path in ROOT.glob("*-service/src/*/migrations")} == {
        PROCESSES[service].folder for service in WITH_DATABASE
    }


def test_a_service_stands_below_those_whose_ids_it_keeps() -> None:
    assert next(iter(PROCESSES)) == GATEWAY
    assert len({process.port for process in PROCESSES.values()}) == len(PROCESSES)


def test_the_files_of_kubernetes_are_those_of_the_description() -> None:
    for path, content in manifests.files().items():
        assert path.read_text() == content, f"{path}: `make manifests` renews it"
    made = {path.name for path in manifests.files() if path.parent.name == "processes"}
    assert {path.name for path in (ROOT / "deploy/kubernetes/base/processes").iterdir()} == made


def test_compose_hands_each_process_its_own_secrets() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for process in PROCESSES.values():
        container = services[process.container]
        assert container["group_add"] == [str(process.group)]
        assert container["working_dir"] == f"/secrets/{process.service}"
        assert str(process.group) in services["bootstrap"]["group_add"]


@pytest.mark.parametrize("path", READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_else_lists_the_processes(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict):
            items = node.keys if isinstance(node, ast.Dict) else node.elts
            named = {each.value for each in items if isinstance(each, ast.Constant) and isinstance(each.value, str)}
            folders = {each.folder for each in PROCESSES.values()}
            for every in (set(WITH_DATABASE), set(SERVICES), folders):
                assert not every <= named, ast.unparse(node)
