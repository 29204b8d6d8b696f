"""Writing results: one row per input row, in input order, with every column of the input kept."""

from redzone.reports.export import Format, format_for, write_results
from redzone.reports.table import Layout, result_cells, result_columns

__all__ = ["Format", "Layout", "format_for", "result_cells", "result_columns", "write_results"]
