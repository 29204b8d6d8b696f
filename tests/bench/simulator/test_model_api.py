"""The vision API of the simulator, asked by the real client."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.simulator.artwork import poster_file
from redzone.bench.simulator.rate_limits import Enforcement
from redzone.bench.simulator.replies import write_duration
from redzone.bench.simulator.requests import image_tokens
from redzone.bench.simulator.server import Fault, Simulator, SimulatorOptions
from tests.bench.simulator.questions import SCHEMA, chat_question, client_of, response_question
from tests.virtual_time import run_virtual


async def test_a_response_fits_its_schema_and_reports_its_tokens() -> None:
    """The Responses API answers as the client parses it, the same for the same picture."""
    async with Simulator() as simulator, client_of(simulator) as client:
        raw = await client.responses.with_raw_response.create(**response_question())
        again = await client.responses.create(**response_question())
    response = raw.parse()
    assert response.status == "completed"
    assert response.output_text == again.output_text
    assert set(json.loads(response.output_text)) == set(SCHEMA["properties"])
    assert response.usage is not None
    assert response.usage.input_tokens > image_tokens(32, 48)
    assert response.usage.total_tokens == simulator.log[0].tokens
    assert simulator.log[0].image_sha256 == hashlib.sha256(poster_file(1, None, ".jpg")).hexdigest()
    assert [record.status for record in simulator.log] == [200, 200]


async def test_a_completion_gives_the_same_verdict() -> None:
    """The Chat Completions API says of a picture what the Responses API says."""
    async with Simulator() as simulator, client_of(simulator) as client:
        raw = await client.chat.completions.with_raw_response.create(**chat_question())
        response = await client.responses.create(**response_question())
    completion = raw.parse()
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content == response.output_text
    assert completion.usage is not None
    assert completion.usage.total_tokens == simulator.log[0].tokens


async def test_without_a_schema_the_answer_follows_the_example_in_the_prompt() -> None:
    """A plain question gets a JSON object of the form that it shows."""
    text = 'Answer like {"zones": [{"zone": "red", "contains_key_elements": true}]}'
    async with Simulator() as simulator, client_of(simulator) as client:
        response = await client.responses.create(model="gpt-6-luna", input=text)
        plain = await client.responses.create(model="gpt-6-luna", input="Hello?")
    assert json.loads(response.output_text)["zones"][0]["zone"] == "red"
    assert "contains_key_elements" in json.loads(plain.output_text)


def _with_image(url: str) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (_with_image("https://posters.example/1.jpg"), "invalid_image_format"),
        (_with_image("data:image/jpeg;base64,***"), "invalid_image_format"),
        (_with_image("data:image/jpeg;base64,R0lGODlhAQ=="), "invalid_image_format"),
        (_with_image("data:image/jpeg;base64,/9j/"), "invalid_image_format"),
        ({"input": [{"role": "user", "content": [{"type": "sound"}]}]}, "invalid_value"),
        (
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "n",
                        "strict": True,
                        "schema": {"type": "object"},
                    }
                }
            },
            "invalid_json_schema",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"$ref": "#/$defs/Gone"}}}},
            "invalid_json_schema",
        ),
    ],
)
async def test_a_wrong_request_is_a_400_that_counts(changes: dict[str, Any], code: str) -> None:
    """The API's own code, with rate headers, and one request less in the allowance."""
    async with Simulator(SimulatorOptions(rpm=10)) as simulator, client_of(simulator) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(**response_question(**changes))
    assert caught.value.code == code
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "9"


