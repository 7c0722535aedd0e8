"""Headless Chromium as a judge: what it shows of a picture, frame by frame."""

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

PAGE = Path(__file__).with_name("judge.html").read_text()
TIMEOUT = 240  # seconds for all pictures
TYPES = {
    "PNG": "image/png",
    "APNG": "image/png",
    "JPEG": "image/jpeg",
    "WebP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}


@dataclass(frozen=True)
class Shown:
    """``still`` is width, height and pixels of the element ``img``; ``frames`` are duration (µs) and pixels of each."""

    error: str
    still: tuple[int, int, str]
    frames: tuple[tuple[float, str], ...]
    loops: float | None


async def show(pictures: dict[str, bytes]) -> dict[str, Shown]:
    """What it shows of each, by name; a name's first word is the type. Raises TimeoutError."""
    names = list(pictures)
    shown: dict[str, Shown] = {}
    done = asyncio.Event()

    async def page(_: web.Request) -> web.Response:
        types = [TYPES[name.split()[0]] for name in names]
        return web.Response(text=PAGE.replace("TYPES", str(types)), content_type="text/html")

    async def picture(request: web.Request) -> web.Response:
        name = names[int(request.match_info["number"])]
        return web.Response(body=pictures[name], content_type=TYPES[name.split()[0]])

    async def result(request: web.Request) -> web.Response:
        told = await request.json()
        if told is None:
            done.set()
            return web.Response()
        still, played = told["still"], told["frames"]
        shown[names[told["number"]]] = Shown(
            told["error"], tuple(still), tuple((each[0], each[1]) for each in played), told["loops"]
        )
        return web.Response()

    application = web.Application(client_max_size=10_000_000)
    application.router.add_get("/", page)
    application.router.add_get(r"/{number:\d+}", picture)
    application.router.add_post("/shown", result)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    profile = tempfile.mkdtemp()
    chromium = await asyncio.create_subprocess_exec(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb",
        f"--user-data-dir={profile}", "--remote-debugging-port=0", f"http://127.0.0.1:{runner.addresses[0][1]}/",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "HOME": profile},
    )  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT):
            await done.wait()
    finally:
        chromium.terminate()
        await chromium.wait()
        await runner.cleanup()
        shutil.rmtree(profile, ignore_errors=True)
    return shown
