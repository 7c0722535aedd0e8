import asyncio

import pytest

from openmusic_testkit.vanishing import VanishingProxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(100):
        writer.write(piece)
    writer.close()


async def test_an_open_connection_loses_all_it_is_given_and_a_new_one_works() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, VanishingProxy(server.sockets[0].getsockname()[1]).running() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"

        proxy.vanish()
        writer.write(b"after")
        writer.write_eof()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)

        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        other_writer.write(b"new")
        assert await other_reader.readexactly(3) == b"new"
        other_writer.close()
        assert await other_reader.read() == b"", "the end of a connection that works is passed on"
        assert proxy.connections == 2


async def test_what_cannot_be_reached_is_refused() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with VanishingProxy(port).running() as proxy:
        with pytest.raises(ConnectionError):
            reader, _ = await asyncio.open_connection("127.0.0.1", proxy.port)
            if await reader.read(1) == b"":
                raise ConnectionError
