"""`redzone dashboard`: the web app."""

from __future__ import annotations

from typing import Annotated

import typer

from redzone.commands.terminal import HomeOption, home_for, say


def dashboard(
    host: Annotated[
        str, typer.Option(help="Address to serve at. Anything but this machine's own asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to serve at. [default: 8750, or a free one]", show_default=False
        ),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    home: HomeOption = None,
) -> None:
    """Watch runs, judge their posters and take the results away, in a browser.

    Examples:

      redzone dashboard

      redzone dashboard --host 0.0.0.0 --port 8080 --no-open
    """
    from redzone.web.server import Serving, serve

    serve(home_for(home), Serving(host, port, not no_open), say)
