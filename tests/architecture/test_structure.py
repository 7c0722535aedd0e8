"""The sentences of docs/architecture.md and of the layout, as checks."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import asyncapi
import collection
import jsonschema
import openapi
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic_settings import BaseSettings

from openmusic_gateway.routes import ROUTES
from openmusic_gateway.settings import Settings as Gateway
from openmusic_kit.messaging.events import Envelope
from openmusic_kit.messaging.topology import Queue
from openmusic_kit.web import routes as web
from openmusic_kit.web.compiled import is_plain
from openmusic_operations.system import GATEWAY, PROCESSES, QUEUES, SERVICES, WITH_DATABASE, folder_of

ROOT = Path(__file__).parents[2]
CONTEXT_WORDS = re.compile(r"\b(album|song|playlist|cover|track|artist|performer|like)s?_?\b", re.IGNORECASE)
SQL = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE \w+|DELETE FROM|WITH \w+ AS)\s", re.IGNORECASE)
UNNAMED_COLUMNS = re.compile(r"\b(SELECT|RETURNING)\s+(\w+\.)?\*|\bINSERT INTO \w+\s+(VALUES|SELECT)\b")
KIT_WITH_SQL = {
    "generations.py", "database.py", "outbox.py", "relay.py", "inbox.py", "migrations.py", "deleted_users.py",
    "results.py",
}  # fmt: skip
WEB = {"fastapi", "starlette"}


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder / "src").rglob("*.py"))
    assert found
    return found


def service_sources() -> list[Path]:
    return [path for service in SERVICES for path in sources(f"{service}-service")]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("path", sources("kit"), ids=lambda path: path.name)
def test_the_kit_knows_no_context(path: Path) -> None:
    words = [word for word in CONTEXT_WORDS.findall(path.read_text()) if word.lower() != "like"]
    assert not words


@pytest.mark.parametrize("path", sources("testkit"), ids=lambda path: path.name)
def test_the_test_kit_imports_no_part(path: Path) -> None:
    assert {name for name in imports(path) if name.startswith("openmusic_")} <= {"openmusic_testkit"}


@pytest.mark.parametrize("path", service_sources(), ids=str)
def test_sql_stands_in_repositories_only(path: Path) -> None:
    if path.name != "repository.py":
        assert not [text for text in texts(path) if SQL.match(text)]


@pytest.mark.parametrize("path", [*service_sources(), *sources("kit")], ids=str)
def test_statements_name_their_columns_so_that_more_of_them_disturb_nobody(path: Path) -> None:
    assert not [text for text in texts(path) if UNNAMED_COLUMNS.search(text)]


def test_in_the_kit_sql_stands_where_the_database_is_the_subject() -> None:
    for path in sources("kit"):
        if path.name not in KIT_WITH_SQL:
            assert not [text for text in texts(path) if SQL.match(text)], path


@pytest.mark.parametrize("path", service_sources(), ids=str)
def test_only_endpoints_and_the_composition_root_know_the_web(path: Path) -> None:
    if path.name not in {"endpoints.py", "app.py"}:
        assert not imports(path) & WEB


@pytest.mark.parametrize("path", [path for service in WITH_DATABASE for path in sources(f"{service}-service")], ids=str)
def test_rows_are_typed_and_services_do_not_know_the_shape_of_an_answer(path: Path) -> None:
    text = path.read_text()
    assert "DictRow" not in text
    if path.name == "repository.py":
        assert not re.search(r"dict\[str, (Any|object)\]", text)
    if path.name in {"service.py", "reader.py", "repository.py"}:
        assert not re.search(r"web\.schemas|\b(Data|Message|Created)Response\b|model_dump_json", text)
        assert not re.search(r"openmusic_\w+\.(\w+\.)?schemas import", text)


@pytest.mark.parametrize("path", service_sources(), ids=str)
def test_edge_tags_are_defined_with_what_outdates_them(path: Path) -> None:
    """auth has one answer that gateways keep, and nothing changes it."""
    if path.name != "invalidation.py" and path.parent.parent.name != "openmusic_auth":
        assert not re.search(r"edge\.(tags|answers)|kit\.edge import|Cache-(Tag|Purge)", path.read_text())


def test_nothing_that_serves_a_request_is_sent_to_a_thread() -> None:
    """FastAPI runs endpoints and dependencies that are no coroutines in threads, which costs more than all they do."""
    for path in [*service_sources(), *sources("kit")]:
        if path.name == "endpoints.py" or path.parent.name == "web":
            tree = ast.parse(path.read_text())
            called = {
                name.id
                for node in ast.walk(tree)
                if _is_depends(node)
                for name in ast.walk(node)
                if isinstance(name, ast.Name)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    assert node.name not in called, f"{path}: {node.name}"
                    assert not any("router" in ast.unparse(each) for each in node.decorator_list), (
                        f"{path}: {node.name}"
                    )


def _is_depends(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Depends"


def test_the_gateway_knows_no_web_framework() -> None:
    for path in sources("gateway"):
        assert not imports(path) & WEB, path


def test_services_import_no_other_service() -> None:
    packages = {process.package for process in PROCESSES.values()}
    for service in (*SERVICES, GATEWAY):
        for path in sources(folder_of(service)):
            assert not imports(path) & (packages - {f"openmusic_{service}"}), path


def queues() -> list[Queue]:
    """Of all consumers."""
    return [subscription.queue for _, subscription in asyncapi.subscriptions()]


def test_operators_know_the_queues_of_all_consumers() -> None:
    used = {path for path in service_sources() if re.search(r"\bSubscription(\[\w+\])?\(", path.read_text())}
    assert len(used) == len(queues()), "a service has a queue that this test does not know"
    assert set(QUEUES) == {queue.name for queue in queues()}


def test_every_event_has_a_queue_or_it_would_stay_in_the_outbox() -> None:
    events = {path.name.removesuffix(".schema.json") for path in (ROOT / "contracts/events").glob("*.schema.json")}
    assert events == {key for queue in queues() for key in queue.routing_keys}


def test_every_setting_is_in_the_example() -> None:
    named = set(re.findall(r"^#([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    wanted = set()
    for service in (*SERVICES, GATEWAY):
        module = importlib.import_module(f"openmusic_{service}.settings")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseSettings):
                wanted |= {name.upper() for name in value.model_fields}
    assert wanted <= named, wanted - named


def test_the_gateway_routes_nothing_internal_and_every_public_prefix() -> None:
    patterns = {route.pattern.split("/")[1] for route in ROUTES}
    public = {"albums", "songs", "users", "authentications", "playlists", "collaborations", "export", "covers"}
    assert patterns == public | {"search", ".well-known"}


@pytest.mark.parametrize("document", [openapi, asyncapi, collection], ids=lambda module: module.__name__)
def test_the_served_document_is_what_the_services_say(document: ModuleType) -> None:
    assert document.PATH.read_text() == document.text(), "make openapi renews it"


def test_the_contract_of_each_event_is_what_its_producer_publishes() -> None:
    contracts = {
        path.name.removesuffix(".schema.json"): json.loads(path.read_text())
        for path in (ROOT / "contracts/events").glob("*.schema.json")
    }
    messages = asyncapi.document()["components"]["messages"]
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    assert contracts == {key: dialect | message["payload"] for key, message in messages.items()}


def test_every_reference_of_the_document_of_events_leads_somewhere() -> None:
    document = asyncapi.document()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', asyncapi.text()):
        part = document
        for key in reference.split("/"):
            part = part[key]
        assert part, reference


@pytest.mark.parametrize(
    "example", sorted((ROOT / "contracts" / "events").glob("*.example.json")), ids=lambda p: p.name
)
def test_every_event_example_matches_its_schema_and_the_envelope(example: Path) -> None:
    schema = example.with_name(example.name.replace(".example.", ".schema."))
    jsonschema.validate(json.loads(example.read_text()), json.loads(schema.read_text()))
    assert f"{Envelope.model_validate_json(example.read_text()).routing_key}.example.json" == example.name


def test_a_service_gives_up_before_the_gateway_does() -> None:
    """Otherwise a request could be carried out after its client was told that it took too long."""
    assert Gateway.model_fields["upstream_timeout"].default > web.HANDLING_TIME


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_answers_in_time(service: str) -> None:
    app = importlib.import_module(f"openmusic_{service}.app").create_app()
    timed = (web.TimedRoute, web.ProtectedRoute, web.InternalRoute)
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    untimed = {route.path for route in routes if isinstance(route, APIRoute) and not isinstance(route, timed)}

    covers = {"/albums/{album_id}/covers", "/covers/{folder}/{file}"}  # as long as their client takes for the bytes
    assert untimed - covers == {"/health/live", "/health/ready", "/health/cache-generation"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_endpoint_is_plain_enough_to_be_compiled(service: str) -> None:
    app = importlib.import_module(f"openmusic_{service}.app").create_app()
    routes = [route for route in app.routes if isinstance(route, web.TimedRoute)]

    files = {"/playlists/{playlist_id}/export"}  # in one of several formats, which FastAPI handles itself
    assert {route.path for route in routes if not is_plain(route)} <= files


def test_the_index_of_decisions_names_each_by_its_title() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    for path in folder.glob("0*.md"):
        number, title = path.read_text().partition("\n")[0].removeprefix("# ").split(". ", 1)
        assert f"| [{number}]({path.name}) | {title} |" in index, path.name
