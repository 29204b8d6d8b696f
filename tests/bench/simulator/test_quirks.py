"""Quirks of real servers, as a client sees them."""

from __future__ import annotations

import gzip
import json
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest

from redzone.bench.simulator.faults import MODEL_SIDE, QUIRKS, Fault
from redzone.bench.simulator.requests import ModelEndpoint
from redzone.bench.simulator.server import Simulator, SimulatorOptions
from tests.bench.simulator.questions import chat_question, client_of, response_question

CHAT_ONLY = {Fault.PARTS, Fault.REASONING}
QUIRKS_BY_API = [
    (fault, api)
    for fault in sorted(QUIRKS.intersection(MODEL_SIDE))
    for api in ModelEndpoint
    if api is ModelEndpoint.CHAT or fault not in CHAT_ONLY
]


async def ask(options: SimulatorOptions, path: str, question: dict[str, Any]) -> httpx2.Response:
    """Send one request, and follow no redirect."""
    async with Simulator(options) as simulator, httpx2.AsyncClient() as http:
        return await http.post(simulator.origin + path, json=question)


async def chat(fault: Fault | None, question: dict[str, Any] | None = None) -> httpx2.Response:
    options = SimulatorOptions(faults={fault: 1.0} if fault else {})
    return await ask(options, ModelEndpoint.CHAT, question or zones_question())


def zones_question() -> dict[str, Any]:
    """A chat question whose answer is a list of one zone with elements and a confidence."""
    verdict = {
        "zone": "red",
        "elements": [{"kind": "text", "label": "x"}],
        "contains_key_elements": True,
        "confidence_pct": 90,
    }
    # the answer depends on the prompt; this one finds elements
    text = f"Form: {json.dumps({'zones': [verdict]})}"
    question = chat_question(messages=[{"role": "user", "content": text}])
    del question["response_format"]
    return question


async def content(fault: Fault | None) -> str:
    """The text of a chat answer."""
    text: str = (await chat(fault)).json()["choices"][0]["message"]["content"]
    return text


@pytest.mark.parametrize(("fault", "api"), QUIRKS_BY_API)
async def test_every_quirk_changes_the_response_and_is_logged(fault: Fault, api: ModelEndpoint) -> None:
    """On both APIs, as far as the API has what the quirk is about."""
    question = chat_question() if api is ModelEndpoint.CHAT else response_question()
    question |= {"store": False}
    if fault in (Fault.OTHER_KIND, Fault.BARE_ZONES):
        question = zones_question()
        question |= {"input": question["messages"]}
    if fault is Fault.NO_DETAIL and api is ModelEndpoint.CHAT:
        question["messages"][0]["content"][1]["image_url"]["detail"] = "high"
    seen = []
    for faults in ({}, {fault: 1.0}):
        async with (
            Simulator(SimulatorOptions(faults=faults, seed=3)) as simulator,
            httpx2.AsyncClient() as http,
        ):
            response = await http.post(simulator.origin + api, json=question)
        seen.append(
            (response.status_code, response.headers.get("content-encoding"), _without_times(response))
        )
    assert seen[0] != seen[1]
    assert simulator.log[0].fault is fault


def _without_times(response: httpx2.Response) -> Any:
    try:
        body = response.json()
    except ValueError:
        return response.text
    if isinstance(body, list):
        return body
    return {name: part for name, part in body.items() if name not in ("created", "created_at")}


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code"),
    [
        (Fault.QUOTA_TYPE, 429, "insufficient_quota", None),
        (Fault.HTTP402, 402, "payment_required", None),
        (Fault.BUDGET_400, 400, "budget_exceeded", "400"),
        (Fault.KEY_400, 400, "INVALID_ARGUMENT", "API_KEY_INVALID"),
        (Fault.CONTENT_FILTER, 400, "", "content_filter"),
        (Fault.MODERATION, 403, "moderation_error", "403"),
        (Fault.TOO_LARGE, 429, "tokens", "rate_limit_exceeded"),
        (Fault.NO_MAX_TOKENS, 400, "invalid_request_error", "unknown_parameter"),
    ],
)
async def test_an_error_has_its_status_type_and_code(
    fault: Fault, status: int, kind: str, code: str | None
) -> None:
    """As a client reads them."""
    response = await chat(fault)
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["code"]) == (status, kind, code)


async def test_a_firewall_answers_in_html() -> None:
    """403, and no JSON."""
    response = await chat(Fault.HTML_403)
    assert (response.status_code, response.headers["content-type"]) == (403, "text/html; charset=utf-8")


async def test_a_time_to_wait_comes_in_four_forms() -> None:
    """As seconds, as an HTTP date, in the text alone, and as a field of a body that is a list."""
    day, date, text = [await chat(fault) for fault in (Fault.DAY_LIMIT, Fault.RETRY_DATE, Fault.RETRY_TEXT)]
    assert day.headers["retry-after"] == "86400"
    assert parsedate_to_datetime(date.headers["retry-after"])
    assert "retry-after" not in text.headers
    delay = await chat(Fault.RETRY_DELAY)
    assert delay.json()[0]["error"]["details"][0]["retryDelay"] == "1s"
    assert "try again in 1s" in text.json()["error"]["message"]


