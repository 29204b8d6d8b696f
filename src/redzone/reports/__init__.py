"""Writing results: one row per input row, in input order, with every column of the input kept."""

from redzone.reports.export import REPORTS, Format, format_for, missing_for, write_results
from redzone.reports.metadata import Facts, Pictures, Report, Shot, facts_of, no_pictures
from redzone.reports.table import Layout, result_cells, result_columns

__all__ = [
    "REPORTS",
    "Facts",
    "Format",
    "Layout",
    "Pictures",
    "Report",
    "Shot",
    "facts_of",
    "format_for",
    "missing_for",
    "no_pictures",
    "result_cells",
    "result_columns",
    "write_results",
]
