"""``openmusic users list | show | set-password | disable | enable | delete``."""

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from openmusic_auth.passwords import Passwords
from openmusic_auth.settings import Settings
from openmusic_auth.users.administration import UserAdministration
from openmusic_auth.users.schemas import NewPassword
from openmusic_kit.commands.output import Json, Yes, confirm, done, group, show, show_one
from openmusic_kit.commands.running import run_with
from openmusic_kit.commands.settings import settings_of
from openmusic_kit.database.database import open_database

T = TypeVar("T")

GATEWAY_MEMORY = 1.0  # seconds that a gateway may still show a user whom no request of a client changed

app = group("Users: find one, set a password, keep one from logging in, delete one.")

UserName = Annotated[str, typer.Argument(metavar="USER", help="The id, or the exact username.")]


@app.command("list")
def list_users(
    username: Annotated[str, typer.Option(help="Only those whose name begins so.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="As many as this, the oldest first.")] = 50,
    after: Annotated[str, typer.Option(metavar="ID", help="Only those after this one: the next page.")] = "",
    as_json: Json = False,
) -> None:
    """Lists users, in the order in which they registered."""
    show(_run(lambda users: users.list_all(username, after, limit)), as_json, "There are no such users.")


@app.command("show")
def show_user(user: UserName, as_json: Json = False) -> None:
    """Shows one, with the number of sessions."""
    show_one(_run(lambda users: users.get(user)), as_json)


@app.command("set-password")
def set_password(
    user: UserName,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Reads the password from the first line of its input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sets another password, and ends all sessions. The password is asked for, and never an argument."""
    password = (
        sys.stdin.readline().rstrip("\n")
        if stdin
        else typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    )
    try:
        TypeAdapter(NewPassword).validate_python(password)
    except ValidationError:
        raise typer.BadParameter("a password has 6 to 128 characters") from None
    _run(lambda users: users.set_password(user, password))
    done(f"{user} has a new password, and no session", as_json, user=user)


@app.command("disable")
def disable_user(user: UserName, as_json: Json = False) -> None:
    """Keeps one from logging in, and ends all sessions. An access token works until it expires (ACCESS_TOKEN_AGE)."""
    _run(lambda users: users.set_disabled(user, disabled=True))
    done(f"{user} cannot log in any more", as_json, user=user, disabled=True)


@app.command("enable")
def enable_user(user: UserName, as_json: Json = False) -> None:
    """Lets one log in again."""
    _run(lambda users: users.set_disabled(user, disabled=False))
    done(f"{user} can log in again", as_json, user=user, disabled=False)


@app.command("delete")
def delete_user(user: UserName, yes: Yes = False, as_json: Json = False) -> None:
    """Deletes one for good, as `DELETE /users/me` does. Playlists, likes and exports go within seconds."""
    found = _run(lambda users: users.get(user))
    confirm(f"{found.username} ({found.id}) will be deleted for good, with all playlists.", yes)
    _run(lambda users: users.delete(found.id))
    time.sleep(GATEWAY_MEMORY)
    done(f"{found.username} is deleted", as_json, id=found.id)


def _run(action: Callable[[UserAdministration], Awaitable[T]]) -> T:
    return run_with(_administration(), action)


@asynccontextmanager
async def _administration() -> AsyncIterator[UserAdministration]:
    settings = settings_of("auth", Settings)
    async with open_database(settings) as database:
        yield UserAdministration(database, Passwords(settings.password_memory, settings.password_rounds))
