"""A real browser, and what must never happen in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--metrics-recording-only",
)
LOCAL = ("127.0.0.1", "localhost", "[::1]")


@dataclass
class Witness:
    """Sees everything that pages of a context say and ask for. `allowed` are beginnings of console lines
    that a test provokes on purpose."""

    seen: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    allowed: tuple[str, ...] = ()

    def watch(self, context: BrowserContext) -> None:
        """From now on."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.seen.append(f"error: {error.error}"))
        context.on("request", self._request)

    def assert_clean(self) -> None:
        """No console error or warning (a breach of the CSP is one), no exception, no request off the
        loopback."""
        assert [line for line in self.seen if not line.startswith(self.allowed or ("\0",))] == []

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.seen.append(f"{message.type}: {message.text} {message.location['url']}")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob", "about") and url.hostname not in (*LOCAL, "::1"):
            self.seen.append(f"request off the loopback: {request.url}")


async def no_sideways_scroll(page: Page) -> bool:
    """Whether the page is no wider than its window."""
    wide = await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return bool(wide)
