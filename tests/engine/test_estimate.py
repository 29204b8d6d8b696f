"""What a run would take, reckoned without sending anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from redzone.bench.simulator.server import Simulator
from redzone.cache import Cache, KnownUrl, Remembered
from redzone.config.settings import Settings
from redzone.engine.estimate import EXPECTED_OUTPUT_TOKENS, LOCAL_S_PER_POSTER, Basis, estimate
from redzone.models import BadRow, Poster, Row, RunEstimate, ZoneVerdict
from redzone.plan import GUESSED_WORKING_S, Provider, make_plan
from redzone.vision.openai.prices import Price
from redzone.wiring import cache_key, vision_model

VERDICT = ZoneVerdict(name="red", contains_key_elements=False, confidence_pct=90.0)
REMEMBERED = Remembered((VERDICT,), "crop/full", "gpt-6-luna", "an-earlier-run")
LUNA = Price(0.10, 0.50)


def posters(*images: str) -> Iterator[Row]:
    return (Poster(row=number, id=str(number), image=image) for number, image in enumerate(images, 1))


def urls(count: int) -> Iterator[Row]:
    return posters(*(f"https://posters.example/{number}.jpg" for number in range(count)))


class Reckoning:
    """A cache and a basis to reckon with."""

    def __init__(self, cache: Cache, basis: Basis) -> None:
        self.cache = cache
        self.basis = basis

    async def reckon(self, rows: Iterator[Row]) -> RunEstimate:
        return await estimate(rows, self.cache, self.basis)


@asynccontextmanager
async def desk(
    home: Path,
    *,
    provider: str = "openai",
    price: Price | None = LUNA,
    workers: int | None = 20,
    max_workers: int = 200,
    **settings: Any,
) -> AsyncIterator[Reckoning]:
    """As wiring puts it together, with a simulator that must never be asked."""
    cache = Cache(home / "cache.sqlite", 3600.0, lambda: 1_000_000.0)
    async with Simulator() as simulator:
        told = Settings(
            openai_api_key=SecretStr("sk-test-0123456789"), openai_base_url=simulator.base_url, **settings
        )
        chosen = Provider("openai" if provider == "openai" else "local", told.model, "")
        prices = {} if price is None else {chosen.model: price}
        plan = replace(make_plan(told, chosen), prices=prices, workers=workers, max_workers=max_workers)
        model = vision_model(plan, print)
        try:
            yield Reckoning(cache, Basis(plan, cache_key(plan, model), model))
        finally:
            await model.aclose()
            cache.close()
        assert simulator.log == []


async def test_bad_rows_and_doubles_take_no_request(tmp_path: Path) -> None:
    """rows = bad + duplicates + cached + requests."""
    rows = [
        *posters("https://a.example/", "https://b.example/", "https://a.example/", "https://a.example/"),
        BadRow(row=5, reason="no image"),
        BadRow(row=6, reason="no image"),
    ]
    async with desk(tmp_path) as at:
        found = await at.reckon(iter(rows))
    assert (found.rows, found.bad_rows, found.duplicates, found.cached, found.requests) == (6, 2, 2, 0, 2)


async def test_what_is_remembered_takes_no_request(tmp_path: Path) -> None:
    """An address whose picture was judged; a file with that content; not what was judged otherwise."""
    picture = tmp_path / "here.jpg"
    picture.write_bytes(b"the same bytes")
    sha256 = hashlib.sha256(b"the same bytes").hexdigest()
    known = "https://posters.example/known.jpg"
    async with desk(tmp_path) as at:
        await at.cache.remember_url(known, KnownUrl("e", None, sha256))
        assert (await at.reckon(posters(known, str(picture)))).cached == 0
        await at.cache.remember(at.basis.cache_key.key(sha256), REMEMBERED)
        found = await at.reckon(posters(known, str(picture), str(tmp_path / "gone.jpg"), str(tmp_path)))
        assert (found.cached, found.requests, found.missing_files) == (2, 0, 2)
    async with desk(tmp_path, zones=("icon",)) as at:
        assert (await at.reckon(posters(known, str(picture)))).cached == 0


async def test_tokens_and_dollars_are_those_of_one_request_times_their_number(tmp_path: Path) -> None:
    """The likely cost by a usual answer, the most by the whole reserve."""
    async with desk(tmp_path, max_output_tokens=600) as at:
        one = await at.reckon(urls(1))
        many = await at.reckon(urls(1000))
    assert many.input_tokens == 1000 * one.input_tokens > 0
    assert many.output_tokens == 1000 * EXPECTED_OUTPUT_TOKENS
    assert many.cost_usd == pytest.approx((many.input_tokens * 0.10 + many.output_tokens * 0.50) / 1e6)
    assert many.most_cost_usd == pytest.approx((many.input_tokens * 0.10 + 600_000 * 0.50) / 1e6)


async def test_the_whole_poster_takes_more_tokens_than_the_crop(tmp_path: Path) -> None:
    """That is why the crop comes first."""
    async with desk(tmp_path) as at:
        crop = await at.reckon(urls(1))
    async with desk(tmp_path, view="poster") as at:
        poster = await at.reckon(urls(1))
    assert poster.input_tokens > 1.5 * crop.input_tokens


async def test_several_zones_take_one_request(tmp_path: Path) -> None:
    """One question about all of them; the answer is longer."""
    async with desk(tmp_path, zones=("red", "prime-bottom")) as at:
        found = await at.reckon(urls(10))
    assert found.requests == 10
    assert found.output_tokens == 10 * 2 * EXPECTED_OUTPUT_TOKENS


async def test_an_unknown_price_is_said_to_be_unknown(tmp_path: Path) -> None:
    """None, not nothing."""
    async with desk(tmp_path, price=None) as at:
        found = await at.reckon(urls(10))
    assert (found.cost_usd, found.most_cost_usd) == (None, None)
    assert found.input_tokens > 0


async def test_the_tightest_limit_says_how_long_it_takes(tmp_path: Path) -> None:
    """Requests, tokens or workers."""
    async with desk(tmp_path, requests_per_min=60) as at:
        found = await at.reckon(urls(601))
        assert (found.seconds, found.held_back_by) == (600.0, "requests per minute")
    async with desk(tmp_path, requests_per_min=100_000, tokens_per_min=1000) as at:
        found = await at.reckon(urls(100))
        assert found.held_back_by == "tokens per minute"
        assert found.seconds == pytest.approx((found.input_tokens + found.output_tokens) * 60 / 1000)
    async with desk(tmp_path, workers=4) as at:
        found = await at.reckon(urls(100))
        assert (found.seconds, found.held_back_by) == (100 * GUESSED_WORKING_S / 4, "workers")


async def test_the_crew_is_reckoned_as_the_run_would_choose_it(tmp_path: Path) -> None:
    """Little's law where `--workers` is auto, so that it never holds a run back below its limit."""
    async with desk(tmp_path, workers=None, requests_per_min=600) as at:
        assert (await at.reckon(urls(1000))).held_back_by == "requests per minute"


