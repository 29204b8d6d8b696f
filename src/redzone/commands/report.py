"""`redzone report`: writes a run as an HTML or PDF report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from redzone.commands.filter_options import (
    CodeOption,
    DisagreedOption,
    GroupOption,
    KindOption,
    MaxConfidenceOption,
    MinConfidenceOption,
    ReviewedOption,
    SourceOption,
    StatusOption,
    TextOption,
    build_filter,
)
from redzone.commands.terminal import HomeOption, OverwriteOption, RunArgument, home_for, say

if TYPE_CHECKING:
    from redzone.reports import Pictures, Shot
    from redzone.review import ReviewedOutcome
    from redzone.runs import RunFolder


def report(  # noqa: PLR0913  Typer reads an option from each argument
    run: RunArgument,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write .html or .pdf. Repeatable. [default: RUN_ID.html]",
        ),
    ] = None,
    pictures: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Maximum number of images. [default: 400; PDF: 300]"),
    ] = None,
    status: StatusOption = None,
    group: GroupOption = None,
    min_confidence: MinConfidenceOption = None,
    max_confidence: MaxConfidenceOption = None,
    kind: KindOption = None,
    reviewed: ReviewedOption = None,
    disagreed: DisagreedOption = None,
    source: SourceOption = None,
    code: CodeOption = None,
    text: TextOption = "",
    overwrite: OverwriteOption = False,
    home: HomeOption = None,
) -> None:
    """Write an HTML or PDF report of a run.

    It has counts, charts, and every poster with its zones.

    Examples:

      redzone report 20261123

      redzone report 20261123 -o review.pdf --status unsure
    """
    from redzone.errors import UsageError
    from redzone.reports import REPORTS, format_for
    from redzone.reports.results import open_results, write_outputs
    from redzone.runs import RunStore

    wanted = build_filter(
        {"status": status, "group": group, "kind": kind, "source": source, "code": code},
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        reviewed=reviewed,
        disagreed=disagreed,
        text=text,
    )
    folder = RunStore(home_for(home)).get(run)
    targets = output or [f"{folder.id}.html"]
    for target in targets:
        if target == "-" or format_for(Path(target)) not in REPORTS:
            raise UsageError(f"--output {target}: a report is .html or .pdf; for tables use redzone export")
    with open_results(folder) as results:
        for line in write_outputs(
            results,
            targets,
            wanted,
            sys.stdout,
            report_pictures(folder),
            most_pictures=pictures,
            overwrite=overwrite,
        ):
            say(line)


def report_pictures(folder: RunFolder) -> Pictures:
    """The images of a run's outcomes: from the thumbnail cache, else fetched again."""
    home = folder.path.parents[1]  # <home>/runs/<run id>

    def shots(reviewed_outcomes: Sequence[ReviewedOutcome], width_px: int) -> Iterator[Shot]:
        from redzone.reports import Shot
        from redzone.thumbnails import Scaled, Thumbnail, collected, fetch_policy, poster_picture

        wanted = [poster_picture(reviewed.row, reviewed.outcome) for reviewed in reviewed_outcomes]
        for got in collected(home, wanted, Scaled(width_px), fetch_policy(folder, folder.read())):
            if isinstance(got, Thumbnail):
                yield Shot(got.data, changed=got.changed)
            else:
                yield Shot(None, got.reason)

    return shots
