"""Turns responses and network errors into fetch faults. Pure, without I/O."""

from __future__ import annotations

import re
import ssl

import httpx2

from redzone.errors import ErrorCode, FetchFault, Retry

EXCERPT_LENGTH = 120  # characters of an error page: before the part where object stores echo key ids

STATUS_CODES = {
    401: ErrorCode.FETCH_HTTP_401,
    403: ErrorCode.FETCH_HTTP_403,
    404: ErrorCode.FETCH_HTTP_404,
    410: ErrorCode.FETCH_HTTP_410,
    429: ErrorCode.FETCH_HTTP_429,
}

_INVISIBLE_MARKUP = re.compile(r"(?is)<(script|style)\b.*?(</\1[^>]*>?|\Z)|<!--.*?(-->|\Z)")
_MARKUP = re.compile(r"<[^>]*>?")


def excerpt(body: bytes) -> str:
    """The first words of an error page: no markup, no control characters, at most 120 characters."""
    text = _INVISIBLE_MARKUP.sub(" ", body.decode("utf-8", errors="replace"))
    text = "".join(character if character.isprintable() else " " for character in _MARKUP.sub(" ", text))
    return " ".join(text.replace("\N{REPLACEMENT CHARACTER}", " ").split())[:EXCERPT_LENGTH].strip()


def status_fault(status: int, where: str, body: bytes, retry_after_s: float | None) -> FetchFault:
    """The fault for a response without an image: 408, 429 and 5xx may be retried, other statuses not."""
    words = excerpt(body)
    message = f"HTTP {status} from {where}" + (f": {words}" if words else "")
    if status == 429:
        return FetchFault(ErrorCode.FETCH_HTTP_429, message, Retry.RATE_LIMIT, retry_after_s)
    if 500 <= status <= 599:
        return FetchFault(ErrorCode.FETCH_HTTP_5XX, message, Retry.TRANSIENT, retry_after_s)
    if 400 <= status <= 499:
        retry = Retry.TRANSIENT if status == 408 else Retry.NO
        return FetchFault(STATUS_CODES.get(status, ErrorCode.FETCH_HTTP_4XX), message, retry)
    return FetchFault(ErrorCode.FETCH_NETWORK, f"unexpected {message}")


def network_fault(error: Exception, where: str) -> FetchFault:
    """The fault for a request without a complete response: worth another try, unless the request itself or
    the server's certificate is wrong."""
    if isinstance(error, httpx2.TimeoutException):
        return FetchFault(ErrorCode.FETCH_TIMEOUT, f"{where}: {type(error).__name__}", Retry.TRANSIENT)
    cause = _root_cause(error)
    words = excerpt(str(cause).encode()) or type(error).__name__
    own = isinstance(error, (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol))
    refused = isinstance(error, httpx2.ProxyError) and "407" in str(error)
    final = own or refused or isinstance(cause, ssl.SSLCertVerificationError)
    if isinstance(error, httpx2.ProxyError):
        words = f"the proxy: {words}"
    return FetchFault(ErrorCode.FETCH_NETWORK, f"{where}: {words}", Retry.NO if final else Retry.TRANSIENT)


def _root_cause(error: BaseException) -> BaseException:
    """The first error of a chain, httpx2's, httpcore2's and anyio's taken off; a failed lookup keeps the
    message that names the host."""
    while (inner := error.__cause__ or error.__context__) is not None:
        if "cannot be resolved" in str(error):
            break
        error = inner
    return error
