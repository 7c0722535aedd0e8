"""Stopping, starting again, and what happens to parts that fail or are left behind."""

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from openmusic_local.errors import LocalError
from openmusic_local.ports import Ports, obstacle
from openmusic_local.program import Program
from openmusic_local.servers import rabbitmq
from openmusic_local.supervision import Supervisor
from openmusic_testkit.waiting import wait_until


def has_cover(http: Any, album_id: str) -> bool:
    address = http.get(f"/albums/{album_id}").json()["data"]["album"]["coverUrl"]
    return http.get(address).status_code == 200


def names(pids: set[int]) -> set[str]:
    return {Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids}


def broker(installation: Any) -> str:
    return rabbitmq.url(installation.ports["rabbitmq"], installation.secrets["rabbitmq"])


async def send(url: str, queue: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True)
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue)


async def receive(url: str, queue: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        message = await (await channel.declare_queue(queue, durable=True)).get()
        assert message is not None
        await message.ack()
        return message.body


async def test_data_and_messages_survive_down_and_up_even_when_all_ports_were_taken_meanwhile(
    running: Any, alive: Callable[[set[int]], set[int]], upload_cover: Callable[[Any], str]
) -> None:
    with running.http as http:
        album_id = upload_cover(http)
    await send(broker(running), "kept", b"a message")
    pids, old = running.pids, running.ports
    assert {"epmd", "beam.smp", "postgres"} <= names(pids)

    done = running.run("down")
    assert done.returncode == 0
    assert alive(pids) == set()

    with ExitStack() as others:
        for name in old.keys() - {"gateway", "mail"}:
            others.enter_context(socket.create_server(("127.0.0.1", old[name])))
        running.up()
    assert set(running.ports.values()) & set(old.values()) == {old["gateway"], old["mail"]}
    with running.http as http:
        assert has_cover(http, album_id)
    assert await receive(broker(running), "kept") == b"a message"


def test_a_killed_supervisor_is_told_of_and_the_next_up_stops_what_it_left(
    running: Any, alive: Callable[[set[int]], set[int]], kill_supervisor: Callable[[Any], None]
) -> None:
    pids = running.pids
    kill_supervisor(running)

    done = running.run("status")
    assert done.returncode == 1
    assert "parts of OpenMusic still run: stop them with `make down`" in done.stderr

    done = running.run("up", ACCESS_TOKEN_AGE="0")
    assert "stopping what was left when the supervisor was killed" in done.stdout
    assert alive(pids) == set()

    assert done.returncode == 1
    assert "the settings are not usable: ACCESS_TOKEN_AGE" in done.stderr
    assert running.supervisor is None
    assert [name for name, port in running.ports.items() if obstacle(port)] == []


def test_a_part_that_ends_at_its_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json", {})
    ports.choose(["supervisor"], {})
    supervisor = Supervisor(tmp_path, ports)
    command = ["sh", "-c", "echo out of luck; exit 3"]
    program = Program("unlucky", command, tmp_path, ready=lambda: False)
    supervisor.launch([program], os.environ)
    try:
        supervisor.start("unlucky")
        with pytest.raises(LocalError, match=r"unlucky did not start\. The end of its log:\n  out of luck"):
            supervisor.wait_ready(program, seconds=600)  # longer than a test may take: it must not wait for that
    finally:
        supervisor.shut_down()


def test_a_program_gets_its_settings_letter_by_letter(tmp_path: Path) -> None:
    folder = tmp_path / "a folder; 100 % #1"
    folder.mkdir()
    text = """ it's "quoted" ; # $HOME `id` \\ %(ENV_HOME)s 100% \n\\"""
    ports = Ports(folder / "ports.json", {})
    ports.choose(["supervisor"], {})
    supervisor = Supervisor(folder, ports)
    command = ["sh", "-c", 'printf %s "$TEXT" > text; printf %s "$0" > argument; exec sleep 600', text]
    written = folder / "argument"
    program = Program("writer", command, folder, ready=written.exists, environment={"TEXT": text})
    supervisor.launch([program], os.environ)
    try:
        supervisor.start("writer")
        supervisor.wait_ready(program)
        assert wait_until(written.read_text) == text
        assert (folder / "text").read_text() == text
    finally:
        supervisor.shut_down()
