"""The provider `openai`, through the real client, against the simulator and servers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.simulator.artwork import poster_file
from redzone.bench.simulator.replies import write_duration
from redzone.bench.simulator.requests import ModelEndpoint as ServedApi
from redzone.bench.simulator.server import Fault, Simulator, SimulatorOptions
from redzone.errors import (
    CredentialsRejected,
    ErrorCode,
    ModelFault,
    ModelUnknown,
    QuotaExhausted,
    Retry,
    RunStopped,
)
from redzone.models import Allowance, Question, Reply, Source, Tokens, View, ViewKind, Wording, Zone
from redzone.vision import prompts
from redzone.vision.openai.client import OpenAIOptions, OpenAIVision
from redzone.vision.openai.messages import Api, RequestShape, request_bytes
from redzone.vision.openai.prices import Price
from redzone.vision.openai.rate_limit_headers import parse_duration_s, read_allowance
from tests.loopback import Answer, Loopback, hang_up, reply

KEY = "sk-test-0123456789abcdef"
RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
LOGO = Zone(name="logo", x=0.0, y=0.9, w=1.0, h=0.1)
NO_RESPONSES = SimulatorOptions(responses_api=False)


def question(wording: Wording = Wording.FULL, *zones: Zone, number: int = 1) -> Question:
    """About a small poster of the simulator's (32x48 px)."""
    view = View(ViewKind.CROP, poster_file(number, None, ".jpg"), 32, 48)
    return Question(view, zones or (RED,), wording, "gpt-6-luna")


@asynccontextmanager
async def asking(
    base_url: str, notices: list[str] | None = None, **options: Any
) -> AsyncIterator[OpenAIVision]:
    given_: dict[str, Any] = {"api_key": KEY, "timeout_s": 5.0} | options
    model = OpenAIVision(
        OpenAIOptions(base_url=base_url, **given_), ([] if notices is None else notices).append
    )
    try:
        yield model
    finally:
        await model.aclose()


async def ask_simulator(
    options: SimulatorOptions, asked: Question | None = None, **client: Any
) -> tuple[Reply, Simulator]:
    async with Simulator(options) as simulator, asking(simulator.base_url, **client) as model:
        found = await model.ask(asked or question())
    return found, simulator


async def ask_server(answer: Answer, asked: Question | None = None) -> Reply:
    """What comes of one question when the Responses API answers like this."""
    async with Loopback({"/v1/responses": answer}) as server, asking(server.url("/v1")) as model:
        found = await model.ask(asked or question())
    assert len(server.requests) == 1
    return found


async def ask_until_adapted(model: OpenAIVision) -> Reply:
    """The reply, after what the client learns of the server from its first refusal."""
    found = await model.ask(question())
    if isinstance(found.result, ModelFault) and found.result.retry is Retry.ADAPTED:
        return await model.ask(question())
    return found


async def ask_after_success(answer: Answer, asked: Question | None = None) -> Reply:
    """The same of a server that has answered before."""
    routes = {"/v1/responses": [reply(200, said(ONE_ZONE), connection="close"), answer]}
    async with Loopback({**routes}) as server, asking(server.url("/v1")) as model:
        await model.ask(question())
        return await model.ask(asked or question())


async def ask_over_chat(answer: Answer) -> Reply:
    """The same for Chat Completions, which is asked where there is no Responses API."""
    routes = {"/v1/responses": reply(404, connection="close"), "/v1/chat/completions": answer}
    async with Loopback({**routes}) as server, asking(server.url("/v1")) as model:
        await model.ask(question())
        return await model.ask(question())


def fault_of(found: Reply) -> ModelFault:
    assert isinstance(found.result, ModelFault)
    return found.result


def said(text: str, **changes: Any) -> bytes:
    """A 200 of the Responses API."""
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return json.dumps(
        {"output": [message], "usage": {"input_tokens": 7, "output_tokens": 3}} | changes
    ).encode()


