"""`redzone bench serve`: the simulator as a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from redzone.bench.simulator.faults import Fault, parse_faults
from redzone.errors import SettingsInvalid

MAX_SIDE_PX = 8000
TINY = "tiny"


def serve(  # noqa: PLR0913 - Typer reads an option from each argument
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    rpm: Annotated[int | None, typer.Option(min=1, help="Requests per minute; none is no limit.")] = None,
    tpm: Annotated[int | None, typer.Option(min=1, help="Tokens per minute; none is no limit.")] = None,
    enforcement: Annotated[
        Literal["quantised", "rolling", "bucket"], typer.Option(help="How the limits are kept.")
    ] = "rolling",
    latency: Annotated[float, typer.Option(min=0, help="Median model latency, seconds.")] = 0.5,
    latency_spread: Annotated[float, typer.Option(min=0, help="Sigma of the latency's logarithm.")] = 0.3,
    image_latency: Annotated[float, typer.Option(min=0, help="Latency of posters, seconds.")] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"kind=share, again and again; all=0.05 for all but pack_*. Kinds: {', '.join(Fault)}."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses whom the faults hit.")] = 0,
    announce: Annotated[bool, typer.Option(help="Send x-ratelimit headers.")] = True,
    responses_api: Annotated[bool, typer.Option(help="Offer /v1/responses, not only chat.")] = True,
    size: Annotated[str, typer.Option(help=f"Poster size, WxH px, or {TINY} for the list.")] = "300x450",
    grain: Annotated[
        float, typer.Option(min=0, max=1, help="Noise in the posters; 0.1 weighs as photographs do.")
    ] = 0.0,
    list_file: Annotated[
        Path | None, typer.Option("--list", help="Write an input CSV of the posters here.")
    ] = None,
    posters: Annotated[int, typer.Option(min=1, max=1_000_000, help="Posters in the list.")] = 1000,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written as JSON once the simulator listens.")
    ] = None,
    drawn: Annotated[
        bool, typer.Option("--drawn", help="Draw the list's posters first: no answer waits for a drawing.")
    ] = False,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="End when standard input does, too.")
    ] = False,
) -> None:
    """Serve generated posters and an OpenAI-compatible vision API on 127.0.0.1 until Ctrl-C."""
    # asyncio, Pillow and its codecs would cost every other command a tenth of a second
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
            poster_size=parse_size(size) or SimulatorOptions().poster_size,
            poster_grain=grain,
        )
    except SettingsInvalid as error:
        raise typer.BadParameter(str(error)) from error
    listed = TINY if size == TINY else ""
    serve_until_stopped(options, ServeOptions(port, ready_file, list_file, posters, listed, drawn, until_eof))


def parse_size(text: str) -> tuple[int, int] | None:
    """The (width, height) px of `WxH`, None for `tiny`. Raises BadParameter."""
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
