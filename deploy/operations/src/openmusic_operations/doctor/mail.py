"""The mail server: whether it takes connections."""

import asyncio

from openmusic_operations.doctor.findings import Finding, ok, problem
from openmusic_operations.processes import Configured

TIMEOUT = 5.0  # seconds


async def examine(each: Configured) -> list[Finding]:
    host: str = getattr(each.settings, "smtp_host")  # noqa: B009 - of one service, which this does not import
    port: int = getattr(each.settings, "smtp_port")  # noqa: B009 - likewise
    subject = f"mail server {host}:{port}"
    try:
        async with asyncio.timeout(TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        remedy = "Check SMTP_HOST and SMTP_PORT, and the firewall. Exports wait until it answers."
        return [problem(subject, f"takes no connection: {error or type(error).__name__}", remedy)]
    writer.close()
    return [ok(subject, "takes connections")]