def completed(message: Any, **changes: Any) -> bytes:
    """A 200 of Chat Completions."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return json.dumps({"choices": [{"message": message} | changes], "usage": usage}).encode()


ONE_ZONE = json.dumps(
    {
        "zones": [
            {
                "zone": "red",
                "justification": "sky",
                "elements": [],
                "contains_key_elements": False,
                "confidence_pct": 90,
            }
        ]
    }
)


@pytest.mark.parametrize("wording", Wording)
@pytest.mark.parametrize("responses_api", [True, False])
async def test_a_question_brings_one_verdict_for_each_zone(wording: Wording, responses_api: bool) -> None:
    """Over either API and in either wording, with the tokens that the API reports."""
    options = SimulatorOptions(responses_api=responses_api)
    async with Simulator(options) as simulator, asking(simulator.base_url) as model:
        found = await model.ask(question(wording, RED, LOGO))
        if not responses_api:
            found = await model.ask(question(wording, RED, LOGO))
    assert isinstance(found.result, tuple)
    assert [verdict.name for verdict in found.result] == ["red", "logo"]
    assert found.model == "gpt-6-luna"
    last = simulator.log[-1]
    assert found.tokens == Tokens(input=last.input_tokens, output=last.output_tokens)
    assert found.tokens.input > 0


async def test_the_same_picture_gets_the_same_verdict_over_both_apis() -> None:
    """The question is the same one."""
    first, _ = await ask_simulator(SimulatorOptions())
    async with Simulator(NO_RESPONSES) as simulator, asking(simulator.base_url) as model:
        await model.ask(question())
        second = await model.ask(question())
    assert first.result == second.result


async def test_one_attempt_is_one_request_whatever_comes_of_it() -> None:
    """Counted at the server: the SDK retries nothing by itself."""
    for fault in (None, Fault.HTTP500, Fault.HTTP503, Fault.SLOW_DOWN, Fault.RESET, Fault.REFUSAL):
        faults = {fault: 1.0} if fault else {}
        _, simulator = await ask_simulator(SimulatorOptions(faults=faults))
        assert len(simulator.log) == 1


@pytest.mark.parametrize(
    ("fault", "code", "retry", "text"),
    [
        (Fault.REFUSAL, ErrorCode.MODEL_REFUSED, Retry.NO, "the model refused: I'm sorry"),
        (Fault.EMPTY, ErrorCode.MODEL_UNREADABLE, Retry.NO, "the answer was empty"),
        (Fault.CUTOFF, ErrorCode.MODEL_UNREADABLE, Retry.NO, "cut off: max_output_tokens"),
        (Fault.BROKEN_ANSWER, ErrorCode.MODEL_UNREADABLE, Retry.NO, "the answer cannot be read"),
        (Fault.BROKEN_JSON, ErrorCode.MODEL_UNREADABLE, Retry.TRANSIENT, "the server's answer is broken"),
        (Fault.HALF, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT, "Connection error"),
        (Fault.RESET, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT, "Connection error"),
        (Fault.HTTP500, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT, "HTTP 500"),
        (Fault.HTTP503, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT, "HTTP 503"),
        (Fault.SLOW_DOWN, ErrorCode.MODEL_UNAVAILABLE, Retry.RATE_LIMIT, "HTTP 429"),
        (Fault.STALL, ErrorCode.MODEL_TIMEOUT, Retry.TRANSIENT, "no answer within 0.2 s"),
    ],
)
@pytest.mark.parametrize("responses_api", [True, False])
async def test_faults_are_told_apart(
    fault: Fault, code: ErrorCode, retry: Retry, text: str, responses_api: bool
) -> None:
    """Each with its own code, decision and words, over both APIs, as a value and never an exception."""
    options = SimulatorOptions(responses_api=responses_api, faults={fault: 1.0})
    async with Simulator(options) as simulator, asking(simulator.base_url, timeout_s=0.2) as model:
        if not responses_api:
            await model.ask(question())
        found = fault_of(await ask_until_adapted(model))  # before its first success a route may be missing
    assert (found.code, found.retry) == (code, retry)
    assert text in found.message
    assert KEY not in found.message


async def test_an_unreadable_answer_still_reports_its_tokens() -> None:
    """It was paid for."""
    for fault in (Fault.REFUSAL, Fault.CUTOFF, Fault.BROKEN_ANSWER):
        found, simulator = await ask_simulator(SimulatorOptions(faults={fault: 1.0}))
        assert found.tokens.input == simulator.log[0].input_tokens > 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        b'{"output": null}',
        b'{"output": [{"type": "message"}]}',
        b'{"output": [{"type": "message", "content": [{"type": "output_text", "text": null}]}]}',
        b'{"output": [{"type": "message", "content": [{"type": "refusal", "refusal": 7}]}]}',
        b'{"output": [7]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"output": ' + b"9" * 5000 + b"}",
    ],
)
async def test_a_200_that_is_no_answer_of_this_api_is_a_fault(body: bytes) -> None:
    """Worth another request, and never an exception: proxies say such things."""
    found = fault_of(await ask_server(reply(200, body, content_type="application/json")))
    assert (found.code, found.retry) == (ErrorCode.MODEL_UNREADABLE, Retry.TRANSIENT)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        completed({"content": ["a"]}),
        completed({"content": 7}),
        completed({"refusal": True}),
    ],
)
async def test_a_completion_that_is_none_is_a_fault_too(body: bytes) -> None:
    """The same over Chat Completions."""
    found = fault_of(await ask_over_chat(reply(200, body)))
    assert (found.code, found.retry) == (ErrorCode.MODEL_UNREADABLE, Retry.TRANSIENT)


async def test_an_answer_without_usage_is_an_answer() -> None:
    """Some servers count nothing, say null or nonsense: then the tokens are not known."""
    usages: tuple[Any, ...] = (
        None, {}, [], {"input_tokens": None, "output_tokens": None}, {"input_tokens": -1, "output_tokens": 3},
        {"input_tokens": "many", "output_tokens": 3}, {"input_tokens": 300},
    )  # fmt: skip
    for usage in usages:
        found = await ask_server(reply(200, said(ONE_ZONE, usage=usage)))
        assert isinstance(found.result, tuple)
        assert (found.tokens, found.tokens_known) == (Tokens(), False)
    found = await ask_server(reply(200, said(ONE_ZONE, usage={"input_tokens": 40.5, "output_tokens": "3"})))
    assert (found.tokens, found.tokens_known) == (Tokens(input=41, output=3), True)


async def test_a_content_filter_is_a_refusal() -> None:
    """The provider refused on the model's behalf, over either API."""
    body = said("", incomplete_details={"reason": "content_filter"})
    assert fault_of(await ask_server(reply(200, body))).code is ErrorCode.MODEL_REFUSED
    chat = reply(200, completed({"content": None}, finish_reason="content_filter"))
    assert fault_of(await ask_over_chat(chat)).code is ErrorCode.MODEL_REFUSED


