import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from openmusic_kit.database import connections
from openmusic_kit.database.database import Database, open_database
from openmusic_kit.errors import Unavailable
from openmusic_kit.settings import DatabaseSettings
from openmusic_kit.web.health import HardCheck, Health
from openmusic_testkit.vanishing import VanishingProxy
from openmusic_testkit.waiting import eventually

STATEMENT_TIMEOUT = 0.5
PATIENCE = STATEMENT_TIMEOUT + connections.ANSWER_MARGIN + 1.0  # a second for a machine that is busy


@pytest.fixture
async def proxy(database_settings: DatabaseSettings) -> AsyncIterator[VanishingProxy]:
    async with VanishingProxy(database_settings.pgport).running() as proxy:
        yield proxy


@pytest.fixture
async def through_proxy(proxy: VanishingProxy, database_settings: DatabaseSettings) -> AsyncIterator[Database]:
    """A pool whose connections all were used before."""
    settings = {"pgport": proxy.port, "pg_statement_timeout": STATEMENT_TIMEOUT, "pg_pool_max": 4}
    async with open_database(database_settings.model_copy(update=settings)) as database:

        async def use() -> None:
            async with database.read() as connection:
                await connection.execute("SELECT pg_sleep(0.2)")

        while proxy.connections < 4:
            await asyncio.gather(*(use() for _ in range(4)))
        yield database


async def _write(database: Database) -> None:
    async with database.unit_of_work() as work:
        await work.connection.execute("SELECT 1 FROM outbox LIMIT 1")
        await work.commit()


async def _write_at_once(database: Database) -> None:
    async with database.autocommit() as connection:
        await connection.execute("INSERT INTO inbox (event_id) VALUES (gen_random_uuid()::text)")


@pytest.mark.parametrize("use", [Database.ping, _write, _write_at_once])
async def test_when_packets_vanish_each_use_ends_in_time_and_the_pool_recovers_at_once(
    proxy: VanishingProxy, through_proxy: Database, use: Callable[[Database], Awaitable[None]]
) -> None:
    proxy.vanish(new_ones=True)
    started = time.monotonic()
    outcomes = await asyncio.wait_for(
        asyncio.gather(*(use(through_proxy) for _ in range(4)), return_exceptions=True), PATIENCE
    )
    assert [type(each) for each in outcomes] == [Unavailable] * 4
    assert time.monotonic() - started >= STATEMENT_TIMEOUT + connections.ANSWER_MARGIN
    proxy.recover()
    await asyncio.wait_for(_succeeds(use, through_proxy), connections.CONNECT_TIMEOUT + PATIENCE)
    await asyncio.wait_for(asyncio.gather(*(use(through_proxy) for _ in range(20))), PATIENCE)


async def _succeeds(use: Callable[[Database], Awaitable[None]], database: Database) -> None:
    while True:
        try:
            await use(database)
        except Unavailable:
            continue
        return


async def test_one_lost_answer_is_enough_to_give_up_every_connection_that_is_as_old(
    proxy: VanishingProxy, through_proxy: Database
) -> None:
    proxy.vanish(new_ones=True)
    with pytest.raises(Unavailable):
        await through_proxy.ping()
    proxy.recover()
    before = proxy.connections
    await asyncio.wait_for(_succeeds(Database.ping, through_proxy), connections.CONNECT_TIMEOUT + PATIENCE)
    for _ in range(8):
        await asyncio.wait_for(through_proxy.ping(), STATEMENT_TIMEOUT)
    assert proxy.connections > before


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_an_end_whose_answer_is_lost_is_unavailable_in_time(
    proxy: VanishingProxy, through_proxy: Database, end: str
) -> None:
    async def write() -> None:
        async with through_proxy.unit_of_work() as work:
            await work.connection.execute("SELECT 1")
            proxy.vanish(new_ones=True)
            if end == "commit":
                await work.commit()

    with pytest.raises(Unavailable):
        await asyncio.wait_for(write(), PATIENCE)


async def test_who_is_cancelled_while_packets_vanish_waits_no_longer_than_it_takes_to_find_out(
    proxy: VanishingProxy, through_proxy: Database
) -> None:
    inside = asyncio.Event()

    async def read() -> None:
        async with through_proxy.read() as connection:
            proxy.vanish(new_ones=True)
            inside.set()
            await connection.execute("SELECT 1")

    reading = asyncio.create_task(read())
    await inside.wait()
    reading.cancel()
    await asyncio.wait_for(asyncio.wait([reading]), connections.CANCEL_TIMEOUT + 1.0)
    assert reading.cancelled()


async def test_a_connection_outside_the_pool_has_deadlines_too_its_own_if_it_wants(
    proxy: VanishingProxy, through_proxy: Database
) -> None:
    async with through_proxy.own_connection() as usual, through_proxy.own_connection(0.1) as impatient:
        proxy.vanish(new_ones=True)
        for connection, patience in ((impatient, 0.1), (usual, STATEMENT_TIMEOUT + connections.ANSWER_MARGIN)):
            started = time.monotonic()
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT 1")
            assert patience <= time.monotonic() - started < patience + 10
            assert connection.closed


