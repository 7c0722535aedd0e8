"""``Upgrade`` is ignored (RFC 9110, section 7.8), which httptools does not do: it takes what follows for that protocol.

So the head is read once more without it, by a parser that starts afresh. Nothing of the head is used before that, and
the bytes after it are read once.
"""

from typing import Any, Protocol

import httptools


class UpgradingRequest(Protocol):
    """Hears what is parsed, and keeps the head until then."""

    def head_without_upgrade(self) -> bytes: ...


class UpgradeIgnoringParser(httptools.HttpRequestParser):
    """Reads a request that asks for another protocol as if it did not."""

    def __init__(self, protocol: UpgradingRequest) -> None:
        super().__init__(protocol)
        self._protocol = protocol
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it

    def feed_data(self, data: Any) -> None:
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = memoryview(data)[upgrade.args[0] :]
                head = self._protocol.head_without_upgrade()
                self.__init__(self._protocol)  # type: ignore[misc]  # it skips the body, and all after a last request
                super().feed_data(head)
            else:
                return
