"""Structured logs: one JSON object a line on standard output, each with the ``request_id`` it belongs to.

The local part of an e-mail address is masked wherever it stands, such as in what a mail server replied. Its domain
stays: operators need it to see which mail server a problem belongs to.
"""

import logging
import re
import sys
import time
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from openmusic_kit.context import request_id

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"  # in UTC; milliseconds and a Z follow
_LOCAL_PART = re.compile(r"""[^\s<>"(),:;@]+(?=@[^\s<>"(),:;@])""")


class _Formatter(JsonFormatter):
    converter = staticmethod(time.gmtime)
    default_time_format = TIME_FORMAT
    default_msec_format = "%s.%03dZ"

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: _masked(value) for name, value in super().process_log_record(log_data).items()}


def _masked(value: object) -> object:
    if isinstance(value, str):
        return _LOCAL_PART.sub("***", value)
    if isinstance(value, dict):
        return {name: _masked(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(each) for each in value]
    return value if value is None or isinstance(value, int | float) else _masked(str(value))


class _RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = request_id.get()
        return True


def configure_logging(service: str, level: str = "INFO") -> None:
    """Every logger of the process, libraries included, ends here."""
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_RequestIdFilter())
    handler.setFormatter(
        _Formatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": service},
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("httpx", "httpcore", "aio_pika", "aiormq", "yoyo", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
