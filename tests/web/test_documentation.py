"""docs/dashboard.md names the pages and options that there are."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.routing import Route
from typer.testing import CliRunner

from redzone.cli import app
from redzone.web.app import PAGES

TEXT = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text(encoding="utf-8")
OPTION = re.compile(r"--[a-z][a-z-]+")
PARTS = ("/stream", "/static/", "/favicon.ico", "/new/started/")
WRITTEN = {"{run_id:run}": "ID", "{row:row}": "ROW", "{form}": "FORMAT"}


def test_every_page_is_on_the_documentations_page() -> None:
    """As its address, with ID for the run and ROW for the row."""
    paths = {
        route.path
        for page in PAGES
        for route in page.routes
        if isinstance(route, Route) and "GET" in (route.methods or ())
    }
    shown = {path for path in paths if not any(part in path for part in PARTS)}
    for path in shown:
        for name, written in WRITTEN.items():
            path = path.replace(name, written)  # noqa: PLW2901
        assert re.search(rf"`{re.escape(path)}[`?]", TEXT), path


def test_every_option_on_the_page_is_one_of_a_command() -> None:
    """And none of the dashboard's own is left out."""
    run = CliRunner(env={"COLUMNS": "400"}).invoke
    commands = [
        name for info in app.registered_commands if (name := info.name or _function_name(info.callback))
    ]
    helps = {name: set(OPTION.findall(run(app, [name, "--help"]).output)) for name in commands}
    assert set(OPTION.findall(TEXT)) <= set().union(*helps.values())
    assert helps["dashboard"] - {"--help"} <= set(OPTION.findall(TEXT))


def _function_name(callback: object) -> str:
    return str(getattr(callback, "__name__", "")).replace("_", "-")