async def test_a_reasoning_item_before_the_message_is_passed_over() -> None:
    """Only messages speak."""
    message = {"type": "message", "content": [{"type": "output_text", "text": ONE_ZONE}]}
    found = await ask_server(reply(200, said("", output=[{"type": "reasoning", "summary": []}, message])))
    assert isinstance(found.result, tuple)


def error_body(message: str, code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": "t", "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "stopped"),
    [
        (401, error_body(f"Incorrect API key provided: {KEY}", "invalid_api_key"), CredentialsRejected),
        (403, error_body(f"Your key {KEY} has no such right"), CredentialsRejected),
        (401, b"", CredentialsRejected),
        (429, error_body(f"You exceeded your quota, {KEY}", "insufficient_quota"), QuotaExhausted),
        (404, error_body(f"The model does not exist, {KEY}", "model_not_found"), ModelUnknown),
        (404, b'{"object": "error", "message": "The model `m` does not exist.", "code": 404}', ModelUnknown),
        (400, error_body("no such model", "model_not_found"), ModelUnknown),
    ],
)
async def test_what_every_request_would_meet_stops_the_run(
    status: int, body: bytes, stopped: type[RunStopped]
) -> None:
    """With the reason and the next step; a key that the server quotes is in no traceback of it."""
    async with (
        Loopback({"/v1/responses": reply(status, body)}) as server,
        asking(server.url("/v1")) as model,
    ):
        with pytest.raises(stopped, match=f"HTTP {status}.*;") as caught:
            await ask_until_adapted(model)  # there is no Chat either, so that was not the reason
    assert len(server.requests) <= 2
    assert KEY not in "".join(traceback.format_exception(caught.value))


