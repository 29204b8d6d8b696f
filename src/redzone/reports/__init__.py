"""Writing results: one row per input row, in input order, with every column of the input kept."""

from redzone.reports.export import REPORTS, Format, format_for, missing_for, write_results
from redzone.reports.metadata import Pictures, Report, ReportMetadata, Shot, no_pictures, report_metadata
from redzone.reports.table import TableLayout, result_cells, result_columns

__all__ = [
    "REPORTS",
    "Format",
    "Pictures",
    "Report",
    "ReportMetadata",
    "Shot",
    "TableLayout",
    "format_for",
    "missing_for",
    "no_pictures",
    "report_metadata",
    "result_cells",
    "result_columns",
    "write_results",
]
