"""The pages for people, in a real browser: by keyboard, at a phone's width, with nothing on the console."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from openmusic_local.temporary import temporary_stack

PHONE = {"width": 390, "height": 844}
SCREENSHOTS = os.environ.get("OPENMUSIC_SCREENSHOTS")  # a folder for pictures of the pages, e.g. docs/screenshots

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="tests/browser/install installs a browser")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with temporary_stack() as stack:
        stack.start()
        yield stack.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[{"width": 1280, "height": 900}, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    """A page that may load nothing from elsewhere; what the browser complains about fails the test."""
    complaints: list[str] = []
    page = browser.new_page(viewport=request.param, base_url=url)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda made: None if made.url.startswith((url, "data:")) else complaints.append(made.url))
    yield page
    page.close()
    assert complaints == []


def test_the_home_page_leads_to_the_reference_by_keyboard(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("status")).to_have_text("Everything works")
    _fits_the_screen(page)
    _keep(page, "home")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="API reference")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="OpenMusic")).to_be_visible()


def test_a_listener_registers_logs_in_and_calls_a_protected_operation(page: Page) -> None:
    username = f"reader_{secrets.token_hex(4)}"
    page.goto("/docs")
    _fits_the_screen(page)

    _execute(page, "POST", "/users", f'{{"username": "{username}", "password": "secret", "fullname": "R"}}', 201)
    _execute(page, "POST", "/authentications", f'{{"username": "{username}", "password": "secret"}}', 201)
    _execute(page, "POST", "/playlists", '{"name": "Made in the reference"}', 201)  # with the token of the login
    answer = _execute(page, "GET", "/playlists", None, 200)

    assert "Made in the reference" in answer
    _keep(page, "reference")


def test_every_operation_can_be_reached_by_keyboard(page: Page) -> None:
    page.goto("/docs")
    operations = page.locator(".opblock-summary-control")
    expect(operations.first).to_be_visible()

    assert operations.count() > 25
    operations.first.focus()
    page.keyboard.press("Enter")
    expect(operations.first).to_have_attribute("aria-expanded", "true")


def _execute(page: Page, method: str, path: str, body: str | None, status: int) -> str:
    """Tries an operation as a reader would, and gives the text of the answer."""
    operation = page.locator(f".opblock-{method.lower()}").filter(
        has=page.locator(f'.opblock-summary-path[data-path="{path}"]')
    )
    operation.locator(".opblock-summary-control").click()
    if body is not None:
        operation.locator("textarea.body-param__text").fill(body)
    operation.get_by_role("button", name="Execute").click()
    live = operation.locator(".live-responses-table")
    expect(live.locator("tbody td.response-col_status").first).to_contain_text(str(status))
    return live.inner_text()


def _fits_the_screen(page: Page) -> None:
    wide, visible = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= visible, f"{wide} pixels wide, {visible} are visible"


def _keep(page: Page, name: str) -> None:
    if SCREENSHOTS and page.viewport_size is not None:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        kind = "phone" if page.viewport_size["width"] == PHONE["width"] else "desktop"
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{kind}.png")
