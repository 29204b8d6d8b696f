"""The address of an image: parsing it, following redirects, shortening it for people. No I/O."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

import httpx2

from redzone.errors import ErrorCode, FetchFault

SHOWN_LENGTH = 200  # characters of an address that a message shows
PORTS = range(1, 65_536)
HARMLESS_LENGTH = 16  # a signature or token that is worth something is longer

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_SECRET = re.compile(r"(?i)sig|token|key|secret|pass|pwd|auth|cred|hash|hmac|policy|session|x-amz|x-goog")


def url_scheme(reference: str) -> str:
    """The scheme of an address in lower case, or "" for a local path (`C:\\x` and `a: b.jpg` are paths)."""
    match = _SCHEME.match(reference)
    if match is None:
        return ""
    scheme = match[1].lower()
    return scheme if match[2] or scheme in {"http", "https", "file", "data"} else ""


def shorten_url(reference: str) -> str:
    """The address without what could give access: no password, no fragment, no signature or long value.

    Fit for messages and logs: printable, at most 200 characters. A local path only loses its
    control characters.
    """
    text = "".join(character for character in reference if character.isprintable())
    scheme = url_scheme(text)
    if scheme not in {"", "file", "http", "https"}:
        return f"{scheme}:..."
    if scheme in {"http", "https"}:
        text = _without_secrets(text)
    if len(text) > SHOWN_LENGTH:
        half = (SHOWN_LENGTH - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    return text


def _without_secrets(url: str) -> str:
    address, _, _ = url.partition("#")
    address, asks, query = address.partition("?")
    scheme, colon, rest = address.partition(":")
    slashes = rest[: len(rest) - len(rest.lstrip("/\\"))]
    authority, slash, path = rest[len(slashes) :].partition("/")
    # a password may hold a raw `/`: then what looks like the path still holds the `@` of the userinfo
    if "@" not in authority and "@" in path and ":" in authority:
        authority, slash, path = path.rpartition("@")[2], "", ""
    authority = authority.rpartition("@")[2]
    pairs = "&".join(_harmless(pair) for pair in re.split("[&;]", query))
    return f"{scheme}{colon}{slashes}{authority}{slash}{path}{asks}{pairs}"


def _harmless(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if len(name) > HARMLESS_LENGTH and not name.lower().startswith(("x-amz-", "x-goog-")):
        return "..."  # a token may stand there without a name
    if _SECRET.search(unquote_plus(name)) or len(value) > HARMLESS_LENGTH:
        value = "..."
    return f"{name}{equals}{value}"


def parse_address(reference: str) -> httpx2.URL:
    """An http(s) address with a host. Raises FetchFault `fetch-blocked` for every other scheme."""
    if url_scheme(reference) not in {"http", "https"}:
        raise FetchFault(
            ErrorCode.FETCH_BLOCKED,
            f"{shorten_url(reference)} is neither http(s) nor a plain path, and nothing else is opened",
        )
    try:
        url = httpx2.URL(reference)
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchFault(ErrorCode.FETCH_NETWORK, f"{shorten_url(reference)} is no valid address") from error
    if not url.host or (url.port is not None and url.port not in PORTS):
        raise FetchFault(ErrorCode.FETCH_NETWORK, f"{shorten_url(reference)} names no host and port")
    return url


def redirect_target(url: httpx2.URL, location: str | None) -> httpx2.URL:
    """Where a redirect from `url` leads, under the same rules as `parse_address`."""
    where = shorten_url(str(url))
    if not location:
        raise FetchFault(ErrorCode.FETCH_NETWORK, f"{where} redirects without saying where to")
    try:
        target = str(url.join(location))
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchFault(ErrorCode.FETCH_NETWORK, f"{where} redirects to no valid address") from error
    return parse_address(target)
