"""What the kernel makes of vanished packets, and what the gateway's connections to services make of that."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from vanishing import drop_packets, take_packets

from openmusic_gateway.service_session import service_session
from openmusic_kit.web.clients import ConnectionBroke

pytestmark = pytest.mark.smoke

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LONGEST_REQUEST = 15.0  # seconds


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener


def test_nothing_arrives_and_no_connection_is_made_until_packets_are_taken_again(listener: socket.socket) -> None:
    drop_packets(listener)
    with closing(socket.socket()) as early:
        early.settimeout(0.5)
        with pytest.raises(TimeoutError):
            early.connect(listener.getsockname())
    take_packets(listener)
    with closing(socket.create_connection(listener.getsockname(), 5)) as late, closing(listener.accept()[0]) as near:
        drop_packets(near)
        near.settimeout(0.5)
        late.sendall(b"lost")
        with pytest.raises(TimeoutError):
            near.recv(4)


async def test_a_service_that_vanished_is_noticed_before_the_deadline_of_a_request(listener: socket.socket) -> None:
    vanished = []

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(65_536)
        connection.sendall(ANSWER)
        drop_packets(connection)
        vanished.append(connection)  # or it would be closed

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    async with service_session() as session:
        async with session.get(url):
            pass
        await asyncio.to_thread(serving.join)
        drop_packets(listener)
        with pytest.raises(ConnectionBroke):
            async with asyncio.timeout(LONGEST_REQUEST), session.post(url, data=b"x"):
                pass
    vanished[0].close()
