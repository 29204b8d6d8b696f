"""Any outcome that a run could record, for Hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from redzone.models import Box, Element, ElementKind, Outcome, Source, Status, Timing, Tokens, ZoneVerdict
from tests.outcomes import outcome


def _verdicts(text: st.SearchStrategy[str]) -> st.SearchStrategy[ZoneVerdict]:
    fractions = st.floats(0.0, 1.0)
    boxes = st.builds(Box, x=fractions, y=fractions, w=fractions, h=fractions)
    elements = st.builds(Element, kind=st.sampled_from(ElementKind), label=text, box=st.none() | boxes)
    return st.builds(
        ZoneVerdict,
        name=st.just("red"),
        contains_key_elements=st.just(True),
        confidence_pct=st.floats(0.0, 100.0),
        elements=st.lists(elements, max_size=3).map(tuple),
        justification=text,
    )


def outcomes(
    text: st.SearchStrategy[str], rows: st.SearchStrategy[int] | None = None
) -> st.SearchStrategy[Outcome]:
    """Any outcome whose free texts come from `text`."""
    seconds = st.floats(0.0, 1e6)
    counts = st.integers(0, 10**9)
    return st.builds(
        outcome,
        row=rows if rows is not None else st.integers(1, 10**7),
        status=st.sampled_from(Status),
        id=text,
        title=text,
        group=text,
        image=text,
        zones=st.lists(_verdicts(text), max_size=2).map(tuple),
        source=st.none() | st.sampled_from(Source),
        strategy=st.none() | text,
        attempts=st.integers(0, 20),
        tokens=st.builds(Tokens, input=counts, output=counts),
        cost_usd=st.floats(0.0, 1e3),
        timing=st.builds(Timing, fetch_s=seconds, wait_s=seconds, model_s=seconds, total_s=seconds),
        finished_at=st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  Hypothesis takes naive bounds
    )