async def test_silence_is_no_lost_answer_for_who_waits_for_notifications_with_a_timeout(database: Database) -> None:
    async with database.own_connection(0.1) as connection:
        await connection.execute("LISTEN nothing")
        assert [each async for each in connection.notifies(timeout=0.3)] == []
        assert not connection.closed
        assert [each async for each in connection.notifies()] == []
        assert connection.closed


async def test_a_statement_that_fails_does_not_cost_the_connection(database: Database) -> None:
    async with database.own_connection() as connection:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await connection.execute("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$")
        assert not connection.closed


async def test_a_health_report_waits_for_no_check_that_does_not_end(
    proxy: VanishingProxy, through_proxy: Database
) -> None:
    """Not even for one that takes its time to notice that it was cancelled."""
    proxy.vanish(new_ones=True)
    report = await asyncio.wait_for(Health({"database": HardCheck(through_proxy.ping)}).report(), 3.0)
    assert not report.ready


async def test_postgresql_and_the_kernels_are_told_when_to_give_up(database: Database) -> None:
    told = conninfo_to_dict(database.conninfo)
    assert told["keepalives"] == "1"
    assert int(told["keepalives_idle"]) + int(told["keepalives_interval"]) * int(told["keepalives_count"]) == 5
    assert told["tcp_user_timeout"] == "5000"
    wanted = {
        "statement_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
        "client_connection_check_interval": "1s",
        "tcp_keepalives_idle": "2",
        "tcp_keepalives_interval": "1",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "0",
    }
    async with database.read() as connection:
        for name, value in wanted.items():
            cursor = await connection.execute("SELECT current_setting(%s) AS value", (name,))
            assert (name, await cursor.fetchone()) == (name, {"value": value})


async def test_postgresql_ends_the_statement_of_a_client_that_hung_up(database: Database) -> None:
    """So that what was given up here does not happen long after."""
    slow = "SELECT pg_sleep(9)"
    async with database.own_connection() as connection:
        running = asyncio.create_task(connection.execute(slow))
        async with database.read() as operator:

            async def runs() -> bool:
                cursor = await operator.execute(
                    "SELECT FROM pg_stat_activity WHERE usename = current_user AND query = %s AND state = 'active'",
                    (slow,),
                )
                return cursor.rowcount == 1

            async def ended() -> bool:
                return not await runs()

            await eventually(runs)
            connection.pgconn.finish()
            running.cancel()
            await asyncio.wait([running])
            await eventually(ended, 5)


async def test_connections_that_postgresql_hung_up_on_are_not_handed_out(database: Database) -> None:
    await asyncio.gather(*(database.ping() for _ in range(20)))
    async with await AsyncConnection.connect(database.conninfo, autocommit=True) as operator:
        await operator.execute("CREATE TEMPORARY VIEW others AS SELECT pid FROM pg_stat_activity "
                               "WHERE usename = current_user AND pid <> pg_backend_pid()")  # fmt: skip
        cursor = await operator.execute("SELECT pg_terminate_backend(pid) FROM others")
        assert cursor.rowcount > 0

        async def gone() -> bool:
            return (await operator.execute("SELECT FROM others")).rowcount == 0

        await eventually(gone)
    await asyncio.gather(*(database.ping() for _ in range(20)))


async def test_a_single_statement_commits_itself_and_a_second_is_refused(database: Database) -> None:
    async with database.autocommit() as connection:
        await connection.execute("INSERT INTO inbox (event_id) VALUES ('single')")
        with pytest.raises(RuntimeError, match="one statement"):
            await connection.execute("INSERT INTO inbox (event_id) VALUES ('second')")
    async with database.read() as connection:
        cursor = await connection.execute("SELECT FROM inbox WHERE event_id IN ('single', 'second')")
        assert cursor.rowcount == 1


async def test_without_a_commit_a_unit_of_work_leaves_nothing(database: Database) -> None:
    async with database.unit_of_work() as work:
        await work.connection.execute("INSERT INTO inbox (event_id) VALUES ('undone')")
    async with database.read() as connection:
        cursor = await connection.execute("SELECT FROM inbox WHERE event_id = 'undone'")
        assert cursor.rowcount == 0


async def test_the_first_request_after_a_restart_of_the_database_is_served(database_settings: DatabaseSettings) -> None:
    """However many connections the pool had, none of which is good any more."""
    async with open_database(database_settings) as database:

        async def use() -> None:
            async with database.read() as connection:
                await connection.execute("SELECT pg_sleep(0.2)")

        await asyncio.gather(*(use() for _ in range(8)))
        async with database.read() as connection:
            ended = await connection.execute(
                """
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE usename = current_user AND pid <> pg_backend_pid()
                """
            )
            assert ended.rowcount > 3

        for _ in range(8):
            await database.ping()
