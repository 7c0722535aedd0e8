"""One stack for all faults: every connection in it passes the network of the tests."""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from audit import Auditor
from clients import Client, Journal, User, client, register, register_many
from collector import Collector, collect
from faults import Ground
from network import Network
from report import Row, save, table

from openmusic_local.copies import another_gateway
from openmusic_local.stack import Stack
from openmusic_local.temporary import temporary_stack

PAIRS = int(os.environ.get("OPENMUSIC_PAIRS", "150"))
ROWS = pytest.StashKey[list[Row]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smoke: one of the few faults that are tried with every change")
    config.stash[ROWS] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if rows := config.stash[ROWS]:
        terminalreporter.write_line("\n" + table(rows))


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    with Network().running() as network:
        yield network


@pytest.fixture(scope="session")
def stack(network: Network) -> Iterator[Stack]:
    settings = {"ACCESS_TOKEN_AGE": "86400"}  # one login lasts for all faults
    with temporary_stack(settings=settings, port_override=network.port_override) as stack:
        stack.start()
        yield stack


@pytest.fixture(scope="session")
def url(stack: Stack, network: Network) -> str:
    """Where clients ask: in front of the gateway is a proxy as well."""
    return f"http://127.0.0.1:{network.port_override('client', 'gateway', stack.server_port('gateway'))}"


@pytest.fixture(scope="session")
def urls(url: str, stack: Stack, network: Network) -> Iterator[list[str]]:
    """Those of both gateways. No fault is that of the second one, whose clients go on."""
    with another_gateway(stack) as port:
        yield [url, f"http://127.0.0.1:{network.port_override('client', 'gateway-2', port)}"]


@pytest.fixture(scope="session")
def ground(stack: Stack, network: Network) -> Ground:
    return Ground(stack, network)


@pytest.fixture(scope="session")
def auditor(stack: Stack) -> Auditor:
    return Auditor(stack)


@pytest.fixture(scope="session")
def users(url: str) -> list[User]:
    run = secrets.token_hex(3)

    async def register() -> list[User]:
        async with client(url, journal=Journal()) as http:
            return await register_many(http, [f"listener_{run}_{number}" for number in range(2 * PAIRS)])

    return asyncio.run(register())


@pytest.fixture(scope="session")
def collector(url: str, auditor: Auditor) -> Callable[[Client], Collector]:
    """One more user, as that client's."""

    async def make() -> Callable[[Client], Collector]:
        async with client(url, journal=Journal()) as http:
            user = await register(http, f"collector_{secrets.token_hex(3)}")
            return await collect(http, user, partial(auditor.execute, "playlist"))

    return asyncio.run(make())


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Takes a row of the table."""
    rows = request.config.stash[ROWS]

    def add(row: Row) -> None:
        rows.append(row)
        save(rows)

    return add
