from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from openmusic_kit.database.database import Database
from openmusic_kit.edge.answers import purge_with_answer
from openmusic_kit.idempotency.keys import current_key
from openmusic_kit.idempotency.results import AlreadyDone, require_new


class _Service(Protocol):
    _database: Database


S = TypeVar("S", bound=_Service)
P = ParamSpec("P")
R = TypeVar("R", bound=str | None)
Method = Callable[Concatenate[S, P], Coroutine[Any, Any, R]]


def repeatable(change: Method[S, P, R]) -> Method[S, P, R]:
    """A method of a service that makes a change once for each key, and returns the first result to a repeat.

    It passes its ``result`` to the transaction that makes the change. Raises KeyReused and UnderWay.
    """

    @wraps(change)
    async def once(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = current_key()
        if key is None:
            return await change(self, *args, **kwargs)
        try:
            async with self._database.read() as connection:
                await require_new(connection, key)
            return await change(self, *args, **kwargs)
        except AlreadyDone as done:
            await purge_with_answer(done.result.tags)
            return done.result.value  # type: ignore[return-value]  # as the method itself returned it

    return once
