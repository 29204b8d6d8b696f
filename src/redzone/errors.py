"""All errors, in three branches for three reactions.

RedzoneError
├── PosterFault            this poster ends in `error`; the run continues
│   ├── InputFault             the row cannot be used
│   ├── FetchFault             its image cannot be downloaded
│   ├── ImageFault             its image cannot be decoded
│   ├── ModelFault             one attempt at the model failed; carries the retry decision
│   └── DeadlineFault          it used up its working time
├── RunStopped             the run ends early and can be resumed
│   ├── CredentialsRejected    401, 403, a key refused by 400              exit 2
│   ├── ModelUnknown           the API has no such model                   exit 2
│   ├── ModelUnsuitable        the model cannot look at images             exit 2
│   ├── ModelAddressUnusable   a redirect elsewhere, a bad certificate     exit 2
│   ├── DownloadsFailing       every download fails                        exit 4
│   ├── QuotaExhausted         the account has no credit left              exit 4
│   ├── WaitTooLong            a day's limit, or a longer wait than allowed exit 4
│   ├── BudgetSpent            --max-cost would be exceeded                exit 4
│   ├── BreakerOpen            every request fails, or is refused alike    exit 4
│   ├── InputLost              the input cannot be read to its end any more exit 4
│   ├── JournalFailed          an outcome could not be written             exit 1
│   └── Interrupted            Ctrl-C, SIGTERM or SIGHUP                   exit 130, 143
└── UsageError             the user must change something              exit 2
    ├── InputUnusable          missing file, no image column, wrong encoding
    ├── SettingsInvalid        a setting's value is wrong
    ├── ModelFilesMissing      the local model is not installed
    ├── RunNotFound            no run, or several, with that id
    ├── RunLocked              another process works on the run
    ├── InputChanged           the input differs from the one the run started with
    └── CheckpointUnusable     unknown schema
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """Exit codes of the process."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    SOME_ERRORS = 3
    STOPPED = 4
    FAIL_FOUND = 5
    INTERRUPTED = 130
    TERMINATED = 143


class ErrorCode(StrEnum):
    """Why a poster has no verdict. A closed set, shared by checkpoint, reports and dashboard."""

    INPUT = "input"
    FETCH_TIMEOUT = "fetch-timeout"
    FETCH_NETWORK = "fetch-network"
    FETCH_MISSING = "fetch-missing"
    FETCH_BLOCKED = "fetch-blocked"
    FETCH_HTTP_401 = "fetch-http-401"
    FETCH_HTTP_403 = "fetch-http-403"
    FETCH_HTTP_404 = "fetch-http-404"
    FETCH_HTTP_410 = "fetch-http-410"
    FETCH_HTTP_429 = "fetch-http-429"
    FETCH_HTTP_4XX = "fetch-http-4xx"
    FETCH_HTTP_5XX = "fetch-http-5xx"
    IMAGE_UNREADABLE = "image-unreadable"
    IMAGE_TOO_LARGE = "image-too-large"
    MODEL_TIMEOUT = "model-timeout"
    MODEL_REFUSED = "model-refused"
    MODEL_UNREADABLE = "model-unreadable"
    MODEL_UNAVAILABLE = "model-unavailable"
    MODEL_REJECTED = "model-rejected"
    DEADLINE = "deadline"
    BUDGET = "budget"
    INTERNAL = "internal"


class Retry(StrEnum):
    """What an error says about asking again. ADAPTED: the request has been changed to what the server
    accepts, so the same question is asked again at once."""

    NO = "no"
    TRANSIENT = "transient"
    RATE_LIMIT = "rate-limit"
    ADAPTED = "adapted"


class RedzoneError(Exception):
    """Base class of all errors that redzone raises on purpose."""

    exit_code: ExitCode = ExitCode.UNEXPECTED


class PosterFault(RedzoneError):
    """One poster gets no verdict. Code and message go into its outcome."""

    def __init__(self, code: ErrorCode, message: str, retry: Retry = Retry.NO) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry = retry


class InputFault(PosterFault):
    """The row has no usable image address or path."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INPUT, message)


class FetchFault(PosterFault):
    """The image cannot be downloaded. `retry_after_s` is the pause that the server asked for, seconds."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        retry: Retry = Retry.NO,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, message, retry)
        self.retry_after_s = retry_after_s


class ImageFault(PosterFault):
    """The bytes are not an image that can be decoded."""


class DeadlineFault(PosterFault):
    """The poster exceeded its deadline."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.DEADLINE, message, Retry.TRANSIENT)


class ModelFault(PosterFault):
    """One request to the model returned no verdict.

    `retry` is the decision: RATE_LIMIT slows the whole run for `retry_after_s` seconds, TRANSIENT and
    ADAPTED repeat the question, NO leaves it to the retry policy. `may_be_charged`: an answer may have been
    produced and billed, but its tokens are not known. `refusal` identifies a refusal by the server, its
    status and code, such as `400 invalid_value`; empty where others would not meet the same.
    """

    def __init__(  # noqa: PLR0913  a value with defaults
        self,
        code: ErrorCode,
        message: str,
        retry: Retry = Retry.NO,
        retry_after_s: float | None = None,
        may_be_charged: bool = False,
        refusal: str = "",
    ) -> None:
        super().__init__(code, message, retry)
        self.retry_after_s = retry_after_s
        self.may_be_charged = may_be_charged
        self.refusal = refusal


class RunStopped(RedzoneError):
    """The run stops before its last row; `redzone resume` continues it."""

    exit_code = ExitCode.STOPPED


class CredentialsRejected(RunStopped):
    """The API does not accept the key."""

    exit_code = ExitCode.USAGE


class ModelUnknown(RunStopped):
    """The API does not know the model, so every request would fail."""

    exit_code = ExitCode.USAGE


class ModelUnsuitable(RunStopped):
    """The model cannot look at images."""

    exit_code = ExitCode.USAGE


class ModelAddressUnusable(RunStopped):
    """The API's address redirects elsewhere, its certificate is not trusted, or its proxy refuses us."""

    exit_code = ExitCode.USAGE


class DownloadsFailing(RunStopped):
    """Every download has failed for a while: the network or the image server is gone."""


class QuotaExhausted(RunStopped):
    """The account has no credit left; waiting does not help."""


class WaitTooLong(RunStopped):
    """The server asks to wait longer than `max_hold_s`, such as until a day's limit is reset."""


class BudgetSpent(RunStopped):
    """The next request could exceed --max-cost."""


class BreakerOpen(RunStopped):
    """All requests have failed for some time."""


class InputLost(RunStopped):
    """The input was readable when the run started, but can no longer be read to its end."""


class JournalFailed(RunStopped):
    """An outcome could not be written to disk, so no further request may be sent."""

    exit_code = ExitCode.UNEXPECTED


class Interrupted(RunStopped):
    """A signal stopped the run."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(RedzoneError):
    """The user must change something. The message says what, where and the next step."""

    exit_code = ExitCode.USAGE


class InputUnusable(UsageError):
    """The input as a whole cannot be read."""


class SettingsInvalid(UsageError):
    """A setting's value is wrong."""


class ModelFilesMissing(UsageError):
    """The local model's files or its runtime are not installed."""


class RunNotFound(UsageError):
    """No run, or more than one, matches the id."""


class RunLocked(UsageError):
    """Another process is working on the run."""


class InputChanged(UsageError):
    """The input differs from the one that the run started with."""


class CheckpointUnusable(UsageError):
    """The checkpoint was written by a version that this one cannot read."""
