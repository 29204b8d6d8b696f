"""`redzone bench serve`: runs the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from redzone.bench.simulator.faults import COMMON, PACKED, QUIRKS, Fault, parse_faults
from redzone.errors import SettingsInvalid

MAX_SIDE_PX = 8000
TINY = "tiny"


def serve(  # noqa: PLR0913 - Typer reads an option from each argument
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")] = 0,
    rpm: Annotated[int | None, typer.Option(min=1, help="Requests per minute. [no limit]")] = None,
    tpm: Annotated[int | None, typer.Option(min=1, help="Tokens per minute. [no limit]")] = None,
    enforcement: Annotated[
        Literal["quantised", "rolling", "bucket"], typer.Option(help="How the limits are enforced.")
    ] = "rolling",
    latency: Annotated[float, typer.Option(min=0, help="Median latency of the model, seconds.")] = 0.5,
    latency_spread: Annotated[
        float, typer.Option(min=0, help="Sigma of the logarithm of the latency.")
    ] = 0.3,
    image_latency: Annotated[float, typer.Option(min=0, help="Latency of posters, seconds.")] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"KIND=SHARE of the requests. Repeatable. all=0.05 spreads 5 % over the common kinds: "
            f"{', '.join(COMMON)}. Of packs: {', '.join(sorted(PACKED))}. "
            f"Quirks of servers: {', '.join(fault for fault in Fault if fault in QUIRKS)}."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed that selects the requests with faults.")] = 0,
    announce: Annotated[bool, typer.Option(help="Send x-ratelimit headers.")] = True,
    responses_api: Annotated[bool, typer.Option(help="Serve /v1/responses, not only chat.")] = True,
    responses_status: Annotated[
        int,
        typer.Option(
            metavar="STATUS", min=200, max=599, help="Status of /v1/responses with --no-responses-api."
        ),
    ] = 404,
    image_rpm: Annotated[
        int | None, typer.Option(min=1, help="Image requests per minute; 429 above. [no limit]")
    ] = None,
    size: Annotated[str, typer.Option(help=f"Poster size, WxH px; {TINY} lists tiny posters.")] = "300x450",
    grain: Annotated[
        float,
        typer.Option(min=0, max=1, help="Noise in the posters; 0.1 gives the file size of a photograph."),
    ] = 0.0,
    list_file: Annotated[
        Path | None, typer.Option("--list", help="Write an input CSV of the posters to this file.")
    ] = None,
    posters: Annotated[int, typer.Option(min=1, max=1_000_000, help="Posters in the list.")] = 1000,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write this JSON file once the simulator listens.")
    ] = None,
    drawn: Annotated[bool, typer.Option("--drawn", help="Draw the listed posters before serving.")] = False,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="Also stop when standard input ends.")
    ] = False,
) -> None:
    """Serve generated posters and an OpenAI-compatible vision API on 127.0.0.1 until Ctrl-C."""
    # importing asyncio and Pillow here saves every other command a tenth of a second
    from redzone.bench.simulator.options import SimulatorOptions
    from redzone.bench.simulator.process import ServeOptions, serve_until_stopped
    from redzone.bench.simulator.rate_limits import Enforcement

    try:
        options = SimulatorOptions(
            latency_s=latency,
            latency_spread=latency_spread,
            image_latency_s=image_latency,
            rpm=rpm,
            tpm=tpm,
            enforcement=Enforcement(enforcement),
            announce=announce,
            faults=parse_faults(fault or ()),
            seed=seed,
            responses_api=responses_api,
            responses_status=responses_status,
            image_rpm=image_rpm,
            poster_size=parse_size(size) or SimulatorOptions().poster_size,
            poster_grain=grain,
        )
    except SettingsInvalid as error:
        raise typer.BadParameter(str(error)) from error
    listed = TINY if size == TINY else ""
    serve_until_stopped(options, ServeOptions(port, ready_file, list_file, posters, listed, drawn, until_eof))


def parse_size(text: str) -> tuple[int, int] | None:
    """Parse `WxH` to (width, height) px; None for `tiny`. Raises BadParameter."""
    if text == TINY:
        return None
    width, _, height = text.lower().partition("x")
    if (
        width.isdecimal()
        and height.isdecimal()
        and all(8 <= int(side) <= MAX_SIDE_PX for side in (width, height))
    ):
        return int(width), int(height)
    raise typer.BadParameter(f"size {text!r}: write WxH in px, 8 to {MAX_SIDE_PX} each, or {TINY}")