@pytest.mark.parametrize("enforcement", Enforcement)
def test_every_answer_tells_what_is_left(enforcement: Enforcement) -> None:
    """Six headers about the limits on answers and rejections, with tokens corrected to those used."""

    async def exhaust() -> tuple[Any, openai.RateLimitError, Simulator]:
        options = SimulatorOptions(rpm=3, tpm=10_000, enforcement=enforcement)
        async with Simulator(options) as simulator, client_of(simulator) as client:
            raw = await client.responses.with_raw_response.create(**response_question())
            with contextlib.suppress(openai.RateLimitError):
                await client.responses.create(**response_question())
                await client.responses.create(**response_question())
            with pytest.raises(openai.RateLimitError) as caught:
                await client.responses.create(**response_question())
            return raw.headers, caught.value, simulator

    headers, error, simulator = run_virtual(exhaust())
    assert headers["x-ratelimit-limit-requests"] == "3"
    quantised = enforcement is Enforcement.QUANTISED
    assert headers["x-ratelimit-remaining-requests"] == ("0" if quantised else "2")
    assert int(headers["x-ratelimit-remaining-tokens"]) == 10_000 - simulator.log[0].tokens
    assert re.fullmatch(r"(\d+m)?[\d.]+s|\d+ms", headers["x-ratelimit-reset-tokens"])
    assert (error.code, error.type) == ("rate_limit_exceeded", "requests")
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
    after_s, after_ms = (int(error.response.headers[name]) for name in ("retry-after", "retry-after-ms"))
    assert (after_s - 1) * 1000 < after_ms <= after_s * 1000
    assert simulator.log[-1].status == 429
    assert simulator.log[-1].image_sha256
    assert simulator.log[-1].tokens == 0


async def test_tokens_per_minute_reject_too() -> None:
    """The reserve counts: input and max_output_tokens together must fit."""
    async with Simulator(SimulatorOptions(tpm=300)) as simulator, client_of(simulator) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(**response_question(max_output_tokens=300))
        await client.responses.create(**response_question(max_output_tokens=100))
    assert caught.value.type == "tokens"


async def test_a_silent_server_announces_nothing_but_when_to_come_back() -> None:
    """Without `announce` there is no x-ratelimit header; a 429 keeps its retry-after."""
    async with (
        Simulator(SimulatorOptions(rpm=1, announce=False)) as simulator,
        client_of(simulator) as client,
    ):
        raw = await client.responses.with_raw_response.create(**response_question())
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(**response_question())
    for headers in (raw.headers, caught.value.response.headers):
        assert not [name for name in headers if name.startswith("x-ratelimit")]
    assert int(caught.value.response.headers["retry-after"]) in (60, 61)


async def test_a_server_without_the_responses_api_says_not_found() -> None:
    """404 for /v1/responses, as builds that only speak chat; chat works."""
    async with Simulator(SimulatorOptions(responses_api=False)) as simulator, client_of(simulator) as client:
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(**response_question())
        await client.chat.completions.create(**chat_question())


async def test_a_wrong_key_is_refused_and_the_right_one_is_not() -> None:
    """401 invalid_api_key, for the models list as well; the key is in no repr."""
    options = SimulatorOptions(api_key="right")
    assert "right" not in repr(options)
    async with Simulator(options) as simulator:
        async with client_of(simulator, "wrong") as client:
            with pytest.raises(openai.AuthenticationError, match="key") as caught:
                await client.responses.create(**response_question())
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
        async with client_of(simulator, "right") as client:
            await client.responses.create(**response_question())
            assert "gpt-6-luna" in [model.id async for model in client.models.list()]
    assert caught.value.code == "invalid_api_key"


async def test_an_empty_account_is_final() -> None:
    """After the quota every request is a 429 insufficient_quota, without a time to come back."""
    async with Simulator(SimulatorOptions(quota_requests=1)) as simulator, client_of(simulator) as client:
        await client.responses.create(**response_question())
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(**response_question())
    assert caught.value.code == "insufficient_quota"
    assert "retry-after" not in caught.value.response.headers


async def test_an_answer_longer_than_allowed_is_cut_off() -> None:
    """max_output_tokens is kept: the answer is incomplete, for its length."""
    async with Simulator() as simulator, client_of(simulator) as client:
        response = await client.responses.create(**response_question(max_output_tokens=5))
        completion = await client.chat.completions.create(**chat_question(max_completion_tokens=5))
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage is not None
    assert response.usage.output_tokens == 5
    assert completion.choices[0].finish_reason == "length"


async def _asked_with(fault: Fault) -> tuple[Any, Any, Simulator]:
    async with Simulator(SimulatorOptions(faults={fault: 1.0})) as simulator, client_of(simulator) as client:
        response = await client.responses.create(**response_question())
        completion = await client.chat.completions.create(**chat_question())
    return response, completion, simulator


