"""A forecast for people."""

from __future__ import annotations

from redzone.display.figures import format_cost, format_duration
from redzone.forecast import ASSUMED_POSTER_PX
from redzone.models import Forecast


def forecast_lines(found: Forecast) -> tuple[str, ...]:
    """One fact a line."""
    cost = "unknown price"
    if found.cost_usd is not None and found.most_cost_usd is not None:
        cost = (
            f"about {format_cost(found.cost_usd)}, at most {format_cost(found.most_cost_usd)} without retries"
        )
    width, height = ASSUMED_POSTER_PX
    return (
        f"rows        {found.rows:,} ({found.bad_rows:,} unusable)",
        f"known       {found.cached:,} in the cache, {found.duplicates:,} duplicates",
        f"requests    {found.requests:,}",
        f"tokens      about {found.input_tokens:,} in, {found.output_tokens:,} out at {width}x{height} px",
        f"cost        {cost}",
        f"time        about {format_duration(found.seconds)}, held back by {found.held_back_by}",
    )
