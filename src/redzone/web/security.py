"""Access control and security headers: pure ASGI, the outermost middleware.

Any web page open in a browser on this machine can send requests to its ports. A request must therefore
name a known host (DNS rebinding), another site may link to the dashboard but not embed it or change
anything (CSRF), and outside the loopback a token is required.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redzone.web.services.state import WebOptions

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class AccessRefusal:
    """Why a request is refused, and what to do about it."""

    status: HTTPStatus
    reason: str


Refuse = Callable[[Scope, AccessRefusal], Response]


class Access:
    """Passes a request to the app or refuses it, and adds the security headers to every response."""

    def __init__(self, app: ASGIApp, options: WebOptions, refuse: Refuse) -> None:
        self._app = app
        self._options = options
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                # pages are live and private: no cache may keep them
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        # a client that leaves in the middle of a form or a download is no error, and reads no response
        with suppress(ClientDisconnect):
            await self._answer(scope)(scope, receive, send_guarded)

    def _answer(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        refusal = (
            wrong_host(headers, self._options) or wrong_site(scope["method"], headers) or upgrade(headers)
        )
        if refusal is not None:
            return self._refuse(scope, refusal)
        token = self._options.token
        if token is None or _is_open(scope["path"]):
            return self._app
        given, kept = _split_token(scope["query_string"])
        if given is not None and scope["method"] == "GET" and _same(given, token):
            return self._welcome(scope["path"], kept, headers, token)
        if any(_same(shown, token) for shown in _tokens_shown(headers, self._options.cookie)):
            return self._app
        return self._refuse(
            scope,
            AccessRefusal(
                HTTPStatus.UNAUTHORIZED,
                "This dashboard requires a token. Open the URL that `redzone dashboard` printed when it "
                "started; it ends in ?token=...",
            ),
        )

    def _welcome(self, path: str, query: str, headers: Headers, token: str) -> Response:
        """Sets the cookie and redirects to the same page without the token in its URL."""
        # one slash: two would lead to another host
        place = quote("/" + path.lstrip("/")) + (f"?{query}" if query else "")
        answer: Response = RedirectResponse(place, HTTPStatus.SEE_OTHER)
        if headers.get("sec-fetch-site") not in (None, "none", "same-origin"):
            # the new cookie is not sent on a redirect that another site started, but on a refresh it is
            answer = PlainTextResponse("Opening the dashboard.\n", headers={"Refresh": f"0; url={place}"})
        answer.set_cookie(self._options.cookie, token, httponly=True, samesite="strict")
        return answer


def wrong_host(headers: Headers, options: WebOptions) -> AccessRefusal | None:
    """Rejects unknown Host headers (DNS rebinding)."""
    named = headers.getlist("host")
    host = _host_name(named[0]) if len(named) == 1 else None
    if host is not None and (host in options.names or (options.any_address and _is_address(host))):
        return None
    return AccessRefusal(
        HTTPStatus.MISDIRECTED_REQUEST,
        "The dashboard does not accept this host name. Open the URL that `redzone dashboard` printed, "
        "or start it with --host and the name that you use.",
    )


def wrong_site(method: str, headers: Headers) -> AccessRefusal | None:
    """Rejects requests from another site, except links to a page."""
    site = headers.get("sec-fetch-site")
    if method in SAFE:
        # a frame navigates too, but its destination is not a document
        linked = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if site in (None, "same-origin", "none") or linked:
            return None
        return AccessRefusal(HTTPStatus.FORBIDDEN, "Other sites cannot embed or read the dashboard.")
    if site == "same-origin" or (site is None and _is_own_origin(headers)):
        return None
    return AccessRefusal(
        HTTPStatus.FORBIDDEN,
        "Only the dashboard's own pages may change data. Reload the page and try again.",
    )


def upgrade(headers: Headers) -> AccessRefusal | None:
    """Rejects requests to switch to another protocol."""
    if headers.get("upgrade", "").lower() == "websocket":
        return AccessRefusal(HTTPStatus.BAD_REQUEST, "The dashboard does not use WebSockets.")
    return None


def _is_open(path: str) -> bool:
    # the refusal page needs these, and health probes have no token
    return path in ("/healthz", "/favicon.ico") or path.startswith("/static/")


def _is_own_origin(headers: Headers) -> bool:
    origin = urlsplit(headers.get("origin", ""))
    return origin.scheme in ("http", "https") and origin.netloc.lower() == headers["host"].lower()


def _host_name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return name if parts.netloc == host and "@" not in host else None


def _is_address(host: str) -> bool:
    # a DNS name can be pointed here, an address cannot
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _tokens_shown(headers: Headers, cookie: str) -> list[str]:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    shown = [bearer.strip()] if scheme.lower() == "bearer" else []
    return [*shown, cookie_parser(headers.get("cookie", "")).get(cookie, "")]


def _split_token(query: bytes) -> tuple[str | None, str]:
    """Returns the token of a query string, and the query without it."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = next((value for name, value in pairs if name == "token"), None)
    return given, urlencode([pair for pair in pairs if pair[0] != "token"])
