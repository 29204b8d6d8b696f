"""The read model of runs: filters, sorts, pages, counts and compares their outcomes."""

from redzone.query.compare import compare, run_before, trends
from redzone.query.filter import Filter, Sort
from redzone.query.index import ALL, RunIndex
from redzone.query.values import (
    Agreement,
    Bin,
    Change,
    Comparison,
    Facets,
    GroupFigures,
    Neighbours,
    Page,
    Trend,
    pass_rate_pct,
)

__all__ = [
    "ALL",
    "Agreement",
    "Bin",
    "Change",
    "Comparison",
    "Facets",
    "Filter",
    "GroupFigures",
    "Neighbours",
    "Page",
    "RunIndex",
    "Sort",
    "Trend",
    "compare",
    "pass_rate_pct",
    "run_before",
    "trends",
]
