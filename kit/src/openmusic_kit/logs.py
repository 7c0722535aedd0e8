"""Structured logs: one JSON object a line on standard output, each with the ``request_id`` it belongs to."""

import logging
import sys
import time

from pythonjsonlogger.json import JsonFormatter

from openmusic_kit.context import request_id

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"  # in UTC; behind it come milliseconds and a Z


class _UtcFormatter(JsonFormatter):
    converter = staticmethod(time.gmtime)
    default_time_format = TIME_FORMAT
    default_msec_format = "%s.%03dZ"


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
        _UtcFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": service},
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("httpx", "httpcore", "aio_pika", "aiormq", "yoyo", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
