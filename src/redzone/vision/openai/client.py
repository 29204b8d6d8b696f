"""Provider `openai`: the OpenAI API and compatible servers (vLLM, Ollama, llama.cpp).

Requests go through the SDK over an httpx2 client of ours, with bodies prepared as bytes. One attempt is one
HTTP request, or one more for each redirect. Errors are mapped to ours here and in the refusals.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from redzone.errors import (
    CredentialsRejected,
    ErrorCode,
    ModelAddressUnusable,
    ModelFault,
    ModelUnknown,
    QuotaExhausted,
    Retry,
)
from redzone.models import Question, Reply, Source, Tokens, ViewKind
from redzone.vision import prompts
from redzone.vision.interface import RequestEstimate
from redzone.vision.openai.messages import Api, read_replies, request_bytes
from redzone.vision.openai.prices import Price, image_tokens
from redzone.vision.openai.rate_limit_headers import read_allowance, retry_after_s

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai._types import RequestOptions

# A prompt token is about 4 characters of English; 3 makes the estimate an upper bound.
CHARS_PER_TOKEN = 3
REQUEST_OVERHEAD_TOKENS = 50
MESSAGE_CHARS = 300  # of a server's own words in a fault
DEFAULT_URL = "https://api.openai.com/v1"
SHORTEST_KEY = 8  # servers without keys are given "none", a word of many messages
MOST_CONNECT_S = 20.0
REDIRECTS = frozenset({301, 302, 307, 308})  # 303 names another resource, not where to send the request
PERMANENT = frozenset({301, 308})
MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """How the API is reached. `timeout_s` bounds a whole request. `prices` by model; a model without one
    counts as free."""

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
        self._options = options
        self._notice = notice
        self._chat = False
        self._opening: asyncio.Future[openai.AsyncOpenAI] | None = None
        self._moved: dict[Api, str] = {}

    def warm_up(self) -> None:
        """Begin to import the SDK, in a thread: that takes longer than the first picture."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().run_in_executor(None, _open, self._options)

    async def ready(self) -> None:
        """Wait until the SDK is imported. Raises SettingsInvalid for a proxy that cannot be used."""
        await self._client()

    def estimate(self, *questions: Question) -> RequestEstimate:
        """An upper bound: pictures by the published rule, the text by its length, the whole reserve."""
        first, count = questions[0], len(questions)
        chars = prompts.length(first.view.kind, first.zones, first.wording, count)
        pictures = sum(image_tokens(each.model, each.view.width, each.view.height) for each in questions)
        tokens = Tokens(
            input=pictures + math.ceil(chars / CHARS_PER_TOKEN) + REQUEST_OVERHEAD_TOKENS,
            output=self._options.max_output_tokens * count,
        )
        price = self._options.prices.get(first.model)
        return RequestEstimate(tokens.input, tokens.output, price.cost_usd(tokens) if price else 0.0)

    def cost_usd(self, reply: Reply) -> float:
        """By the tokens that the API reported and the price list; 0 where the price is not known."""
        price = self._options.prices.get(reply.model)
        return price.cost_usd(reply.tokens) if price else 0.0

    async def ask(self, question: Question) -> Reply:
        """One request about one picture."""
        return (await self.ask_together((question,)))[0]

    async def ask_together(self, questions: Sequence[Question]) -> tuple[Reply, ...]:
        """One request. Raises CredentialsRejected, QuotaExhausted, ModelUnknown or ModelAddressUnusable."""
        client = await self._client()
        import openai

        chat = self._chat  # another request may find out meanwhile
        model, allowance = questions[0].model, None
        try:
            async with asyncio.timeout(self._options.timeout_s):
                return await self._post(client, Api.CHAT if chat else Api.RESPONSES, questions)
        except openai.APIStatusError as refusal:
            error = _status_error(refusal.status_code, refusal.response.headers, refusal.response.content)
            allowance = read_allowance(error.response.headers)
            if error.status_code == 407:
                raise ModelAddressUnusable(
                    f"{PROXY_REFUSES}: HTTP 407; check its user and password"
                ) from None
            if not chat and _is_route_missing(error):
                fault = self._change_to_chat(client)
            else:
                text = self._without_key(f"HTTP {error.status_code}: {error.message}")[:MESSAGE_CHARS]
                fault = _status_fault(error, text, model)
        except (TimeoutError, openai.APITimeoutError) as error:
            fault = _lost(ErrorCode.MODEL_TIMEOUT, f"no answer within {self._options.timeout_s:g} s", error)
        except openai.APIConnectionError as error:
            text = self._without_key(f"Connection error: {root_cause(error)}")[:MESSAGE_CHARS]
            self._raise_if_final(client, error, text)
            fault = _lost(ErrorCode.MODEL_UNAVAILABLE, text, error)
        return (Reply(fault, model, allowance=allowance),) * len(questions)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._opening is not None:
            await (await self._opening).close()

    async def _client(self) -> openai.AsyncOpenAI:
        self.warm_up()
        assert self._opening is not None  # noqa: S101  just begun
        # done except for the first time: the shield would cost more than all else here
        return self._opening.result() if self._opening.done() else await asyncio.shield(self._opening)

    def _change_to_chat(self, client: openai.AsyncOpenAI) -> ModelFault:
        """Use Chat Completions from here on; the question is asked again over it."""
        if not self._chat:
            self._chat = True
            base_url = str(client.base_url).rstrip("/")
            self._notice(f"{base_url} has no Responses API; using Chat Completions from here on")
        return ModelFault(ErrorCode.MODEL_UNAVAILABLE, "no Responses API", Retry.TRANSIENT)

    def _raise_if_final(self, client: openai.AsyncOpenAI, error: Exception, text: str) -> None:
        """Stop where every further request would fail in the same way."""
        import httpx2

        if isinstance(root_cause(error), ssl.SSLCertVerificationError):
            raise ModelAddressUnusable(
                f"{text}; the certificate of {client.base_url.host} is not trusted here: "
                "set SSL_CERT_FILE to a file with its certificate authority"
            ) from None
        if isinstance(error.__cause__, httpx2.ProxyError) and "407" in str(error.__cause__):
            raise ModelAddressUnusable(f"{PROXY_REFUSES}: {text}; check its user and password") from None

    def _without_key(self, text: str) -> str:
        """A server's or a library's own words; some of them quote the key."""
        key = self._options.api_key
        if len(key) < SHORTEST_KEY:
            return text
        return text.replace(key, "***").replace(repr(key)[1:-1], "***")

    async def _post(
        self, client: openai.AsyncOpenAI, api: Api, questions: Sequence[Question]
    ) -> tuple[Reply, ...]:
        """Send the request. Redirects are followed with the same method and body, on the same host only:
        the client would turn a POST into a GET at 301, and the key must not reach another host."""
        import httpx2
        import openai

        path = self._moved.get(api, str(api))
        content = request_bytes(api, questions, self._options.max_output_tokens)
        for _ in range(MOST_REDIRECTS):
            try:
                response = await client.post(path, content=content, cast_to=httpx2.Response, options=OPTIONS)
                return read_replies(api, response.content, questions, read_allowance(response.headers))
            except openai.APIStatusError as error:
                if error.status_code not in REDIRECTS or "location" not in error.response.headers:
                    raise
                path = _redirected(client, error)
                if error.status_code in PERMANENT:
                    self._moved[api] = path
        raise ModelAddressUnusable(f"{client.base_url} redirects more than {MOST_REDIRECTS} times")


