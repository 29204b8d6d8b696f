"""Provider `openai`: the OpenAI API, and every server that speaks it (vLLM, Ollama, llama.cpp).

The SDK knows the base URL, the headers and the key, and what an error says; the request itself goes straight
to a pool of connections, because the SDK and httpx2 above that pool cost as much processor time as the pool.
One attempt is exactly one HTTP request. Errors are mapped to ours here and nowhere else.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import Question, Reply, Source, Tokens, ViewKind
from redzone.vision import prompts
from redzone.vision.interface import RequestEstimate
from redzone.vision.openai.dialect import Dialect
from redzone.vision.openai.messages import RequestShape, output_limit, request_bytes
from redzone.vision.openai.prices import Price, image_tokens
from redzone.vision.openai.rate_limit_headers import read_allowance
from redzone.vision.openai.reactions import ReactionContext, react
from redzone.vision.openai.refusals import MESSAGE_CHARS, Refusal, ResponseRefused, read_refusal
from redzone.vision.openai.replies import read_replies

if TYPE_CHECKING:
    import httpcore2

# A prompt token is about 4 characters of English; 3 makes the estimate an upper bound.
CHARS_PER_TOKEN = 3
REQUEST_OVERHEAD_TOKENS = 50
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
        self._opening: asyncio.Future[_Line] | None = None

    def warm_up(self) -> None:
        """Begin to import the SDK, in a thread: that takes longer than the first picture."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().run_in_executor(None, _open, self._options)

    async def ready(self) -> None:
        """Wait until the SDK is there."""
        await self._line()

    def estimate(self, *questions: Question) -> RequestEstimate:
        """An upper bound: pictures by the published rule, the text by its length, the whole reserve."""
        first, count = questions[0], len(questions)
        chars = prompts.length(first.view.kind, first.zones, first.wording, count)
        pictures = sum(image_tokens(each.model, each.view.width, each.view.height) for each in questions)
        tokens = Tokens(
            input=pictures + math.ceil(chars / CHARS_PER_TOKEN) + REQUEST_OVERHEAD_TOKENS,
            output=output_limit(first.model, self._options.max_output_tokens, count),
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
        line = await self._line()
        import httpcore2

        shape = self._dialect.shape  # other requests may change it meanwhile
        model, allowance = questions[0].model, None
        try:
            replies = await self._post(line, shape, questions)
        except ResponseRefused as refused:
            allowance = read_allowance(refused.headers)
            fault = self._refused(shape, refused, model)
        except httpcore2.TimeoutException as error:
            fault = _lost(ErrorCode.MODEL_TIMEOUT, f"no answer within {self._options.timeout_s:g} s", error)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError) as error:
            text = self._without_key(f"Connection error: {error}")[:MESSAGE_CHARS]
            fault = _lost(ErrorCode.MODEL_UNAVAILABLE, text, error)
        else:
            self._dialect.accepted(shape)
            return replies
        return (Reply(fault, model, allowance=allowance),) * len(questions)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._opening is not None:
            await (await self._opening).pool.aclose()

    async def _line(self) -> _Line:
        self.warm_up()
        assert self._opening is not None  # noqa: S101  just begun
        # done but for the first time: the shield would cost more than all else here
        return self._opening.result() if self._opening.done() else await asyncio.shield(self._opening)

    def _refused(self, shape: RequestShape, refused: ResponseRefused, model: str) -> ModelFault:
        """Ask in another way, or react. Raises RunStopped."""
        refusal = read_refusal(refused.status, refused.headers, refused.content, self._without_key)
        fault = self._dialect.adapt(shape, refusal)
        if isinstance(fault, Refusal):
            now = datetime.now(tz=UTC)
            fault = react(fault, ReactionContext(model, self._options.max_hold_s, now))
        return fault

    def _without_key(self, text: str) -> str:
        """A server's or a library's own words; some of them quote the key."""
        key = self._options.api_key
        if len(key) < SHORTEST_KEY:
            return text
        return text.replace(key, "***").replace(repr(key)[1:-1], "***")

    async def _post(
        self, line: _Line, shape: RequestShape, questions: Sequence[Question]
    ) -> tuple[Reply, ...]:
        """Raises ResponseRefused."""
        import httpx2

        response = await line.pool.request(
            "POST",
            line.base_url + shape.api,
            headers=line.headers,
            content=request_bytes(shape, questions, self._options.max_output_tokens),
            extensions=line.extensions,
        )
        headers = httpx2.Headers(response.headers)
        if not 200 <= response.status < 300:
            raise ResponseRefused(response.status, response.content, headers)
        try:
            return read_replies(shape.api, response.content, questions, read_allowance(headers))
        except ResponseRefused as refused:
            refused.headers = headers
            raise


@dataclass(frozen=True, slots=True)
class _Line:
    """What every request is sent with. `base_url` has no slash at its end."""

    base_url: str
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    extensions: dict[str, object]
    pool: httpcore2.AsyncConnectionPool


def _open(options: OpenAIOptions) -> _Line:
    """The SDK's base URL and headers, and a pool of connections. Imports the SDK, a second of work."""
    import openai

    client = openai.AsyncOpenAI(api_key=options.api_key, base_url=options.base_url, max_retries=0)
    base_url = str(client.base_url).rstrip("/")
    given = {**client.default_headers, **client.auth_headers}
    phases = ("connect", "read", "write", "pool")
    return _Line(
        base_url,
        [(name.encode(), value.encode()) for name, value in given.items() if isinstance(value, str)],
        {"timeout": dict.fromkeys(phases, options.timeout_s)},
        _pool(options, base_url),
    )


def _pool(options: OpenAIOptions, url: str) -> httpcore2.AsyncConnectionPool:
    """A connection for each worker, through the environment's proxy where there is one for this host."""
    import httpcore2
    import httpx2

    from redzone.network import Connections, QuickBackend, ShardedPool

    target = urlsplit(url)
    proxy = None if proxy_bypass(target.netloc) else getproxies().get(target.scheme)
    return ShardedPool(
        httpx2.create_ssl_context(),
        Connections(options.max_connections, options.max_connections),
        QuickBackend(),
        proxy=httpcore2.Proxy(proxy) if proxy else None,
    )


def _lost(code: ErrorCode, text: str, error: Exception) -> ModelFault:
    """No answer. Where there was a connection, the request may have arrived, and be charged."""
    import httpcore2

    unsent = isinstance(error, httpcore2.ConnectError | httpcore2.ConnectTimeout | httpcore2.PoolTimeout)
    return ModelFault(code, text, Retry.TRANSIENT, may_be_charged=not unsent)