async def test_a_refusal_is_a_refusal_in_both_apis() -> None:
    """No text, a refusal."""
    response, completion, simulator = await _asked_with(Fault.REFUSAL)
    assert response.output[0].content[0].type == "refusal"
    assert completion.choices[0].message.refusal
    assert simulator.log[0].fault is Fault.REFUSAL


async def test_an_empty_answer_has_no_text() -> None:
    """Completed, and nothing in it."""
    response, completion, _ = await _asked_with(Fault.EMPTY)
    assert (response.status, response.output_text) == ("completed", "")
    assert completion.choices[0].message.content == ""


async def test_a_cut_off_or_broken_answer_is_no_json() -> None:
    """A valid envelope round a text that does not parse; a cut-off one says that it is."""
    for fault in (Fault.CUTOFF, Fault.BROKEN_ANSWER):
        response, completion, _ = await _asked_with(fault)
        for text in (response.output_text, completion.choices[0].message.content):
            with pytest.raises(json.JSONDecodeError):
                json.loads(text)
        assert (response.status == "incomplete") == (fault is Fault.CUTOFF)


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        (Fault.HTTP500, openai.InternalServerError, 500),
        (Fault.HTTP503, openai.InternalServerError, 503),
        (Fault.SLOW_DOWN, openai.RateLimitError, 429),
        (Fault.RESET, openai.APIConnectionError, None),
        (Fault.HALF, openai.APIConnectionError, 200),
        (Fault.BROKEN_JSON, json.JSONDecodeError, 200),
        (Fault.STALL, openai.APITimeoutError, None),
        (Fault.STALL_ALWAYS, openai.APITimeoutError, None),
    ],
)
def test_a_fault_reaches_the_client(fault: Fault, error: type[Exception], status: int | None) -> None:
    """Each kind is seen by the client as what it is, logged, and counted against the allowance."""

    async def ask() -> tuple[Exception, Simulator]:
        options = SimulatorOptions(rpm=10, faults={fault: 1.0})
        async with Simulator(options) as simulator, client_of(simulator) as client:
            with pytest.raises(error) as caught:
                await client.responses.create(**response_question())
            return caught.value, simulator

    raised, simulator = run_virtual(ask())
    record = simulator.log[0]
    assert (record.fault, record.status, record.tokens) == (fault, status, 0)
    assert simulator._model._gate.allowance(record.at_s).remaining_requests == 9
    if isinstance(raised, openai.APIStatusError):
        assert "x-ratelimit-remaining-requests" in raised.response.headers


async def test_a_retry_of_a_passing_fault_can_succeed() -> None:
    """The same picture asked again and again is hit sometimes, not always."""
    options = SimulatorOptions(faults={Fault.HTTP500: 0.5})
    async with Simulator(options) as simulator, client_of(simulator) as client:
        for _ in range(20):
            try:
                await client.responses.create(**response_question())
            except openai.InternalServerError:
                continue
    assert {record.status for record in simulator.log} == {200, 500}


def test_latency_is_spread_about_its_median() -> None:
    """Half the answers take longer than the median, and the clock that is handed in keeps the time."""

    async def ask_many() -> list[float]:
        options = SimulatorOptions(latency_s=10, latency_spread=0.5)
        async with Simulator(options) as simulator, client_of(simulator) as client:
            patient = client.with_options(timeout=1000)
            await asyncio.gather(
                *(patient.responses.create(**response_question(number)) for number in range(60))
            )
            return [(record.answered_at_s or 0) - record.at_s for record in simulator.log]

    taken = run_virtual(ask_many())
    assert 0.3 < sum(seconds > 10 for seconds in taken) / len(taken) < 0.7
    assert min(taken) > 1
    assert max(taken) > 15


@given(st.integers(0, 10**8))
def test_a_duration_is_written_as_go_writes_it(milliseconds: int) -> None:
    """Read by its units, the text gives the milliseconds back."""
    text = write_duration(milliseconds / 1000)
    units = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text
    assert round(sum(float(number) * units[unit] for number, unit in parts)) == milliseconds


def test_durations_look_as_documented() -> None:
    """The forms that the API's documentation shows."""
    assert [write_duration(s) for s in (0, 0.1195, 1, 1.5, 360, 3600)] == [
        "0s",
        "120ms",
        "1s",
        "1.5s",
        "6m0s",
        "1h0m0s",
    ]
