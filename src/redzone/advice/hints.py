"""What to do about each kind of error, in a line."""

from __future__ import annotations

from redzone.errors import ErrorCode

HINTS: dict[ErrorCode, str] = {
    ErrorCode.INPUT: "correct these rows in the input; each message names its row",
    ErrorCode.FETCH_TIMEOUT: "the image server is slow: resume with --retry-errors, or allow more time",
    ErrorCode.FETCH_NETWORK: "check the connection and the host name, then resume with --retry-errors",
    ErrorCode.FETCH_MISSING: "the file is not there: paths are relative to the input file",
    ErrorCode.FETCH_BLOCKED: "the address is not a public one; only public hosts are fetched from",
    ErrorCode.FETCH_HTTP_401: "the image server wants a login: use addresses that need none",
    ErrorCode.FETCH_HTTP_403: "the image server refuses: a signed address may have expired",
    ErrorCode.FETCH_HTTP_404: "the image is gone: correct the address in the input",
    ErrorCode.FETCH_HTTP_410: "the image was withdrawn: remove the row or give it a new address",
    ErrorCode.FETCH_HTTP_429: "the image server wants fewer requests: resume later with fewer workers",
    ErrorCode.FETCH_HTTP_4XX: "the image server refuses the request: open one address in a browser",
    ErrorCode.FETCH_HTTP_5XX: "the image server failed: resume later with --retry-errors",
    ErrorCode.IMAGE_UNREADABLE: "the bytes are no picture: open one address in a browser",
    ErrorCode.IMAGE_TOO_LARGE: "give addresses of smaller pictures, or raise the limit in the settings",
    ErrorCode.MODEL_TIMEOUT: "the model was slow: resume with --retry-errors, or allow more time",
    ErrorCode.MODEL_REFUSED: "the model declined to look: judge these posters by eye, or try another model",
    ErrorCode.MODEL_UNREADABLE: "the answers did not fit the question: try another model",
    ErrorCode.MODEL_UNAVAILABLE: "the model's servers failed: resume later with --retry-errors",
    ErrorCode.MODEL_REJECTED: "the API does not accept the request: check the model's name and settings",
    ErrorCode.DEADLINE: "a poster took too long: resume with --retry-errors, or raise the deadline",
    ErrorCode.BUDGET: "the budget was spent: resume with a higher one",
    ErrorCode.INTERNAL: "a fault in redzone: the run's log has the details",
}