PROXY_REFUSES = "the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY refuses the connection"
OPTIONS: RequestOptions = {"headers": {"Content-Type": "application/json"}, "follow_redirects": False}


def _open(options: OpenAIOptions) -> openai.AsyncOpenAI:
    """The SDK's client over connections of ours. Imports the SDK, a second of work."""
    import httpx2
    import openai

    from redzone.outbound import SpreadTransport, pool_limits, proxy_for, trust_store

    base_url = httpx2.URL(options.base_url) if options.base_url else None
    address = base_url or httpx2.URL(DEFAULT_URL)
    context, proxy = trust_store(), proxy_for(address)
    limits = pool_limits(options.max_connections, options.max_connections)
    transport = SpreadTransport(
        [httpx2.AsyncHTTPTransport(verify=context, limits=each, proxy=proxy) for each in limits]
    )
    seconds = options.timeout_s
    client = httpx2.AsyncClient(
        transport=transport,
        timeout=httpx2.Timeout(seconds, connect=min(MOST_CONNECT_S, seconds)),
        headers={"Accept-Encoding": "identity"},
        trust_env=False,
    )
    return openai.AsyncOpenAI(
        api_key=options.api_key,
        # a query such as Azure's `?api-version=` goes with every request
        base_url=base_url.copy_with(query=None) if base_url else None,
        default_query=dict(parse_qsl(base_url.query.decode("ascii", "replace"))) if base_url else None,
        timeout=client.timeout,
        max_retries=0,
        http_client=client,
    )


