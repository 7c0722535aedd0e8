"""httpx for tests: never over TLS, and with nothing from the environment.

Each client of httpx reads all authorities that the machine trusts, which takes 50 ms; these share a context that trusts
none.
"""

import ssl
from functools import partial
from typing import Any

import httpx

_OPTIONS: dict[str, Any] = {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "timeout": 20}

Client = partial(httpx.Client, **_OPTIONS)
AsyncClient = partial(httpx.AsyncClient, **_OPTIONS)
request = partial(httpx.request, **_OPTIONS)
options = partial(httpx.options, **_OPTIONS)
get = partial(httpx.get, **_OPTIONS)
post = partial(httpx.post, **_OPTIONS)
put = partial(httpx.put, **_OPTIONS)
delete = partial(httpx.delete, **_OPTIONS)
