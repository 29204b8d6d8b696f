"""Provider `openai`: the OpenAI API, and every server that speaks it (vLLM, Ollama, llama.cpp).

One attempt is exactly one HTTP request: the SDK's own retries are off. The SDK's errors are mapped to
ours here and nowhere else.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from redzone.errors import (
    CredentialsRejected,
    ErrorCode,
    ModelFault,
    ModelUnknown,
    QuotaExhausted,
    Retry,
)
from redzone.models import Allowance, Question, Reply, Source, Tokens, ViewKind, Wording
from redzone.vision import prompts
from redzone.vision.interface import Estimate
from redzone.vision.prices import Price, image_tokens

if TYPE_CHECKING:
    import httpx2
    import openai

# A prompt token is about 4 characters of English; 3 makes the estimate an upper bound.
CHARS_PER_TOKEN = 3
REQUEST_OVERHEAD_TOKENS = 50
MESSAGE_CHARS = 300  # of a server's own words in a fault
SHORTEST_KEY = 8  # servers without keys are given "none", a word of many messages


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """How the API is reached. `prices` by model; a model without one counts as free."""

    api_key: str = field(repr=False)
    base_url: str | None = None
    timeout_s: float = 60.0
    max_output_tokens: int = 600
    max_connections: int = 200
    prices: Mapping[str, Price] = field(default_factory=dict)


class OpenAIVision:
    """Asks a vision model over the Responses API, or over Chat Completions where that does not exist."""

    name = "openai"
    source = Source.MODEL
    paid = True
    views: tuple[ViewKind, ...] = (ViewKind.CROP, ViewKind.POSTER)
    prompt_version = prompts.VERSION

    def __init__(self, options: OpenAIOptions, notice: Callable[[str], None]) -> None:
        import openai

        self._options = options
        self._notice = notice
        self._chat = False
        self._http = _http_client(options)
        self._client = openai.AsyncOpenAI(
            api_key=options.api_key,
            base_url=options.base_url,
            timeout=options.timeout_s,
            max_retries=0,
            http_client=self._http,
        )

    def estimate(self, question: Question) -> Estimate:
        """An upper bound: the picture by the published rule, the text by its length, the whole reserve."""
        chars = len(prompts.instruction(question))
        if question.wording is Wording.FULL:
            chars += prompts.schema_length(question.zones)
        picture = image_tokens(question.model, question.view.width, question.view.height)
        tokens = Tokens(
            input=picture + math.ceil(chars / CHARS_PER_TOKEN) + REQUEST_OVERHEAD_TOKENS,
            output=self._options.max_output_tokens,
        )
        price = self._options.prices.get(question.model)
        return Estimate(tokens.input, tokens.output, price.cost_usd(tokens) if price else 0.0)

    def cost_usd(self, reply: Reply) -> float:
        """By the tokens that the API reported and the price list; 0 where the price is not known."""
        price = self._options.prices.get(reply.model)
        return price.cost_usd(reply.tokens) if price else 0.0

    async def ask(self, question: Question) -> Reply:
        """One request. Raises CredentialsRejected, QuotaExhausted or ModelUnknown."""
        import openai

        chat = self._chat  # another request may find out meanwhile
        try:
            return await (self._ask_chat(question) if chat else self._ask_responses(question))
        except openai.APIStatusError as error:
            allowance = read_allowance(error.response.headers)
            if not chat and _is_route_missing(error):
                return Reply(self._change_to_chat(), question.model, allowance=allowance)
            text = self._without_key(f"HTTP {error.status_code}: {error.message}")[:MESSAGE_CHARS]
            return Reply(_status_fault(error, text, question.model), question.model, allowance=allowance)
        except openai.APITimeoutError as error:
            text = f"no answer within {self._options.timeout_s:g} s"
            fault = ModelFault(
                ErrorCode.MODEL_TIMEOUT, text, Retry.TRANSIENT, may_be_charged=_was_sent(error)
            )
            return Reply(fault, question.model)
        except (openai.APIConnectionError, openai.APIResponseValidationError) as error:
            text = self._without_key(f"{error.message} {error.__cause__ or ''}".strip())[:MESSAGE_CHARS]
            fault = ModelFault(
                ErrorCode.MODEL_UNAVAILABLE, text, Retry.TRANSIENT, may_be_charged=_was_sent(error)
            )
            return Reply(fault, question.model)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _change_to_chat(self) -> ModelFault:
        """Use Chat Completions from here on; the question is put again over it."""
        if not self._chat:
            self._chat = True
            self._notice(f"{self._client.base_url} has no Responses API; using Chat Completions from here on")
        return ModelFault(ErrorCode.MODEL_UNAVAILABLE, "no Responses API", Retry.TRANSIENT)

    def _without_key(self, text: str) -> str:
        """A server's or a library's own words; some of them quote the key."""
        key = self._options.api_key
        if len(key) < SHORTEST_KEY:
            return text
        return text.replace(key, "***").replace(repr(key)[1:-1], "***")

    async def _ask_responses(self, question: Question) -> Reply:
        body: dict[str, Any] = {
            "model": question.model,
            "store": False,
            "max_output_tokens": self._options.max_output_tokens,
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": prompts.instruction(question)},
                        {"type": "input_image", "image_url": _data_uri(question), "detail": "high"},
                    ],
                }
            ],
        }
        if question.wording is Wording.FULL:
            schema = prompts.answer_schema(question.zones)
            body["text"] = {
                "format": {"type": "json_schema", "name": "zones", "schema": schema, "strict": True}
            }
        response = await self._post("/responses", body)
        return _reply(response, question, _read_responses)

    async def _ask_chat(self, question: Question) -> Reply:
        body: dict[str, Any] = {
            "model": question.model,
            "max_tokens": self._options.max_output_tokens,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": prompts.instruction(question)},
                        {"type": "image_url", "image_url": {"url": _data_uri(question)}},
                    ],
                }
            ],
        }
        if question.wording is Wording.FULL:
            schema = prompts.answer_schema(question.zones)
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "zones", "schema": schema, "strict": True},
            }
        response = await self._post("/chat/completions", body)
        return _reply(response, question, _read_chat)

    async def _post(self, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        import httpx2

        return await self._client.post(path, cast_to=httpx2.Response, body=body)


def _http_client(options: OpenAIOptions) -> httpx2.AsyncClient:
    """A client that keeps a connection for each worker; over quick ones unless a proxy is set."""
    import httpcore2
    import httpx2

    from redzone.network import QuickBackend

    most = options.max_connections
    if getproxies():
        # a client with a transport of its own takes no proxy from the environment
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
        return httpx2.AsyncClient(limits=limits, timeout=options.timeout_s)
    transport = httpx2.AsyncHTTPTransport()
    # the transport takes no network; were its pool called otherwise one day, only the speed would be lost
    transport._pool = httpcore2.AsyncConnectionPool(  # noqa: SLF001
        ssl_context=httpx2.create_ssl_context(),
        max_connections=most,
        max_keepalive_connections=most,
        keepalive_expiry=30.0,
        network_backend=QuickBackend(),
    )
    return httpx2.AsyncClient(transport=transport, timeout=options.timeout_s)


@dataclass(frozen=True, slots=True)
class _Said:
    """The parts of an answer that matter, whatever API it came over."""

    text: str = ""
    refusal: str = ""
    cut_off: str = ""
    tokens: Tokens = Tokens()  # noqa: RUF009  frozen


def _reply(response: httpx2.Response, question: Question, read: Callable[[Any], _Said]) -> Reply:
    """A 200 as a value: the verdicts, or why there are none."""
    allowance = read_allowance(response.headers)
    try:
        said = read(json.loads(response.content))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        # a server or a proxy answered 200 with something that is no answer of this API
        fault = ModelFault(
            ErrorCode.MODEL_UNREADABLE,
            f"the server's answer is broken: {error}",
            Retry.TRANSIENT,
            may_be_charged=True,
        )
        return Reply(fault, question.model, allowance=allowance)
    return Reply(_judge(said, question), question.model, said.tokens, allowance)


def _judge(said: _Said, question: Question) -> Any:
    """The verdicts, or a fault that tells a refusal, an empty, a cut-off and a broken answer apart."""
    if said.refusal:
        return ModelFault(ErrorCode.MODEL_REFUSED, f"the model refused: {said.refusal[:200]}")
    if said.cut_off:
        return ModelFault(ErrorCode.MODEL_UNREADABLE, f"the answer was cut off: {said.cut_off}")
    if not said.text.strip():
        return ModelFault(ErrorCode.MODEL_UNREADABLE, "the answer was empty")
    try:
        return prompts.parse_answer(said.text, question)
    except prompts.AnswerUnreadable as error:
        return ModelFault(ErrorCode.MODEL_UNREADABLE, f"the answer cannot be read: {error}")


def _read_responses(data: Any) -> _Said:
    parts = [part for item in data["output"] if item["type"] == "message" for part in item["content"]]
    usage = data.get("usage") or {}
    reason = (data.get("incomplete_details") or {}).get("reason", "")
    refusal = "".join(part["refusal"] for part in parts if part["type"] == "refusal")
    return _Said(
        text="".join(part["text"] for part in parts if part["type"] == "output_text"),
        refusal=refusal or ("content filter" if reason == "content_filter" else ""),
        cut_off=reason,
        tokens=_tokens(usage, "input_tokens", "output_tokens"),
    )


def _read_chat(data: Any) -> _Said:
    choice = data["choices"][0]
    message = choice["message"]
    usage = data.get("usage") or {}
    reason = choice.get("finish_reason")
    return _Said(
        text="".join([message.get("content") or ""]),  # anything but a text is a TypeError
        refusal="".join([message.get("refusal") or ""])
        or ("content filter" if reason == "content_filter" else ""),
        cut_off="max_output_tokens" if reason == "length" else "",
        tokens=_tokens(usage, "prompt_tokens", "completion_tokens"),
    )


def _tokens(usage: Mapping[str, Any], input_name: str, output_name: str) -> Tokens:
    """What the answer says it took; 0 where it says nothing or null."""
    return Tokens(input=usage.get(input_name) or 0, output=usage.get(output_name) or 0)


def _is_route_missing(error: openai.APIStatusError) -> bool:
    """A 404 or 405 that does not speak of the model: the route itself is not there."""
    if error.status_code not in (404, 405):
        return False
    return error.code != "model_not_found" and "model" not in str(error.message).lower()


def _was_sent(error: openai.APIError) -> bool:
    """Whether the request may have reached the server, whose answer was then lost."""
    import httpx2

    return not isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)


def _status_fault(error: openai.APIStatusError, message: str, model: str) -> ModelFault:
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
            ErrorCode.MODEL_UNAVAILABLE, message, Retry.RATE_LIMIT, _retry_after_s(error.response.headers)
        )
    if error.status_code >= 500 or error.status_code in (408, 409):
        return ModelFault(ErrorCode.MODEL_UNAVAILABLE, message, Retry.TRANSIENT)
    return ModelFault(ErrorCode.MODEL_REJECTED, message)


def _data_uri(question: Question) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(question.view.data).decode("ascii")


def read_allowance(headers: Mapping[str, str]) -> Allowance | None:
    """The `x-ratelimit-*` headers as values; None where there are none."""
    allowance = Allowance(
        limit_requests=_int(headers.get("x-ratelimit-limit-requests")),
        remaining_requests=_int(headers.get("x-ratelimit-remaining-requests")),
        reset_requests_s=parse_duration_s(headers.get("x-ratelimit-reset-requests")),
        limit_tokens=_int(headers.get("x-ratelimit-limit-tokens")),
        remaining_tokens=_int(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens_s=parse_duration_s(headers.get("x-ratelimit-reset-tokens")),
    )
    return None if allowance == Allowance() else allowance


def _int(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\s*\d{1,15}\s*", text) else None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms`, else `retry-after` in seconds; None where neither is a number."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit_s
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"(\d{1,15}(?:\.\d{1,15})?)(ms|[smhd])"


def parse_duration_s(text: str | None) -> float | None:
    """Seconds of a duration such as `1s`, `6m0s` or `120ms`; None where it is none."""
    if not text or not re.fullmatch(rf"(?:{_PART})+", text):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in re.findall(_PART, text))
