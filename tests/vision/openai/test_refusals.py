"""What servers say instead of an answer, as they are known to say it, through the real client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from redzone.bench.simulator.artwork import poster_file
from redzone.errors import (
    CredentialsRejected,
    ErrorCode,
    ExitCode,
    ModelFault,
    ModelUnsuitable,
    QuotaExhausted,
    Retry,
    RunStopped,
    WaitTooLong,
)
from redzone.models import Question, Reply, View, ViewKind, Wording, Zone
from redzone.vision.openai.client import OpenAIOptions, OpenAIVision
from redzone.vision.openai.dialect import unknown_parameter
from redzone.vision.openai.messages import Api, RequestShape, request_bytes, sent_parameters
from redzone.vision.openai.reactions import ReactionContext, react
from redzone.vision.openai.refusals import read_refusal
from tests.loopback import Answer, Loopback, reply

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
FREE = '{"zones": [{"zone": "red", "justification": "sky", "elements": [], "contains_key_elements": false, "confidence_pct": 90}]}'  # noqa: E501
UNAVAILABLE, UNREADABLE = ErrorCode.MODEL_UNAVAILABLE, ErrorCode.MODEL_UNREADABLE
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def question(wording: Wording = Wording.FULL, model: str = "m") -> Question:
    return Question(View(ViewKind.CROP, poster_file(1, None, ".jpg"), 32, 48), (RED,), wording, model)


def error(
    message: str, code: object = None, kind: str | None = "invalid_request_error", **more: Any
) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "code": code} | more}).encode()


def said(text: str) -> bytes:
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return json.dumps({"output": [message], "usage": {"input_tokens": 7, "output_tokens": 3}}).encode()


def completed(message: Any, **changes: Any) -> bytes:
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return json.dumps({"choices": [{"message": message} | changes], "usage": usage}).encode()


def once(status: int, body: bytes, **headers: str) -> Answer:
    return reply(status, body, connection="close", **headers)


@asynccontextmanager
async def asking(server: Loopback, notices: list[str] | None = None) -> AsyncIterator[OpenAIVision]:
    options = OpenAIOptions(api_key="sk-test-0123456789abcdef", base_url=server.url("/v1"), timeout_s=5.0)
    model = OpenAIVision(options, ([] if notices is None else notices).append)
    try:
        yield model
    finally:
        await model.aclose()


async def ask(status: int, body: bytes, **headers: str) -> Reply:
    """The reply of a server that has answered before, so that its route is not in doubt."""
    answers = [once(200, said(FREE)), once(status, body, **headers)]
    async with Loopback({"/v1/responses": answers}) as server, asking(server) as model:
        await model.ask(question())
        return await model.ask(question())


async def ask_fault(status: int, body: bytes, **headers: str) -> ModelFault:
    result = (await ask(status, body, **headers)).result
    assert isinstance(result, ModelFault)
    return result


FINAL = {
    "OpenRouter's 402": (402, error("Insufficient credits. Add more", 402), QuotaExhausted),
    "DeepSeek's 402": (
        402,
        error("Insufficient Balance", "invalid_request_error", "unknown_error"),
        QuotaExhausted,
    ),
    "a hard limit": (
        400,
        error("Billing hard limit has been reached", "billing_hard_limit_reached"),
        QuotaExhausted,
    ),
    "LiteLLM's budget": (
        400,
        error("Budget has been exceeded! Max: 10.0", "400", "budget_exceeded"),
        QuotaExhausted,
    ),
    "its 429": (429, error("Budget has been exceeded! Max: 10.0", "429", "budget_exceeded"), QuotaExhausted),
    "billing_not_active": (429, error("Your account is not active", "billing_not_active"), QuotaExhausted),
    "quota as a type": (
        429,
        error("You exceeded your current quota", None, "insufficient_quota"),
        QuotaExhausted,
    ),
    "Anthropic's": (400, error("Your credit balance is too low to access the API", None), QuotaExhausted),
    "Gemini's key": (
        400,
        b'[{"error": {"message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}}]',
        CredentialsRejected,
    ),
    "a key by 403": (403, error("Project has no access", "forbidden"), CredentialsRejected),
    "no vision": (400, error("this model does not support image inputs", "invalid_image"), ModelUnsuitable),
    "vLLM's no vision": (400, error("llama-3 is not a multimodal model", 400), ModelUnsuitable),
    "llama.cpp's": (
        500,
        error("image input is not supported - hint: provide the mmproj", 500),
        ModelUnsuitable,
    ),
    "OpenRouter's no vision": (
        404,
        error("No endpoints found that support image input", 404),
        ModelUnsuitable,
    ),
    "a day's limit": (
        429,
        error("Rate limit reached on requests per day (RPD): Limit 1000", None),
        WaitTooLong,
    ),
}


@pytest.mark.parametrize("name", FINAL)
async def test_what_is_final_for_all_stops_the_run_with_the_servers_words(name: str) -> None:
    """At once, resumable or a usage error; `insufficient_quota` as code or type."""
    status, body, stopped = FINAL[name]
    with pytest.raises(stopped, match=f"HTTP {status}: ") as caught:
        await ask(status, body)
    assert caught.value.exit_code in (ExitCode.USAGE, ExitCode.STOPPED)
    assert issubclass(stopped, RunStopped)


async def test_a_longer_wait_than_allowed_stops_the_run_and_says_until_when() -> None:
    """By the header, or by the words."""
    with pytest.raises(WaitTooLong, match=r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC") as caught:
        await ask(429, error("Rate limit reached for requests per day"), retry_after="3600")
    assert caught.value.exit_code is ExitCode.STOPPED
    refusal = read_refusal(503, {}, error("Overloaded, please try again in 2h30m."))
    with pytest.raises(WaitTooLong, match="until 2026-11-28 14:30 UTC"):
        react(refusal, ReactionContext("m", 600.0, NOW))


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (error("Rate limit reached. Please try again in 8.64s."), {}, 8.64),
        (error("Please try again in 1m30s"), {}, 90.0),
        (error("Please try again in 120ms"), {}, 0.12),
        (error("Please retry after 8 seconds."), {}, 8.0),
        (error("Retry in about 2 minutes"), {}, 120.0),
        (error("You exceeded your current quota, please check your plan and billing details", 429,
               details=[{"@type": "RetryInfo", "retryDelay": "34s"}]), {}, 34.0),
        (error("slow down", retry_after=2.5), {}, 2.5),
        (error("Please try again in 8s"), {"retry_after": "3"}, 3.0),
        (b"error code: 1015", {"retry_after": "2"}, 2.0),
        (b"", {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "12s"}, 12.0),
        (error("Requests per day: try again in 8 s"), {}, 8.0),
        (error("Too many requests"), {}, None),
    ],
)  # fmt: skip
async def test_a_429_waits_as_it_is_told(body: bytes, headers: dict[str, str], seconds: float | None) -> None:
    """By the header first, else by the body."""
    fault = await ask_fault(429, body, **headers)
    assert (fault.retry, fault.retry_after_s) == (Retry.RATE_LIMIT, seconds)


async def test_a_request_that_is_too_large_is_no_rate_limit() -> None:
    fault = await ask_fault(
        429, error("Request too large for m on tokens per min (TPM)", "rate_limit_exceeded")
    )
    assert (fault.code, fault.retry) == (ErrorCode.MODEL_REJECTED, Retry.NO)
    assert fault.refusal == "429 rate_limit_exceeded"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("The response was filtered", "content_filter", None)),
        (400, error("Your input image may contain content", "moderation_blocked")),
        (400, error("filtered", None, innererror={"code": "ResponsibleAIPolicyViolation"})),
        (403, error("Your chosen model requires moderation and your input was flagged", 403)),
        (403, error("Input rejected by our safety system")),
    ],
)
async def test_a_filter_is_a_refusal_of_this_poster(status: int, body: bytes) -> None:
    """Others go on, and the next step is tried."""
    fault = await ask_fault(status, body)
    assert (fault.code, fault.retry, fault.refusal) == (ErrorCode.MODEL_REFUSED, Retry.NO, "")


async def test_a_firewalls_page_is_this_posters_error_and_named_as_a_page() -> None:
    page = b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"
    fault = await ask_fault(403, page, content_type="text/html")
    assert (fault.code, fault.refusal) == (ErrorCode.MODEL_REJECTED, "403")
    assert "an HTML page, titled 'Attention Required! | Cloudflare'" in fault.message


@pytest.mark.parametrize(
    ("body", "code", "retry", "text"),
    [
        (error("Rate limited, try again in 4 s", 429), UNAVAILABLE, Retry.RATE_LIMIT, "HTTP 429"),
        (error("Provider returned error", 502), UNAVAILABLE, Retry.TRANSIENT, "HTTP 502"),
        (b'{"choices": null, "msg": "busy"}', UNAVAILABLE, Retry.TRANSIENT, "busy"),
        (completed({"content": ""}, finish_reason="error"), UNAVAILABLE, Retry.TRANSIENT, "error"),
        (
            b'{"status": "failed", "output": [], "error": {"code": "server_error", "message": "broken"}}',
            UNAVAILABLE,
            Retry.TRANSIENT,
            "broken",
        ),
        (
            b'{"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}',
            UNAVAILABLE,
            Retry.RATE_LIMIT,
            "slow",
        ),
        (
            b"<html><head><title>Sign in to CorpNet</title></head></html>",
            UNREADABLE,
            Retry.TRANSIENT,
            "an HTML page, titled 'Sign in to CorpNet'",
        ),
    ],
)
async def test_an_error_inside_a_200_is_that_error(
    body: bytes, code: ErrorCode, retry: Retry, text: str
) -> None:
    """With its words and its hold."""
    fault = await ask_fault(200, body)
    assert (fault.code, fault.retry) == (code, retry)
    assert text in fault.message


async def test_no_credit_inside_a_200_stops_the_run() -> None:
    with pytest.raises(QuotaExhausted):
        await ask(200, error("You exceeded your current quota", "insufficient_quota"))


ROUTE = {
    "400": (
        400,
        error("Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview", "BadRequest"),
    ),
    "400 of a text": (400, b'{"error": "Unrecognized endpoint /v1/responses"}'),
    "403": (403, error("You do not have access to the responses endpoint", "forbidden")),
    "404 about a model": (404, b"<pre>Cannot POST /models/qwen/v1/responses</pre>"),
    "405": (405, b"Method Not Allowed"),
    "422": (422, b'{"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}'),
    "500": (500, error("Internal server error", 500)),
    "501": (501, b'{"error": "not implemented"}'),
    "200 of LM Studio": (200, b'{"error": "Unexpected endpoint or method. (POST /v1/responses)"}'),
    "200 of a page": (200, b"<!doctype html><title>Open WebUI</title>"),
}


@pytest.mark.parametrize("name", ROUTE)
async def test_a_refused_route_leads_to_chat_once_and_is_remembered(name: str) -> None:
    """Before the first success, of whatever words; the poster is asked again and no attempt is used up."""
    notices: list[str] = []
    routes: dict[str, Answer | list[Answer]] = {
        "/v1/responses": once(*ROUTE[name]),
        "/v1/chat/completions": once(200, completed({"content": FREE})),
    }
    async with Loopback(routes) as server, asking(server, notices) as model:
        first = (await model.ask(question())).result
        assert isinstance(first, ModelFault)
        assert first.retry is Retry.ADAPTED
        for _ in range(2):
            assert isinstance((await model.ask(question())).result, tuple)
    assert [request.target for request in server.requests] == ["/v1/responses"] + ["/v1/chat/completions"] * 2
    assert len(notices) == 1


async def test_after_a_success_a_500_is_no_matter_of_the_route() -> None:
    fault = await ask_fault(500, error("Internal server error", 500))
    assert fault.retry is Retry.TRANSIENT


async def test_a_server_that_has_no_chat_either_keeps_the_responses_api() -> None:
    """The first refusal was about that picture: its own reaction, and Chat is not tried again."""
    answers = [once(400, error("bad thing")), once(200, said(FREE))]
    routes: dict[str, Answer | list[Answer]] = {
        "/v1/responses": answers,
        "/v1/chat/completions": once(404, b""),
    }
    async with Loopback(routes) as server, asking(server) as model:
        await model.ask(question())
        fault = (await model.ask(question())).result
        assert isinstance(fault, ModelFault)
        assert (fault.code, fault.message) == (
            ErrorCode.MODEL_REJECTED,
            "HTTP 400: bad thing (invalid_request_error)",
        )
        assert isinstance((await model.ask(question())).result, tuple)
    assert [request.target for request in server.requests][-1] == "/v1/responses"


PARAMETERS = [
    (
        Api.CHAT,
        400,
        error(
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", param="max_tokens"
        ),
        "max_tokens",
    ),
    (Api.CHAT, 400, error("'response_format.type' must be 'text'"), "response_format"),
    (Api.CHAT, 400, error("This response_format type is unavailable now"), "response_format"),
    (Api.CHAT, 400, error("Unrecognized request argument supplied: reasoning_effort"), "reasoning"),
    (Api.RESPONSES, 400, error("Unknown parameter: 'store'.", "unknown_parameter", param="store"), "store"),
    (
        Api.RESPONSES,
        400,
        error('Invalid JSON payload received. Unknown name "store": Cannot find field.'),
        "store",
    ),
    (
        Api.RESPONSES,
        422,
        b'{"detail": [{"loc": ["body", "store"], "msg": "Extra inputs are not permitted"}]}',
        "store",
    ),
    (Api.RESPONSES, 400, error("Unknown parameter: 'input[0].content[1].detail'."), "detail"),
    (
        Api.RESPONSES,
        400,
        error(
            "Unsupported value: 'reasoning.effort' does not support 'low' with this model",
            "unsupported_value",
            param="reasoning.effort",
        ),
        "reasoning",
    ),
    (Api.RESPONSES, 400, error("text.format json_schema is not supported"), "response_format"),
    (Api.CHAT, 400, error("max_tokens is too large: 600"), None),
    (Api.CHAT, 400, error("the text in the image is unexpected"), None),
    (Api.RESPONSES, 422, b'{"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}', None),
]


@pytest.mark.parametrize(("api", "status", "body", "parameter"), PARAMETERS)
def test_the_parameter_that_a_server_does_not_know_is_found(
    api: Api, status: int, body: bytes, parameter: str | None
) -> None:
    refusal = read_refusal(status, {}, body)
    assert unknown_parameter(RequestShape(api), refusal) == parameter


async def test_an_unknown_parameter_is_left_out_for_the_run_and_announced_once() -> None:
    """max_tokens has another name; each is one free request."""
    notices: list[str] = []
    old = error(
        "Unsupported parameter: 'max_tokens' is not supported", "unsupported_parameter", param="max_tokens"
    )
    form = error("response_format is not supported")
    good = once(200, completed({"content": FREE}))
    routes: dict[str, Answer | list[Answer]] = {
        "/v1/responses": once(404, b""),
        "/v1/chat/completions": [once(400, old), once(400, form), good],
    }
    async with Loopback(routes) as server, asking(server, notices) as model:
        results = [(await model.ask(question())).result for _ in range(5)]
    faults = [result for result in results if isinstance(result, ModelFault)]
    assert [fault.retry for fault in faults] == [Retry.ADAPTED] * 3
    assert len(results) - len(faults) == 2
    words = ("Chat", "max_completion_tokens", "response_format")
    assert [word in notice for word, notice in zip(words, notices, strict=True)] == [True] * 3


def test_a_request_without_a_parameter_does_without_it() -> None:
    """A question without a schema shows the form of its answer."""
    shape = RequestShape(Api.CHAT, frozenset({"max_tokens", "response_format"}))
    body = json.loads(request_bytes(shape, (question(),), 123))
    assert (body["max_completion_tokens"], "max_tokens" in body, "response_format" in body) == (
        123,
        False,
        False,
    )
    assert "Answer with one JSON object" in body["messages"][0]["content"][0]["text"]
    for api in Api:
        names = frozenset(sent_parameters(RequestShape(api))) | {"max_completion_tokens"}
        bare = json.loads(request_bytes(RequestShape(api, names), (question(model="gpt-5"),), 123))
        assert bare.keys() == {"model", "input" if api is Api.RESPONSES else "messages"}
        assert "detail" not in json.dumps(bare)


CHAT_SHAPES = {
    "parts": completed({"content": [{"type": "text", "text": FREE}]}),
    "an object": completed({"content": json.loads(FREE)}),
    "a tool call": completed(
        {"content": None, "tool_calls": [{"function": {"name": "zones", "arguments": FREE}}]}
    ),
    "a function call": completed({"content": "", "function_call": {"name": "zones", "arguments": FREE}}),
    "reasoning_content": completed({"content": None, "reasoning_content": FREE}),
    "reasoning": completed({"content": "", "reasoning": f"So: {FREE}"}),
    "a stream": b"".join(
        b"data: " + json.dumps({"choices": [{"delta": {"content": part}}]}).encode() + b"\n\n"
        for part in (FREE[:30], FREE[30:])
    )
    + b"data: [DONE]\n\n",
    "byte order mark": b"\xef\xbb\xbf" + completed({"content": FREE}),
    "latin-1": completed({"content": FREE}).replace(b"sky", b"caf\xe9"),
    "length, but whole": completed({"content": FREE}, finish_reason="length"),
}


@pytest.mark.parametrize("name", CHAT_SHAPES)
async def test_the_answer_is_found_wherever_it_is(name: str) -> None:
    routes: dict[str, Answer | list[Answer]] = {
        "/v1/responses": once(404, b""),
        "/v1/chat/completions": once(200, CHAT_SHAPES[name]),
    }
    async with Loopback(routes) as server, asking(server) as model:
        await model.ask(question())
        found = (await model.ask(question())).result
    assert isinstance(found, tuple)
    assert not found[0].contains_key_elements


@pytest.mark.parametrize(
    "output",
    [
        [{"type": "message", "content": FREE}],
        [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "mm {sky}"}]},
         {"type": "message", "content": [{"type": "output_text", "text": FREE}]}],
        [{"type": "function_call", "name": "zones", "arguments": FREE}],
        [{"type": "message", "content": [{"type": "output_text", "text": f"```json\n{FREE}\n```"}]}],
    ],
)  # fmt: skip
async def test_so_it_is_over_the_responses_api(output: list[Any]) -> None:
    assert isinstance((await ask(200, json.dumps({"output": output}).encode())).result, tuple)


async def test_a_cut_off_answer_names_the_setting() -> None:
    cut = {"output": [], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    fault = await ask_fault(200, json.dumps(cut).encode())
    assert "REDZONE_MAX_OUTPUT_TOKENS" in fault.message


async def test_a_refusal_in_plain_words_is_a_refusal() -> None:
    fault = await ask_fault(200, said("I'm sorry, but I can't help with identifying people in this image."))
    assert fault.code is ErrorCode.MODEL_REFUSED


def test_a_reasoning_model_is_asked_for_little_effort() -> None:
    for model, reasons in (("gpt-5-mini", True), ("o4-mini", True), ("gpt-4o", False), ("qwen2-vl", False)):
        body = json.loads(request_bytes(RequestShape(Api.RESPONSES), (question(model=model),), 100))
        assert (body.get("reasoning") == {"effort": "low"}) == reasons
        assert body["max_output_tokens"] == (500 if reasons else 100)  # with room for it
        body = json.loads(request_bytes(RequestShape(Api.CHAT), (question(model=model),), 100))
        assert (body.get("reasoning_effort") == "low") == reasons
