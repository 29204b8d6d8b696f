"""`/runs/{id}/export.{form}`: exports the listed posters as a file, and builds the export menu."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.query import Filter
from redzone.reports import Format, format_for, missing_for
from redzone.reports.html_file import MOST_CARDS as PAGE_CARDS
from redzone.reports.html_file import MOST_PICTURES as PAGE_PICTURES
from redzone.reports.pdf_file import MOST_CARDS as PDF_CARDS
from redzone.reports.pdf_file import MOST_PICTURES as PDF_PICTURES
from redzone.reports.results import INPUT_CHANGED
from redzone.runs import RunRecord
from redzone.text import clean
from redzone.web.services.exporter import ExportResponse
from redzone.web.services.state import app_state
from redzone.web.templates import render
from redzone.web.views.list_query import ListQuery
from redzone.web.views.pagination import address, with_query

_T = TypeVar("_T")
MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.JSONL: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.HTML: "text/html; charset=utf-8",
    Format.PDF: "application/pdf",
}
# query parameter: export although the input has changed since the run
CHANGED = ("input", "changed")
_LONGEST_LABEL = 40  # of up to 4 bytes each, in the 255 that a file name may have
_USES = {
    Format.CSV: ("CSV", "for spreadsheets"),
    Format.JSON: ("JSON", "one array"),
    Format.JSONL: ("JSONL", "one object per line"),
    Format.PARQUET: ("Parquet", "typed, for DuckDB or pandas"),
    Format.HTML: ("Page", "HTML with pictures, to send"),
    Format.PDF: ("PDF", "fails and unsure posters, to print"),
}
# posters with a picture, and posters of each status
_MOST = {Format.HTML: (PAGE_PICTURES, PAGE_CARDS), Format.PDF: (PDF_PICTURES, PDF_CARDS)}


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """An entry of the export menu. `most` describes what is left out of a long list, `needs` is the command
    that installs a missing package."""

    name: str
    use: str
    most: str
    needs: str
    href: str


def export_formats(run_id: str, list_query: ListQuery, total: int) -> list[ExportFormat]:
    """Builds the menu entries for the `total` selected posters."""
    query = list_query.filter.to_query()
    return [
        ExportFormat(
            *words, _most(form, total), missing_for(form), with_query(f"/runs/{run_id}/export.{form}", query)
        )
        for form, words in _USES.items()
    ]


def _most(form: Format, total: int) -> str:
    pictures, cards = _MOST.get(form, (total, total))
    if total <= pictures:
        return ""
    told = f"; at most {cards:,} of each status" if total > cards else ""
    return f"Pictures of the first {pictures:,} only{told}."


async def export_results(request: Request) -> Response:
    """Sends the file. A child process writes all of it before the first byte is sent: a failure is an error
    page and not half a file."""
    # an export costs time and disk, and a link on another site would save a file unasked
    if request.headers.get("sec-fetch-site") not in (None, "none", "same-origin"):
        raise HTTPException(403, "Results can only be exported from the dashboard's own pages.")
    state, form = app_state(request), _form(request.path_params["form"])
    folder = await asyncio.to_thread(state.folder, request.path_params["run_id"])
    wanted = Filter.from_query(request.query_params.multi_items())
    headers = {
        "Content-Type": MEDIA_TYPES[form],
        "Content-Disposition": disposition(file_name(await asyncio.to_thread(folder.read), form, wanted)),
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    written = await _unless_disconnected(request, state.exports.write(folder.id, form, wanted))
    if INPUT_CHANGED in written.messages and CHANGED not in request.query_params.multi_items():
        await asyncio.to_thread(written.file.close)
        again = address(request, **dict([CHANGED]))
        return render(request, "input_changed.html", 409, run_id=folder.id, again=again)
    return ExportResponse(written, headers)


def _form(name: str) -> Format:
    if name not in set(Format):
        raise HTTPException(404, f"Export formats are {', '.join(Format)}.")
    form = Format(name)
    format_for(Path(f"results.{form}"))  # says what must be installed first
    return form


async def _unless_disconnected(request: Request, work: Coroutine[object, object, _T]) -> _T:
    """Awaits the work; cancels it when the client leaves or the dashboard shuts down."""
    making = asyncio.create_task(work)
    leaving = [
        asyncio.create_task(_disconnected(request)),
        asyncio.create_task(app_state(request).closing.wait()),
    ]
    try:
        await asyncio.wait([making, *leaving], return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            return making.result()
    finally:
        for task in (making, *leaving):
            task.cancel()
        await asyncio.gather(making, *leaving, return_exceptions=True)
    raise HTTPException(503, "The dashboard is shutting down; the download was cancelled.")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def file_name(record: RunRecord, form: Format, wanted: Filter) -> str:
    """A file name from the run id and its label, with `filtered` where rows are left out."""
    label = unicodedata.normalize("NFKC", clean(record.label))
    plain = re.sub(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f\s]+", "-", label)[:_LONGEST_LABEL].strip("-")
    parts = [record.id, plain, "filtered" if wanted != Filter() else ""]
    return f"{'-'.join(filter(None, parts))}.{form}"


def disposition(name: str) -> str:
    """The Content-Disposition header (RFC 6266) for this name, with an ASCII fallback for old browsers."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{exact}'


routes: list[BaseRoute] = [Route("/runs/{run_id:run}/export.{form}", export_results)]