async def test_the_local_model_is_held_back_by_the_processor_and_costs_nothing(tmp_path: Path) -> None:
    """No tokens, no dollars, a measured time for each poster."""
    async with desk(tmp_path, provider="local", price=Price(0.0, 0.0), max_workers=6) as at:
        found = await at.reckon(urls(100))
    assert (found.input_tokens, found.cost_usd, found.most_cost_usd) == (0, 0.0, 0.0)
    assert (found.held_back_by, found.seconds) == ("processor", 100 * LOCAL_S_PER_POSTER / 4)


async def test_nothing_to_do_takes_no_time(tmp_path: Path) -> None:
    """An empty list."""
    async with desk(tmp_path, requests_per_min=60) as at:
        found = await at.reckon(iter(()))
    assert (found.rows, found.requests, found.seconds, found.cost_usd) == (0, 0, 0.0, 0.0)
    assert json.loads(json.dumps(found.model_dump()))["requests"] == 0


@pytest.mark.parametrize(
    "image", ["", "\0", "x" * 5000, "file:///etc/passwd", "\udcff.jpg", "https://posters.example/\udcff"]
)
async def test_any_reference_is_counted(image: str, tmp_path: Path) -> None:
    """Hostile input is the normal case."""
    async with desk(tmp_path) as at:
        found = await at.reckon(posters(image))
    assert found.requests + found.missing_files == 1