async def test_a_wrong_key_and_an_empty_account_stop_the_run_at_the_simulator() -> None:
    """The codes of the real API."""
    with pytest.raises(CredentialsRejected, match="OPENAI_API_KEY"):
        await ask_simulator(SimulatorOptions(api_key="sk-another"))
    with pytest.raises(QuotaExhausted, match="redzone resume"):
        await ask_simulator(SimulatorOptions(quota_requests=0))


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (400, ErrorCode.MODEL_REJECTED, Retry.NO),
        (413, ErrorCode.MODEL_REJECTED, Retry.NO),
        (422, ErrorCode.MODEL_REJECTED, Retry.NO),
        (301, ErrorCode.MODEL_REJECTED, Retry.NO),
        (408, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT),
        (409, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT),
        (500, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT),
        (502, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT),
        (529, ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT),
        (429, ErrorCode.MODEL_UNAVAILABLE, Retry.RATE_LIMIT),
    ],
)
async def test_other_statuses_are_faults_of_one_attempt(status: int, code: ErrorCode, retry: Retry) -> None:
    """The decision is the status's; the server's words are kept, short and without the key."""
    body = error_body(f"because of {KEY} " + "x" * 5000)
    found = fault_of(await ask_after_success(reply(status, body)))
    assert (found.code, found.retry, found.retry_after_s) == (code, retry, None)
    assert found.message.startswith(f"HTTP {status}")
    assert len(found.message) <= 300
    assert KEY not in found.message


async def test_a_server_that_hangs_up_or_is_not_there_is_unavailable() -> None:
    """The cause is said."""
    assert fault_of(await ask_server(hang_up)).retry is Retry.TRANSIENT
    async with Loopback() as server:
        address = server.url("/v1")
    async with asking(address) as model:
        found = fault_of(await model.ask(question()))
    assert (found.code, found.retry) == (ErrorCode.MODEL_UNAVAILABLE, Retry.TRANSIENT)
    assert "Connection error" in found.message


async def test_the_key_goes_to_the_server_and_nowhere_else() -> None:
    """Not into the repr of the options or of the model."""
    options = OpenAIOptions(api_key=KEY)
    assert KEY not in repr(options)
    async with (
        Loopback({"/v1/responses": reply(200, said(ONE_ZONE))}) as server,
        asking(server.url("/v1")) as model,
    ):
        found = await model.ask(question())
        assert KEY not in repr(model)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(found)


async def test_a_key_that_no_header_can_hold_is_not_quoted() -> None:
    """The HTTP library's error quotes the header; ours does not."""
    found, _ = await ask_simulator(SimulatorOptions(), api_key="sk-test-0123\r\n456789abcdef")
    assert "Illegal header value" in fault_of(found).message
    assert "456789abcdef" not in fault_of(found).message


