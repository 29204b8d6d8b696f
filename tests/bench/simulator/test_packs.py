"""Several pictures in one request: the simulator's answers, faults, latency and records."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import openai
import pytest

from redzone.bench.simulator.artwork import poster_file
from redzone.bench.simulator.options import pack_factor
from redzone.bench.simulator.requests import image_tokens
from redzone.bench.simulator.server import Fault, Simulator, SimulatorOptions
from tests.bench.simulator.questions import (
    chat_question,
    client_of,
    packed_chat_question,
    packed_response_question,
    response_question,
)
from tests.virtual_time import run_virtual

NUMBERS = (3, 1, 4, 5)
Entries = list[dict[str, Any]]


def entries_of(text: str | None) -> Entries:
    found: Entries = json.loads(text or "")["pictures"]
    return found


async def asked_with(fault: Fault, *numbers: int) -> Entries:
    """What comes of a pack when every request is hit."""
    async with Simulator(SimulatorOptions(faults={fault: 1.0})) as simulator, client_of(simulator) as client:
        response = await client.responses.create(**packed_response_question(*numbers))
    assert [(record.fault, record.pictures) for record in simulator.log] == [(fault, len(numbers))]
    return entries_of(response.output_text)


async def test_every_picture_of_a_pack_is_answered_as_it_is_alone() -> None:
    """Over both APIs, under its number; the pack is one request and one record."""
    async with Simulator() as simulator, client_of(simulator) as client:
        response = await client.responses.create(**packed_response_question(*NUMBERS))
        completion = await client.chat.completions.create(**packed_chat_question(*NUMBERS))
        alone = [
            (
                await client.responses.create(**response_question(number)),
                await client.chat.completions.create(**chat_question(number)),
            )
            for number in NUMBERS
        ]
    packed = entries_of(response.output_text)
    assert entries_of(completion.choices[0].message.content) == packed
    assert [entry.pop("picture") for entry in packed] == [1, 2, 3, 4]
    assert packed == [json.loads(each.output_text) for each, _ in alone]
    assert packed == [json.loads(each.choices[0].message.content or "") for _, each in alone]
    first = simulator.log[0]
    assert first.image_sha256 == hashlib.sha256(poster_file(NUMBERS[0], None, ".jpg")).hexdigest()
    assert [record.pictures for record in simulator.log] == [4, 4, *[1] * 8]
    single = simulator.log[2]
    assert first.input_tokens >= single.input_tokens + 3 * image_tokens(32, 48)
    assert response.usage is not None
    assert first.output_tokens == response.usage.output_tokens > 3 * single.output_tokens


async def test_a_missing_picture_is_one_that_has_no_entry() -> None:
    """All others have theirs, unchanged."""
    left, others = (
        await asked_with(Fault.PACK_MISSING, *NUMBERS),
        await asked_with(Fault.PACK_DOUBLED, *NUMBERS),
    )
    assert len(left) == 3
    assert len({entry["picture"] for entry in left}) == 3
    assert all(entry in others for entry in left)


async def test_a_doubled_picture_has_another_ones_entry_beside_its_own() -> None:
    """Four entries of three numbers: the one that is lost is told under the number that is there twice."""
    doubled = await asked_with(Fault.PACK_DOUBLED, *NUMBERS)
    assert len(doubled) == 4
    assert len({entry["picture"] for entry in doubled}) == 3


@pytest.mark.parametrize("fault", [Fault.PACK_MISSING, Fault.PACK_DOUBLED])
async def test_a_fault_of_packs_passes_by_a_single_picture(fault: Fault) -> None:
    """Neither a pack of one nor a plain question knows of it, and it takes no other kind's place."""
    options = SimulatorOptions(faults={fault: 1.0})
    async with Simulator(options) as simulator, client_of(simulator) as client:
        response = await client.responses.create(**packed_response_question(1))
        await client.responses.create(**response_question())
    assert [entry["picture"] for entry in entries_of(response.output_text)] == [1]
    assert [record.fault for record in simulator.log] == [None, None]


async def test_a_retry_of_a_mixed_up_pack_can_succeed() -> None:
    """The fault hits a request, not its pictures."""
    options = SimulatorOptions(faults={Fault.PACK_MISSING: 0.5})
    async with Simulator(options) as simulator, client_of(simulator) as client:
        counts = {
            len(entries_of((await client.responses.create(**packed_response_question(*NUMBERS))).output_text))
            for _ in range(20)
        }
    assert counts == {3, 4}


def test_a_picture_that_always_stalls_stalls_every_pack_that_it_is_in() -> None:
    """So that whoever asks about the whole pack again gets no further: it has to be taken apart."""

    async def ask(*numbers: int) -> bool:
        options = SimulatorOptions(faults={Fault.STALL_ALWAYS: 0.4})
        async with Simulator(options) as simulator, client_of(simulator) as client:
            try:
                await client.responses.create(**packed_response_question(*numbers))
            except openai.APITimeoutError:
                return False
            return True

    alone = {number: run_virtual(ask(number)) for number in range(1, 7)}
    assert set(alone.values()) == {True, False}
    good, bad = ([number for number, fine in alone.items() if fine is kind] for kind in (True, False))
    assert run_virtual(ask(*good))
    assert not run_virtual(ask(*good, bad[0]))
    assert not run_virtual(ask(bad[0], *good))


def test_a_pack_takes_longer_by_its_output() -> None:
    """Half of a single answer's time, and another half for each picture."""

    async def ask(*numbers: int) -> float:
        options = SimulatorOptions(latency_s=2.0)
        async with Simulator(options) as simulator, client_of(simulator) as client:
            await client.with_options(timeout=100).responses.create(**packed_response_question(*numbers))
        (record,) = simulator.log
        return (record.answered_at_s or 0.0) - record.at_s

    assert run_virtual(ask(1)) == pytest.approx(2.0)
    assert run_virtual(ask(1, 2)) == pytest.approx(3.0)
    assert run_virtual(ask(*range(1, 17))) == pytest.approx(17.0)
    assert pack_factor(0) == 1.0  # a question without a picture


async def test_the_most_output_tokens_are_those_of_the_whole_answer() -> None:
    """What is enough for one picture cuts four off, in the middle of the list."""
    async with Simulator() as simulator, client_of(simulator) as client:
        alone = await client.responses.create(**response_question(max_output_tokens=40))
        packed = await client.responses.create(**packed_response_question(*NUMBERS, max_output_tokens=40))
    assert (alone.status, packed.status) == ("completed", "incomplete")
    assert packed.usage is not None
    assert packed.usage.output_tokens == 40


async def test_a_pack_with_fewer_pictures_than_numbers_is_a_400() -> None:
    """The schema asks about a picture that is not there."""
    question = packed_response_question(1, 2, 3)
    del question["input"][0]["content"][-1]
    async with Simulator() as simulator, client_of(simulator) as client:
        with pytest.raises(openai.BadRequestError, match="picture 3"):
            await client.responses.create(**question)
