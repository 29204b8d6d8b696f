"""What the server's refusals mean: for this poster, for the whole run, or for the way it is asked."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from redzone.errors import CredentialsRejected, ErrorCode, ModelFault, ModelUnknown, QuotaExhausted, Retry
from redzone.vision.openai.rate_limit_headers import retry_after_s

if TYPE_CHECKING:
    import httpx2
    import openai


def status_error(status: int, headers: httpx2.Headers, content: bytes) -> openai.APIStatusError:
    """The SDK's error for an answer that is none, with the body's own `error` where it has one."""
    import httpx2
    import openai

    body: object = content.decode(errors="replace")
    with contextlib.suppress(ValueError, RecursionError):
        body = json.loads(content)
    told = body.get("error", body) if isinstance(body, dict) else body
    response = httpx2.Response(status, headers=headers, request=httpx2.Request("POST", "/"))
    return openai.APIStatusError(f"Error code: {status} - {body}", response=response, body=told)


def is_route_missing(error: openai.APIStatusError) -> bool:
    """A 404 or 405 that does not speak of the model: the route itself is not there."""
    if error.status_code not in (404, 405):
        return False
    return error.code != "model_not_found" and "model" not in str(error.message).lower()


def status_fault(error: openai.APIStatusError, message: str, model: str) -> ModelFault:
    """Our reaction to an HTTP status. Raises where every further request would fail too."""
    # `from None`: the cause quotes the answer as it came
    if error.status_code in (401, 403):
        raise CredentialsRejected(f"{message}; check OPENAI_API_KEY and its project's rights") from None
    if error.code == "insufficient_quota":
        raise QuotaExhausted(f"{message}; add credit to the account, then `redzone resume` goes on") from None
    if error.status_code == 404 or error.code == "model_not_found":
        raise ModelUnknown(f"{message}; check --model {model} and --base-url") from None
    if error.status_code == 429:
        return ModelFault(
            ErrorCode.MODEL_UNAVAILABLE, message, Retry.RATE_LIMIT, retry_after_s(error.response.headers)
        )
    if error.status_code >= 500 or error.status_code in (408, 409):
        return ModelFault(ErrorCode.MODEL_UNAVAILABLE, message, Retry.TRANSIENT)
    return ModelFault(ErrorCode.MODEL_REJECTED, message)
