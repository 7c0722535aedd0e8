"""Shows dataclasses: as tables and text for people, as JSON for programs."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Json = Annotated[bool, typer.Option("--json", help="Prints JSON, for programs.")]

WIDE = 10_000  # columns where no terminal limits them, so that nothing is cut off
STYLES = {
    "problem": "bold red",
    "down": "bold red",
    "warning": "yellow",
    "ok": "green",
    "ready": "green",
    "degraded": "yellow",
    "not ready": "bold red",
}


def group(about: str) -> typer.Typer:
    """``about`` is its help."""
    return typer.Typer(help=about, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False)


def show(items: Sequence["DataclassInstance"], as_json: bool, empty: str) -> None:
    """A row for each, or the sentence ``empty``."""
    if as_json:
        show_data(items)
        return
    if not items:
        typer.echo(empty)
        return
    names = [field.name for field in fields(items[0])]
    table = Table(*(name.replace("_", " ") for name in names), box=None, pad_edge=False, header_style="bold")
    for item in items:
        table.add_row(*(_text(getattr(item, name)) for name in names))
    _console().print(table)


def show_one(item: "DataclassInstance", as_json: bool) -> None:
    """A line for each field."""
    if as_json:
        show_data(item)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for field in fields(item):
        table.add_row(Text(field.name.replace("_", " "), "bold"), _text(getattr(item, field.name)))
    _console().print(table)


def done(message: str, as_json: bool, **facts: object) -> None:
    """What a change has done: a sentence, or the facts."""
    if as_json:
        show_data(facts)
    else:
        typer.echo(harmless(message))


def confirm(question: str, yes: bool) -> None:
    """Ends the command unless the operator agrees. Where nobody can be asked, ``yes`` is required."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Say --yes to do it.")
    typer.confirm(question, abort=True, err=True)


Yes = Annotated[bool, typer.Option("--yes", help="Does not ask.")]


def harmless(text: str) -> str:
    """What could move the cursor of a terminal is shown as an escape."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _text(value: object) -> Text:
    match value:
        case None | "" | ():
            return Text("-", "dim")
        case datetime():
            return Text(value.strftime("%Y-%m-%d %H:%M:%SZ"))
        case str():
            return Text(harmless(value), STYLES.get(value, ""))
        case Iterable():
            return Text(harmless(", ".join(map(str, value))))
        case _:
            return Text(harmless(str(value)))


def show_data(value: Any) -> None:
    """As JSON."""
    typer.echo(to_json(value, indent=2).decode())


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDE)
