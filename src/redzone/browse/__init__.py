"""The read model of runs: filter, sort, page, count and compare what they found."""

from redzone.browse.browser import ALL, RunBrowser
from redzone.browse.filter import Filter, Sort
from redzone.browse.values import Agreement, Bin, Facets, GroupFigures, Neighbours, Page

__all__ = [
    "ALL",
    "Agreement",
    "Bin",
    "Facets",
    "Filter",
    "GroupFigures",
    "Neighbours",
    "Page",
    "RunBrowser",
    "Sort",
]
