"""What OpenMusic is compared with, served by uvicorn as the gateway is.

``comparators.py ceiling PORT BYTES`` or ``comparators.py naive PORT SERVICE_URL``
"""

import json
import sys
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response


def ceiling(size: int) -> Any:
    """A bare ASGI application with one constant answer of ``size`` bytes: no server of this kind can be faster."""
    body = json.dumps({"data": "x" * (size - 12)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


def naive(service: str) -> Any:
    """The gateway that comes to mind first: a catch-all route around a pooled client. It checks no token."""
    app = FastAPI()
    client = httpx.AsyncClient(base_url=service)

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def forward(path: str, request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.raw if name not in {b"host", b"content-length"}]
        answer = await client.request(
            request.method, f"/{path}", params=request.query_params, headers=headers, content=await request.body()
        )
        return Response(answer.content, answer.status_code, {"content-type": answer.headers["content-type"]})

    return app


if __name__ == "__main__":
    kind, port, argument = sys.argv[1:]
    application = ceiling(int(argument)) if kind == "ceiling" else naive(argument)
    uvicorn.run(application, port=int(port), log_level="warning", access_log=False, loop="uvloop", http="httptools")