async def test_a_server_without_the_responses_api_is_asked_over_chat_and_that_is_said_once() -> None:
    """However many requests were in flight when it came out; each is worth another attempt."""
    notices: list[str] = []
    async with Simulator(NO_RESPONSES) as simulator, asking(simulator.base_url, notices) as model:
        first = await asyncio.gather(*(model.ask(question(number=n)) for n in range(8)))
        assert [fault_of(found).retry for found in first] == [Retry.ADAPTED] * 8
        second = await asyncio.gather(*(model.ask(question(number=n)) for n in range(8)))
    assert all(isinstance(found.result, tuple) for found in second)
    assert len(notices) == 1
    assert "Chat Completions" in notices[0]
    assert [record.path for record in simulator.log] == [ServedApi.RESPONSES] * 8 + [ServedApi.CHAT] * 8


async def test_a_server_with_neither_api_stops_the_run() -> None:
    """A wrong address: the text names it as a possible reason."""
    async with Loopback() as server, asking(server.url("/wrong")) as model:
        await model.ask(question())
        with pytest.raises(ModelUnknown, match="--base-url"):
            await model.ask(question())


async def test_the_servers_limits_are_read_from_answers_and_refusals() -> None:
    """Every reply carries what the server said, a 429 its time as well."""
    options = SimulatorOptions(rpm=1, tpm=100_000)
    async with Simulator(options) as simulator, asking(simulator.base_url) as model:
        answered = await model.ask(question())
        refused = await model.ask(question())
    assert answered.allowance is not None
    assert (answered.allowance.limit_requests, answered.allowance.remaining_requests) == (1, 0)
    assert answered.allowance.limit_tokens == 100_000
    assert answered.allowance.reset_requests_s == pytest.approx(60, abs=1)
    assert refused.allowance is not None
    assert refused.allowance.remaining_requests == 0
    assert fault_of(refused).retry is Retry.RATE_LIMIT
    assert fault_of(refused).retry_after_s == pytest.approx(60, abs=1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after_ms": "1500", "retry_after": "2"}, 1.5),
        ({"retry_after_ms": "soon", "retry_after": "2"}, 2.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_read_in_milliseconds_or_seconds(
    headers: dict[str, str], seconds: float | None
) -> None:
    """A date in the past is 0; None where it is unreadable: then the limiter backs off by its own rule."""
    assert fault_of(await ask_server(reply(429, b"", **headers))).retry_after_s == seconds


@pytest.mark.parametrize("wording", Wording)
def test_what_is_sent_is_not_kept_and_is_bounded(wording: Wording) -> None:
    """store=False, the picture inline, max_output_tokens, and a strict schema with the full question."""
    asked = question(wording)
    body = json.loads(request_bytes(RequestShape(Api.RESPONSES), (asked,), 123))
    assert (body["store"], body["max_output_tokens"], body["model"]) == (False, 123, "gpt-6-luna")
    assert ("text" in body) == (wording is Wording.FULL)
    if wording is Wording.FULL:
        assert body["text"]["format"] == {
            "type": "json_schema",
            "name": "zones",
            "schema": prompts.answer_schema((RED,)),
            "strict": True,
        }
    text, picture = body["input"][0]["content"]
    assert text["text"] == prompts.instruction(asked)
    encoded = picture["image_url"].removeprefix("data:image/jpeg;base64,")
    assert base64.b64decode(encoded) == asked.view.data


def test_chat_is_asked_the_same() -> None:
    """The same words, schema and picture in the other API's places."""
    asked = question()
    body = json.loads(request_bytes(RequestShape(Api.CHAT), (asked,), 123))
    text, picture = body["messages"][0]["content"]
    assert (body["model"], body["max_tokens"]) == ("gpt-6-luna", 123)
    assert text["text"] == prompts.instruction(asked)
    assert base64.b64decode(picture["image_url"]["url"].partition(",")[2]) == asked.view.data
    assert body["response_format"]["json_schema"]["schema"] == prompts.answer_schema((RED,))


async def test_an_estimate_is_an_upper_bound_of_what_is_billed() -> None:
    """Tokens in and out, and dollars; otherwise a budget could be exceeded."""
    price = Price(0.10, 0.50)
    async with (
        Simulator() as simulator,
        asking(simulator.base_url, prices={"gpt-6-luna": price}) as model,
    ):
        for wording in Wording:
            asked = question(wording, RED, LOGO)
            found = await model.ask(asked)
            estimate = model.estimate(asked)
            assert estimate.input_tokens >= found.tokens.input
            assert estimate.output_tokens >= found.tokens.output
            assert estimate.cost_usd >= model.cost_usd(found) > 0
            assert estimate.tokens == estimate.input_tokens + estimate.output_tokens


async def test_without_a_price_nothing_is_reckoned() -> None:
    """0 where the price is not known."""
    async with Simulator() as simulator, asking(simulator.base_url) as model:
        found = await model.ask(question())
        assert model.cost_usd(found) == 0.0
        assert model.estimate(question()).cost_usd == 0.0


async def test_the_provider_describes_itself() -> None:
    """What the cache key, the ladder and the journal go by."""
    async with asking("http://127.0.0.1:9/v1") as model:
        assert (model.name, model.source, model.paid) == ("openai", Source.MODEL, True)
        assert model.views == (ViewKind.CROP, ViewKind.POSTER)
        assert model.prompt_version == prompts.VERSION


async def test_a_cancelled_question_leaves_the_connection_pool_whole() -> None:
    """A poster's deadline strikes in the middle of requests, and the next ones go through."""
    options = SimulatorOptions(latency_s=0.3)
    async with Simulator(options) as simulator, asking(simulator.base_url, max_connections=2) as model:
        tasks = [asyncio.create_task(model.ask(question(number=n))) for n in range(10)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(5):
            found = await asyncio.gather(*(model.ask(question(number=n)) for n in range(4)))
    assert all(isinstance(each.result, tuple) for each in found)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("0s", 0.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("120ms", 0.12),
        ("1m30s", 90.0),
        ("2d", 172_800.0),
        ("7.66s", 7.66),
        (None, None),
        ("", None),
        ("12", None),
        ("s", None),
        ("1s ", None),
        ("-1s", None),
        ("1 s", None),
        ("9" * 400 + "s", None),
    ],
)
def test_durations_are_read_as_the_api_writes_them(text: str | None, seconds: float | None) -> None:
    """None where it is none."""
    assert parse_duration_s(text) == (None if seconds is None else pytest.approx(seconds))


@given(st.integers(0, 10**8))
def test_a_duration_of_the_simulator_is_read_back(milliseconds: int) -> None:
    """parse(write(duration)) == duration, to the millisecond."""
    assert parse_duration_s(write_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.dictionaries(st.sampled_from(["limit", "remaining", "reset"]), st.text(), max_size=3))
def test_any_header_is_a_figure_or_nothing(parts: dict[str, str]) -> None:
    """Nothing is raised, and no figure is negative."""
    found = read_allowance({f"x-ratelimit-{part}-requests": text for part, text in parts.items()})
    assert found is None or min(found.limit_requests or 0, found.remaining_requests or 0) >= 0


def test_headers_that_say_nothing_are_no_allowance() -> None:
    """None, so that the limiter knows that the server is silent."""
    assert read_allowance({}) is None
    assert read_allowance({"x-ratelimit-limit-requests": "unlimited"}) is None
    assert read_allowance({"x-ratelimit-limit-requests": "9" * 5000}) is None
    assert read_allowance({"x-ratelimit-limit-requests": " 500 "}) == Allowance(limit_requests=500)


async def test_a_server_without_keys_keeps_its_words() -> None:
    """Its stand-in key, `none`, is a word of many messages."""
    body = reply(400, error_body("none of the images can be read"))
    async with (
        Loopback({"/v1/responses": body}) as server,
        asking(server.url("/v1"), api_key="none") as model,
    ):
        assert "none of the images" in fault_of(await model.ask(question())).message