def _redirected(client: openai.AsyncOpenAI, error: openai.APIStatusError) -> str:
    """Where a redirect of the same host leads. Raises ModelAddressUnusable for every other one."""
    import httpx2

    origin = error.request.url
    try:
        target = origin.join(error.response.headers["location"])
    except (httpx2.InvalidURL, ValueError):
        raise ModelAddressUnusable(f"{client.base_url} redirects to something that is no address") from None
    downgraded = origin.scheme == "https" and target.scheme != "https"
    if target.scheme not in ("http", "https") or target.host != origin.host or downgraded:
        shown = f"{target.scheme}://{target.netloc.decode()}{target.path}"
        for api in Api:
            shown = shown.removesuffix(f"/{str(api).strip('/')}")
        raise ModelAddressUnusable(
            f"{client.base_url} redirects to {shown}, and the key is not sent to another host; "
            f"if you trust it, set --base-url {shown}"
        )
    return str(target)


def root_cause(error: BaseException) -> BaseException:
    """The first error of a chain: the SDK, httpx2 and httpcore2 each wrap the one below."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _status_error(status: int, headers: httpx2.Headers, content: bytes) -> openai.APIStatusError:
    """The SDK's error for an answer that is none, with the body's own `error` where it has one."""
    import httpx2
    import openai

    body: object = content.decode(errors="replace")
    with contextlib.suppress(ValueError, RecursionError):
        body = json.loads(content)
    told = body.get("error", body) if isinstance(body, dict) else body
    response = httpx2.Response(status, headers=headers, request=httpx2.Request("POST", "/"))
    return openai.APIStatusError(f"Error code: {status} - {body}", response=response, body=told)


def _is_route_missing(error: openai.APIStatusError) -> bool:
    """A 404 or 405 that does not speak of the model: the route itself is not there."""
    if error.status_code not in (404, 405):
        return False
    return error.code != "model_not_found" and "model" not in str(error.message).lower()


def _lost(code: ErrorCode, text: str, error: Exception) -> ModelFault:
    """No answer. Where there was a connection, the request may have arrived, and be charged."""
    import httpx2

    unsent = isinstance(
        error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError
    )
    return ModelFault(code, text, Retry.TRANSIENT, may_be_charged=not unsent)


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
            ErrorCode.MODEL_UNAVAILABLE, message, Retry.RATE_LIMIT, retry_after_s(error.response.headers)
        )
    if error.status_code >= 500 or error.status_code in (408, 409):
        return ModelFault(ErrorCode.MODEL_UNAVAILABLE, message, Retry.TRANSIENT)
    return ModelFault(ErrorCode.MODEL_REJECTED, message)
