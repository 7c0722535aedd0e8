"""``openmusic``: the commands of all parts that are installed."""

import logging
import sys
from importlib.metadata import entry_points

import typer
from pydantic import ValidationError

from openmusic_kit.commands.output import group
from openmusic_kit.errors import ServiceError
from openmusic_kit.settings import problems

COMMANDS = "openmusic.commands"
"""The group of entry points: each names a command, which is a function, or a group of them, which is a Typer."""

ABOUT = """Runs, repairs and feeds an OpenMusic that is up.

With `make up` the commands find the settings of the stack. In a container they use those of its process:
`docker compose exec auth-service openmusic users list`. `--json` of each command is for programs.
"""


def main() -> None:
    logging.getLogger().addHandler(logging.NullHandler())  # what the operator must know is printed below
    try:
        code = typer.main.get_command(_app(sys.argv[1:2])).main(prog_name="openmusic", standalone_mode=False)
    except typer.TyperException as error:
        code = error.exit_code
        print(_line(error.format_message()), file=sys.stderr)
    except ValidationError as error:
        code = _fail(f"the settings are not usable: {'; '.join(problems(error))}")
    except ServiceError as error:
        code = _fail(str(error))
    except typer.Abort:
        code = _fail("nothing was changed")
    sys.exit(code)


def _app(first: list[str]) -> typer.Typer:
    """Loads only the command that comes ``first``, or all for help and completion."""
    app = group(ABOUT)
    app.callback()(lambda: None)  # with a single command, typer would take its name for an argument
    points = {point.name: point for point in entry_points(group=COMMANDS)}
    for name in [name for name in first if name in points] or sorted(points):
        found = points[name].load()
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _fail(message: str) -> int:
    print(_line(message), file=sys.stderr)
    return 1


def _line(message: str) -> str:
    return message if "\n" in message else f"openmusic: {message}"


if __name__ == "__main__":
    main()