async def test_a_redirect_leads_to_the_answer() -> None:
    """307 once; whoever repeats the POST there is answered."""
    async with (
        Simulator(SimulatorOptions(faults={Fault.REDIRECT: 1.0})) as simulator,
        httpx2.AsyncClient(follow_redirects=True) as http,
    ):
        response = await http.post(simulator.origin + ModelEndpoint.CHAT, json=chat_question())
    assert [record.status for record in simulator.log] == [307, 200]
    assert response.json()["choices"][0]["finish_reason"] == "stop"


async def test_a_server_that_knows_no_parameter_of_that_name_serves_requests_without_it() -> None:
    """The fault needs the parameter."""
    question = chat_question()
    del question["max_completion_tokens"]
    assert (await chat(Fault.NO_MAX_TOKENS, question)).status_code == 200


async def test_an_error_inside_a_200() -> None:
    """As an error, as a failed answer, and without choices."""
    error, failed, empty = [
        (await chat(fault)).json() for fault in (Fault.ERROR_200, Fault.FAILED_200, Fault.EMPTY_200)
    ]
    assert set(error) == {"error"}
    assert error["error"]["code"] == 502
    assert failed["choices"][0]["finish_reason"] == "error"
    assert empty["choices"] is None


async def test_usage_may_be_missing_or_wrong() -> None:
    """Absent, -1, and with a fraction."""
    absent, negative, fractional = [
        (await chat(fault)).json().get("usage")
        for fault in (Fault.NO_USAGE, Fault.NEGATIVE_USAGE, Fault.FRACTIONAL_USAGE)
    ]
    assert absent is None
    assert set(negative.values()) == {-1}
    assert fractional["prompt_tokens"] % 1 == 0.5


async def test_compression_that_nobody_asked_for() -> None:
    """The body is gzip, whatever Accept-Encoding says."""
    async with (
        Simulator(SimulatorOptions(faults={Fault.GZIP: 1.0})) as simulator,
        httpx2.AsyncClient() as http,
    ):
        request = http.build_request(
            "POST",
            simulator.origin + ModelEndpoint.CHAT,
            json=chat_question(),
            headers={"accept-encoding": ""},
        )
        response = await http.send(request, stream=True)
        raw = b"".join([part async for part in response.aiter_raw()])
    assert b'"choices"' in gzip.decompress(raw)


async def test_an_answer_keeps_its_content_in_another_form() -> None:
    """What a person could still read."""
    plain = await content(None)
    (zone,) = json.loads(plain)["zones"]
    assert (await content(Fault.FENCED)).strip("`json\n") == plain
    assert plain in await content(Fault.PROSE)
    assert (await content(Fault.THINK)).endswith(f"</think>\n\n{plain}")
    assert "<think>" not in await content(Fault.THINK_UNOPENED)
    assert (await content(Fault.TRAILING_COMMA)).replace(",}", "}").replace(",]", "]") == plain
    assert json.loads(json.loads(await content(Fault.JSON_STRING))) == json.loads(plain)
    assert (await content(Fault.TWO_OBJECTS)).split("\n") == [plain, plain]
    assert json.loads(await content(Fault.BARE_ZONES)) == zone
    assert json.loads(await content(Fault.ZONE_CASE))["zones"][0]["zone"] == "Red"
    assert json.loads(await content(Fault.FRACTION))["zones"][0]["confidence_pct"] <= 1
    assert json.loads(await content(Fault.PERCENT))["zones"][0]["confidence_pct"].endswith("%")
    parts: Any = await content(Fault.PARTS)
    assert parts == [{"type": "text", "text": plain}]


async def test_a_contradiction_lists_elements_in_a_free_zone() -> None:
    """Whatever the verdict was."""
    (zone,) = json.loads(await content(Fault.CONTRADICTION))["zones"]
    assert zone["contains_key_elements"] is False
    assert zone["elements"]


@pytest.mark.parametrize("status", [200, 400, 404, 405, 500, 520])
async def test_a_server_without_the_responses_api_has_its_own_status(status: int) -> None:
    """A 200 with an error is what a local server says; chat works."""
    options = SimulatorOptions(responses_api=False, responses_status=status)
    response = await ask(options, ModelEndpoint.RESPONSES, response_question())
    assert response.status_code == status
    assert response.json().get("output") is None
    async with Simulator(options) as simulator, client_of(simulator) as client:
        await client.chat.completions.create(**chat_question())


@pytest.mark.parametrize(("fault", "status"), [(Fault.IMAGE_HTTP429, 429), (Fault.IMAGE_HTTP503, 503)])
async def test_an_image_server_says_when_to_come_back(fault: Fault, status: int) -> None:
    """Retry-After in seconds."""
    async with Simulator(SimulatorOptions(faults={fault: 1.0})) as simulator, httpx2.AsyncClient() as http:
        response = await http.get(simulator.poster_url(1))
    assert (response.status_code, response.headers["retry-after"]) == (status, "1")


async def test_an_image_server_keeps_a_limit_of_its_own() -> None:
    """60 images a minute are one in a second; the next is a 429. The model has its own limit."""
    async with Simulator(SimulatorOptions(image_rpm=60)) as simulator, httpx2.AsyncClient() as http:
        statuses = [(await http.get(simulator.poster_url(number))).status_code for number in range(1, 6)]
        model = await http.post(simulator.origin + ModelEndpoint.CHAT, json=chat_question())
    assert statuses.count(429) >= 3
    assert statuses[0] == 200
    assert model.status_code == 200
    assert [record.poster for record in simulator.log[:5]] == [1, 2, 3, 4, 5]
