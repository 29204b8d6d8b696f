"""Provider `openai`: the OpenAI API and compatible servers (vLLM, Ollama, llama.cpp).

Requests go through the SDK over an httpx2 client of ours, with bodies prepared as bytes. One attempt is one
HTTP request, or one more for each redirect. Errors are mapped to ours here and in the refusals.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from redzone.errors import ErrorCode, ModelAddressUnusable, ModelFault, Retry
from redzone.models import Question, Reply, Source, Tokens, ViewKind
from redzone.vision import prompts
from redzone.vision.interface import RequestEstimate
from redzone.vision.openai.dialect import Dialect
from redzone.vision.openai.messages import Api, RequestShape, request_bytes
from redzone.vision.openai.prices import Price, image_tokens
from redzone.vision.openai.rate_limit_headers import read_allowance
from redzone.vision.openai.reactions import ReactionContext, react
from redzone.vision.openai.refusals import MESSAGE_CHARS, Refusal, ResponseRefused, read_refusal
from redzone.vision.openai.replies import read_replies

if TYPE_CHECKING:
    import openai
    from openai._types import RequestOptions

# A prompt token is about 4 characters of English; 3 makes the estimate an upper bound.
CHARS_PER_TOKEN = 3
REQUEST_OVERHEAD_TOKENS = 50
DEFAULT_URL = "https://api.openai.com/v1"
SHORTEST_KEY = 8  # servers without keys are given "none", a word of many messages
MOST_CONNECT_S = 20.0
REDIRECTS = frozenset({301, 302, 307, 308})  # 303 names another resource, not where to send the request
PERMANENT = frozenset({301, 308})
MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """How the API is reached. `prices` by model; a model without one counts as free."""

    api_key: str = field(repr=False)
    base_url: str | None = None
    timeout_s: float = 60.0
    max_output_tokens: int = 600
    max_connections: int = 200
    prices: Mapping[str, Price] = field(default_factory=dict)
    max_hold_s: float = 600.0


class OpenAIVision:
    """Asks a vision model over the Responses API, or over Chat Completions where that does not exist."""

    name = "openai"
    source = Source.MODEL
    paid = True
    views: tuple[ViewKind, ...] = (ViewKind.CROP, ViewKind.POSTER)
    prompt_version = prompts.VERSION

    def __init__(self, options: OpenAIOptions, notice: Callable[[str], None]) -> None:
        self._options = options
        self._dialect = Dialect(notice)
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
        """One request. Raises RunStopped where every further request would be refused too."""
        client = await self._client()
        import openai

        shape = self._dialect.shape  # other requests may change it meanwhile
        model, allowance = questions[0].model, None
        try:
            async with asyncio.timeout(self._options.timeout_s):
                replies = await self._post(client, shape, questions)
        except ResponseRefused as refused:
            if refused.status == 407:
                raise ModelAddressUnusable(
                    f"{PROXY_REFUSES}: HTTP 407; check its user and password"
                ) from None
            allowance = read_allowance(refused.headers)
            fault = self._refused(shape, refused, model)
        except (TimeoutError, openai.APITimeoutError) as error:
            fault = _lost(ErrorCode.MODEL_TIMEOUT, f"no answer within {self._options.timeout_s:g} s", error)
        except openai.APIConnectionError as error:
            text = self._without_key(f"Connection error: {root_cause(error)}")[:MESSAGE_CHARS]
            self._raise_if_final(client, error, text)
            fault = _lost(ErrorCode.MODEL_UNAVAILABLE, text, error)
        else:
            self._dialect.accepted(shape)
            return replies
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

    def _refused(self, shape: RequestShape, refused: ResponseRefused, model: str) -> ModelFault:
        """Ask in another way, or react. Raises RunStopped."""
        refusal = read_refusal(refused.status, refused.headers, refused.content, self._without_key)
        fault = self._dialect.adapt(shape, refusal)
        if isinstance(fault, Refusal):
            now = datetime.now(tz=UTC)
            fault = react(fault, ReactionContext(model, self._options.max_hold_s, now))
        return fault

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
        self, client: openai.AsyncOpenAI, shape: RequestShape, questions: Sequence[Question]
    ) -> tuple[Reply, ...]:
        """Send the request. Redirects are followed with the same method and body, on the same host only:
        the client would turn a POST into a GET at 301, and the key must not reach another host.

        Raises ResponseRefused, and ModelAddressUnusable for another redirect.
        """
        import httpx2
        import openai

        path = self._moved.get(shape.api, str(shape.api))
        content = request_bytes(shape, questions, self._options.max_output_tokens)
        for _ in range(MOST_REDIRECTS):
            try:
                response = await client.post(path, content=content, cast_to=httpx2.Response, options=OPTIONS)
            except openai.APIStatusError as error:
                headers = error.response.headers
                if error.status_code not in REDIRECTS or "location" not in headers:
                    raise ResponseRefused(error.status_code, error.response.content, headers) from None
                path = _redirected(client, error)
                if error.status_code in PERMANENT:
                    self._moved[shape.api] = path
                continue
            try:
                allowance = read_allowance(response.headers)
                return read_replies(shape.api, response.content, questions, allowance)
            except ResponseRefused as refused:
                refused.headers = response.headers
                raise
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


def _lost(code: ErrorCode, text: str, error: Exception) -> ModelFault:
    """No answer. Where there was a connection, the request may have arrived, and be charged."""
    import httpx2

    unsent = isinstance(
        error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError
    )
    return ModelFault(code, text, Retry.TRANSIENT, may_be_charged=not unsent)
