"""compose.yaml and deploy/kubernetes say the same, and both say what the architecture does."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from openmusic_kit.settings import DatabaseSettings
from openmusic_local.settings import CLASSES
from openmusic_operations import system
from openmusic_operations.doctor.databases import BESIDES_POOL, RESERVED

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("dev", "production")
SURGE = 1  # copies that a rolling upgrade adds


VERSION = "1.31"  # of Kubernetes: the oldest that is promised to work
CONTAINERS = {process.container: process for process in system.PROCESSES.values()}
LOGIN = {"SMTP_USER", "SMTP_PASSWORD"}  # compose takes it from .env, production from the secret store


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
EXTENSIONS = {  # what we use of the two kinds that Kubernetes itself does not know, and nothing else
    "ScaledObject": _object(
        scaleTargetRef=_object(name=TEXT),
        minReplicaCount=NUMBER,
        maxReplicaCount=NUMBER,
        triggers={
            "type": "array",
            "items": _object(type=TEXT, metadata=_object(hostFromEnv=TEXT, queueName=TEXT, mode=TEXT, value=TEXT)),
        },
    ),
    "ExternalSecret": _object(
        refreshInterval=TEXT,
        secretStoreRef=_object(kind=TEXT, name=TEXT),
        target=_object(name=TEXT),
        data={"type": "array", "items": _object(secretKey=TEXT, remoteRef=_object(key=TEXT, property=TEXT))},
    ),
}


@cache
def manifests(overlay: str) -> list[dict[str, Any]]:
    return built(KUBERNETES / "overlays" / overlay)


def built(folder: Path) -> list[dict[str, Any]]:
    kubectl = Path(sys.executable).parent / "kubectl"
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(kind: str, overlay: str = "production") -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in manifests(overlay) if each["kind"] == kind}


@cache
def compose() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def processes(*, once: bool) -> dict[str, dict[str, Any]]:
    """Of compose: those with an image of ours; the migrations, or what runs all the time."""
    return {
        name: service
        for name, service in compose().items()
        if service["image"].startswith("openmusic/")
        and service["image"] != "openmusic/bootstrap"
        and (service.get("command") == ["migrate"]) == once
    }


@cache
def secrets_of() -> dict[str, set[str]]:
    """The names of the secrets that each container of compose reads, by the directory it works in."""
    path = ROOT / "deploy" / "containers" / "make_secrets.py"
    spec = importlib.util.spec_from_file_location("make_secrets", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    files = module.files(dict.fromkeys(module.NAMES, "x"))
    return {
        f"/secrets/{name}": {line.split("=")[0] for line in content[".env"].split()}
        for name, content in files.items()
        if ".env" in content
    }


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def image_name(image: str) -> str:
    return image.rsplit("/", maxsplit=1)[-1].split(":", maxsplit=1)[0]


def sources(workload: dict[str, Any], kind: str) -> Iterator[str]:
    for source in container_of(workload)["envFrom"]:
        if kind in source:
            yield source[kind]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid_to_the_letter(overlay: str) -> None:
    for each in manifests(overlay):
        if each["kind"] in EXTENSIONS:
            jsonschema.validate(each["spec"], EXTENSIONS[each["kind"]])
        else:
            kubernetes_validate.validate(each, VERSION, strict=True)


def test_kubernetes_runs_the_processes_of_compose() -> None:
    deployments, here = of_kind("Deployment"), processes(once=False)
    assert set(deployments) == set(here) == set(CONTAINERS)
    for name, service in here.items():
        container = container_of(deployments[name])
        assert image_name(container["image"]) == image_name(service["image"])
        assert container.get("args") == service.get("command")


def test_kubernetes_migrates_what_compose_migrates() -> None:
    jobs, here = of_kind("Job"), processes(once=True)
    assert set(jobs) == set(here)
    for name, service in here.items():
        container = container_of(jobs[name])
        assert (image_name(container["image"]), container["args"]) == (image_name(service["image"]), ["migrate"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_process_has_the_settings_that_it_has_in_compose(overlay: str) -> None:
    deployments = of_kind("Deployment", overlay)
    for name, service in processes(once=False).items():
        (config,) = sources(deployments[name], "configMapRef")
        settings = of_kind("ConfigMap", overlay)[config]["data"]
        for setting, value in service["environment"].items():
            if setting == "PROXY_PROTOCOL":  # in Kubernetes others than a proxy of ours can connect
                assert setting not in settings
            elif value is not None and not value.endswith(":-}"):  # else it is optional, and has a default
                assert setting in settings, (name, setting)
                if "$" not in value and overlay == "dev":
                    assert settings[setting] == value


def test_the_settings_of_kubernetes_are_settings() -> None:
    known = {line[1:].split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if line[:1] == "#"}
    for overlay in OVERLAYS:
        for name, each in of_kind("ConfigMap", overlay).items():
            if name.startswith("settings"):
                assert set(each["data"]) <= known


def test_every_process_has_the_secrets_that_it_has_in_compose() -> None:
    deployments = of_kind("Deployment", "dev") | of_kind("Job", "dev")
    stored = {name: set(each["data"]) for name, each in of_kind("Secret", "dev").items()}
    external = {
        name: {one["secretKey"] for one in each["spec"]["data"]} for name, each in of_kind("ExternalSecret").items()
    }
    for name, service in (processes(once=False) | processes(once=True)).items():
        wanted = secrets_of()[service["working_dir"]]
        (secret,) = sources(deployments[name], "secretRef")
        assert stored[secret] == wanted
        (secret,) = sources((of_kind("Deployment") | of_kind("Job"))[name], "secretRef")
        assert external[secret] - LOGIN == wanted


def test_network_policies_allow_the_arrows_and_nothing_else() -> None:
    policies = of_kind("NetworkPolicy")
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, process in CONTAINERS.items():
        spec = policies[name]["spec"]
        assert spec["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": name}
        callers = _named(spec.get("ingress", []), "from")
        assert callers == {each.container for each in CONTAINERS.values() if process.name in each.calls}, name
        callees = _named(spec.get("egress", []), "to")
        assert callees == {system.folder_of(service) for service in process.calls}, name
        outside = {port["port"] for rule in spec.get("egress", []) if "to" not in rule for port in rule["ports"]}
        assert outside == {port for server in process.needs for port in server.ports}, name


def _named(rules: list[dict[str, Any]], side: str) -> set[str]:
    return {
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for rule in rules for peer in rule.get(side, [])
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_in_kubernetes_runs_as_root_or_writes_to_its_image(overlay: str) -> None:
    ours = {**of_kind("Deployment", overlay), **of_kind("Job", overlay)}
    for name, workload in ours.items():
        pod, container = workload["spec"]["template"]["spec"], container_of(workload)
        assert pod["securityContext"]["runAsNonRoot"], name
        assert not pod["automountServiceAccountToken"], name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert not container["securityContext"]["allowPrivilegeEscalation"], name
        assert container["resources"]["limits"]["memory"], name
        if image_name(container["image"]) in {image_name(each["image"]) for each in processes(once=False).values()}:
            assert container["securityContext"]["readOnlyRootFilesystem"], name


def test_production_holds_no_secret_and_no_server() -> None:
    assert of_kind("Secret") == {}
    assert "development" not in yaml.safe_dump_all(manifests("production"))
    assert set(of_kind("Deployment")) == set(CONTAINERS)


def test_what_serves_can_lose_a_node_and_grows_with_its_load() -> None:
    assert set(of_kind("PodDisruptionBudget")) == set(CONTAINERS)
    assert set(of_kind("HorizontalPodAutoscaler")) | set(of_kind("ScaledObject")) == set(CONTAINERS)
    assert all(each["spec"]["minReplicas"] >= 2 for each in of_kind("HorizontalPodAutoscaler").values())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_first_step_of_the_readme_applies_all_that_migrations_need(overlay: str) -> None:
    readme = (KUBERNETES / "README.md").read_text()
    (selected,) = set(re.findall(r"--selector 'app.kubernetes.io/component in \(([a-z,]+)\)'", readme))
    components = set(selected.split(","))
    applied = {
        (each["kind"], each["metadata"]["name"])
        for each in manifests(overlay)
        if each["metadata"].get("labels", {}).get("app.kubernetes.io/component") in components
    }
    for name, job in of_kind("Job", overlay).items():
        assert ("Job", name) in applied
        (config,), (secret,) = sources(job, "configMapRef"), sources(job, "secretRef")
        assert ("ConfigMap", config) in applied
        assert {("Secret", secret), ("ExternalSecret", secret)} & applied
    assert {("NetworkPolicy", name) for name in ("deny-all", "look-up-names", "migrations")} <= applied
    assert {kind for kind, _ in applied} <= {"Job", "ConfigMap", "Secret", "ExternalSecret", "NetworkPolicy"}


def test_the_copies_of_each_process_are_spread_by_themselves() -> None:
    for name, deployment in of_kind("Deployment").items():
        (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert (
            spread["labelSelector"]
            == deployment["spec"]["selector"]
            == {"matchLabels": {"app.kubernetes.io/name": name}}
        )
        assert spread["matchLabelKeys"] == ["pod-template-hash"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_postgresql_has_enough_connections_for_the_highest_number_of_copies(overlay: str) -> None:
    allowed = system.SERVERS["postgres"].connections
    assert allowed is not None
    highest = {name: each["spec"]["maxReplicas"] for name, each in of_kind("HorizontalPodAutoscaler", overlay).items()}
    highest |= {name: each["spec"]["maxReplicaCount"] for name, each in of_kind("ScaledObject", overlay).items()}
    wanted = 0
    for name, process in CONTAINERS.items():
        if process.has_database:
            (config,) = sources(of_kind("Deployment", overlay)[name], "configMapRef")
            given = {key.lower(): value for key, value in of_kind("ConfigMap", overlay)[config]["data"].items()}
            settings = CLASSES[process.name](_env_file=None, **{**given, "environment": "test"})
            assert isinstance(settings, DatabaseSettings)
            wanted += (highest.get(name, 1) + SURGE) * (settings.pg_pool_max + BESIDES_POOL)
    assert wanted <= allowed - RESERVED


def test_every_postgresql_of_ours_allows_the_connections_of_the_description() -> None:
    allowed = f"max_connections={system.SERVERS['postgres'].connections}"
    assert allowed in compose()["postgres"]["command"]
    assert allowed in container_of(of_kind("Deployment", "dev")["postgres"])["args"]


def test_trying_it_out_needs_no_operator() -> None:
    assert not {each["kind"] for each in manifests("dev")} & set(EXTENSIONS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_image_has_a_version(overlay: str) -> None:
    release = (ROOT / "VERSION").read_text().strip()
    for name, workload in {**of_kind("Deployment", overlay), **of_kind("Job", overlay)}.items():
        image, _, tag = container_of(workload)["image"].rpartition(":")
        assert image, f"{name} would pull whatever is newest"
        assert tag != "latest"
        if "openmusic/" in image:
            assert tag == release
            assert "imagePullPolicy" not in container_of(workload)  # with a tag: only what is not there


def test_a_changed_secret_starts_those_pods_again_that_use_it(tmp_path: Path) -> None:
    changed = shutil.copytree(KUBERNETES, tmp_path / "kubernetes") / "overlays" / "dev"
    path = changed / "secrets" / "kustomization.yaml"
    path.write_text(path.read_text().replace("SIGNING_KEY_SECRET=development-only", "SIGNING_KEY_SECRET=another"))
    before = of_kind("Deployment", "dev")
    after = {each["metadata"]["name"]: each for each in built(changed) if each["kind"] == "Deployment"}
    assert {name for name in before if before[name]["spec"] != after[name]["spec"]} == {"auth-service"}


def test_another_date_reads_the_secrets_of_production_again_and_starts_all_pods_again(tmp_path: Path) -> None:
    changed = shutil.copytree(KUBERNETES, tmp_path / "kubernetes") / "overlays" / "production"
    path = changed / "kustomization.yaml"
    path.write_text(path.read_text().replace("2026-01-01", "2026-02-01"))
    after = {(each["kind"], each["metadata"]["name"]): each for each in built(changed)}
    for name, deployment in of_kind("Deployment").items():
        assert after["Deployment", name]["spec"]["template"] != deployment["spec"]["template"], name
    for name, secret in of_kind("ExternalSecret").items():
        assert after["ExternalSecret", name]["metadata"]["annotations"] != secret["metadata"]["annotations"], name


def test_compose_publishes_two_ports_on_this_machine_only() -> None:
    published = {name: service["ports"] for name, service in compose().items() if "ports" in service}
    assert published == {
        "proxy": ["${HOST:-127.0.0.1}:${PORT:-5000}:5000"],
        "maildev": ["${MAIL_PAGE_HOST:-127.0.0.1}:${MAIL_PORT:-1080}:1080"],  # not where the gateway is
    }


def test_mails_go_out_without_the_mail_page() -> None:
    waiting = {name for name, service in compose().items() if "maildev" in service.get("depends_on", {})}
    assert waiting == set()


def test_no_server_is_recreated_when_a_secret_changes() -> None:
    """Compose recreates what depends on a container whose settings changed, and what depends on that."""
    services = compose()
    touched = {name for name, service in services.items() if "SERVICE_CREDENTIAL" in service.get("environment", {})}
    assert touched == {"bootstrap"}
    while more := {n for n, each in services.items() if touched & set(each.get("depends_on", {}))} - touched:
        touched |= more
    assert touched == {"bootstrap", *(process.container for process in CONTAINERS.values() if not process.serves)}


def test_compose_names_no_default_secret() -> None:
    assert "development-only" not in (ROOT / "compose.yaml").read_text()
