"""`redzone dashboard`: the web app."""

from __future__ import annotations

from typing import Annotated

import typer

from redzone.commands.terminal import HomeOption, home_for, say


def dashboard(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any address but the loopback requires a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to listen on. [default: 8750, or a free one]", show_default=False
        ),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    home: HomeOption = None,
) -> None:
    """Watch runs, review posters and export results in a browser.

    Examples:

      redzone dashboard

      redzone dashboard --host 0.0.0.0 --port 8080 --no-open
    """
    from redzone.web.server import Serving, serve

    serve(home_for(home), Serving(host, port, not no_open), say)
