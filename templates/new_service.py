"""Makes a service from templates/service/, and enters it wherever services are listed."""

import re
import sys
import tomllib
from pathlib import Path
from string import Template

ROOT = Path(__file__).parents[1]
TEMPLATES = Path(__file__).parent / "service"
SYSTEM = "deploy/operations/src/openmusic_operations/system.toml"
NAME = re.compile(r"[a-z]{3,20}")

PROCESS = """
[processes.$name]
port = $port
needs = []
calls = ["auth"]
group = $group
cpu = "100m"
memory = "128Mi"
max_copies = 3
"""

CONTAINER = """\
  $name-service:
    <<: *service
    image: openmusic/$name-service
    pull_policy: never
    build:
      <<: *build
      args: {<<: *build-args, SERVICE: $name-service}
    environment:
      <<: *settings
    working_dir: /secrets/$name
    group_add: ["$group"]
    volumes: *secrets

"""

ROUTE = """\
    *_routes("GET /$name/caller", "$name", protected=True),
"""

GATEWAY = "gateway/src/openmusic_gateway"

ENTRIES = (
    (SYSTEM, r"^\[processes\.gateway\]\n(?:.+\n)*?calls = \[.*(?=\])", ', "$name"'),
    (SYSTEM, r"\Z", PROCESS),
    ("compose.yaml", r"^  EXPORT_URL: .*\n", "  ${upper}_URL: http://$name-service:5000\n"),
    ("compose.yaml", r"^ +export-service: (?={condition)", "{condition: service_healthy}\n      $name-service: "),
    ("compose.yaml", r'^ +\["20001".*(?=\])', ', "$group"'),
    ("compose.yaml", r"^(?=  export-service:$)", CONTAINER),
    (".env.example", r"^#EXPORT_URL=.*\n", "#${upper}_URL=http://127.0.0.1:$port\n"),
    (".importlinter", r"^    openmusic_export\n", "    openmusic_$name\n"),
    ("pyproject.toml", r'^  "openmusic_export",', ' "openmusic_$name",'),
    (f"{GATEWAY}/settings.py", r"^    export_url: .*\n", '    ${name}_url: str = "http://127.0.0.1:$port"\n'),
    (f"{GATEWAY}/app.py", r'^ +"export": Upstream.*\n', '        "$name": Upstream.parse(settings.${name}_url),\n'),
    (f"{GATEWAY}/routes.py", r'^ +\*_routes\("GET /export/{id}".*\n', ROUTE),
    ("tests/architecture/test_structure.py", r'^    public = {.*"covers"', ', "$name"'),
)
"""Files that list services, what precedes the entry there, and the entry."""


def make(name: str) -> None:
    """Raises ValueError if there can be no service of this name."""
    processes = tomllib.loads((ROOT / SYSTEM).read_text())["processes"]
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a service: 3 to 20 letters from a to z")
    folder = ROOT / f"{name}-service"
    if name in processes or folder.exists():
        raise ValueError(f"There is a service {name} already")
    port = max(process["port"] for process in processes.values()) + 1
    group = max(process["group"] for process in processes.values()) + 1
    values = {"name": name, "Name": name.capitalize(), "port": str(port), "group": str(group)}

    for template in sorted(TEMPLATES.rglob("*.template")):
        made = folder / _filled(str(template.relative_to(TEMPLATES)), values).removesuffix(".template")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(_filled(template.read_text(), values))
    for path, preceding, entry in ENTRIES:
        _enter(ROOT / path, preceding, _filled(entry, values))


def _enter(path: Path, preceding: str, entry: str) -> None:
    """Adds the entry after each place that looks like ``preceding``."""
    text, places = re.subn(preceding, lambda match: match[0] + entry, path.read_text(), flags=re.MULTILINE)
    if not places:
        raise ValueError(f"{path}: nothing looks like {preceding}")
    path.write_text(text)


def _filled(text: str, values: dict[str, str]) -> str:
    return Template(text).substitute(values, upper=values["name"].upper())


def main() -> None:
    try:
        make(sys.argv[1])
    except (IndexError, ValueError) as error:
        sys.exit(f"make new-service NAME=reviews: {error}")


if __name__ == "__main__":
    main()
