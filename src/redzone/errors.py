"""Everything that can go wrong, in three branches for three reactions.

RedzoneError
├── PosterFault            this poster ends in `error`, the run goes on
│   ├── InputFault             the row cannot be used
│   ├── FetchFault             its image cannot be had
│   ├── ImageFault             its image cannot be decoded
│   ├── ModelFault             one attempt at the model failed; carries the retry decision
│   └── DeadlineFault          it used up its working time
├── RunStopped             the run ends early and can be resumed
│   ├── CredentialsRejected    401, 403                                    exit 2
│   ├── ModelUnknown           the API has no such model                   exit 2
│   ├── ModelAddressUnusable   a redirect elsewhere, a bad certificate     exit 2
│   ├── DownloadsFailing       every download fails                        exit 4
│   ├── QuotaExhausted         the account has no credit left              exit 4
│   ├── BudgetSpent            --max-cost would be exceeded                exit 4
│   ├── BreakerOpen            every request fails                         exit 4
│   ├── InputLost              the input cannot be read to its end any more exit 4
│   ├── JournalFailed          an outcome could not be written             exit 1
│   └── Interrupted            Ctrl-C or SIGTERM                           exit 130, 143
└── UsageError             the user must change something              exit 2
    ├── InputUnusable          missing file, no image column, wrong encoding
    ├── SettingsInvalid        a setting's value is wrong
    ├── ModelFilesMissing      the local model is not installed
    ├── RunNotFound            no run, or several, with that id
    ├── RunLocked              another process works on the run
    ├── InputChanged           the input is not the one the run began with
    └── CheckpointUnusable     unknown schema
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    SOME_ERRORS = 3
    STOPPED = 4
    FAIL_FOUND = 5
    INTERRUPTED = 130
    TERMINATED = 143


class ErrorCode(StrEnum):
    """Why a poster has no verdict. Closed: checkpoint, report and dashboard share it."""

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
    """What an error says about asking again."""

    NO = "no"
    TRANSIENT = "transient"
    RATE_LIMIT = "rate-limit"


class RedzoneError(Exception):
    """Base of every error that redzone raises on purpose."""

    exit_code: ExitCode = ExitCode.UNEXPECTED


class PosterFault(RedzoneError):
    """One poster cannot be judged. `code` and the message go into its outcome."""

    def __init__(self, code: ErrorCode, message: str, retry: Retry = Retry.NO) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry = retry


class InputFault(PosterFault):
    """The row has no usable image reference."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INPUT, message)


class FetchFault(PosterFault):
    """The image cannot be had. `retry_after_s` is the server's own wish, seconds."""

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
    """The bytes are no image that can be judged."""


class DeadlineFault(PosterFault):
    """The poster used up its working time."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.DEADLINE, message, Retry.TRANSIENT)


class ModelFault(PosterFault):
    """One attempt at the model brought no verdict.

    `retry` is the decision: RATE_LIMIT slows the whole run for `retry_after_s` seconds,
    TRANSIENT repeats the question, NO leaves it to the ladder. `may_be_charged`: an answer
    was perhaps made and paid for, but its tokens are not known.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        retry: Retry = Retry.NO,
        retry_after_s: float | None = None,
        may_be_charged: bool = False,
    ) -> None:
        super().__init__(code, message, retry)
        self.retry_after_s = retry_after_s
        self.may_be_charged = may_be_charged


class RunStopped(RedzoneError):
    """The run ends before its last row; `redzone resume` goes on from there."""

    exit_code = ExitCode.STOPPED


class CredentialsRejected(RunStopped):
    """The API does not accept the key."""

    exit_code = ExitCode.USAGE


class ModelUnknown(RunStopped):
    """The API knows no such model, so every further request would fail."""

    exit_code = ExitCode.USAGE


class ModelAddressUnusable(RunStopped):
    """The API's address redirects elsewhere, its certificate is not trusted, or its proxy refuses us."""

    exit_code = ExitCode.USAGE


class DownloadsFailing(RunStopped):
    """Every download has failed for a while: the network or the image server is gone."""


class QuotaExhausted(RunStopped):
    """The account has no credit left; waiting does not help."""


class BudgetSpent(RunStopped):
    """The next request could exceed --max-cost."""


class BreakerOpen(RunStopped):
    """Every request has failed for a while."""


class InputLost(RunStopped):
    """The input was there when the run began, and cannot be read to its end any more."""


class JournalFailed(RunStopped):
    """An outcome could not be made durable, so no further request may be paid for."""

    exit_code = ExitCode.UNEXPECTED


class Interrupted(RunStopped):
    """Somebody asked the run to stop."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(RedzoneError):
    """The user must change something. The text says what, where and the next step."""

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
    """The input differs from the one that the run began with."""


class CheckpointUnusable(UsageError):
    """The checkpoint was written by a version that this one cannot read."""
