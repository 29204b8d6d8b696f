"""Filter options, shared by the commands that read a run's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from redzone.query import Filter

StatusOption = Annotated[
    list[str] | None,
    typer.Option(metavar="STATUS", help="Only this status: pass, fail, unsure or error. Repeatable."),
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Only this group; '' means rows without a group. Repeatable."),
]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option(metavar="PCT", min=0, max=100, help="Only verdicts with at least this confidence."),
]
MaxConfidenceOption = Annotated[
    float | None,
    typer.Option(metavar="PCT", min=0, max=100, help="Only verdicts with at most this confidence."),
]
KindOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND", help="Only posters with this kind of element: text, logo or face. Repeatable."
    ),
]
ReviewedOption = Annotated[
    bool | None, typer.Option("--reviewed/--unreviewed", help="Only posters with, or without, a review.")
]
DisagreedOption = Annotated[
    bool | None,
    typer.Option("--disagreed/--agreed", help="Only posters on which reviewers disagree, or do not."),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(metavar="SOURCE", help="Only this source: model, local, cache or duplicate. Repeatable."),
]
CodeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CODE", help="Only this error code, such as fetch-timeout. Repeatable."),
]
TextOption = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Only posters whose id, title, group, justification, note or element label contains this.",
    ),
]


def build_filter(lists: dict[str, list[str] | None], **given: str | float | bool | None) -> Filter:
    """Builds the filter from a command's options; `lists` holds the repeatable ones. Raises UsageError."""
    from redzone.errors import UsageError
    from redzone.query import Filter

    pairs = [(name, value) for name, values in lists.items() for value in values or ()]
    if ("group", "") in pairs:
        pairs.append(("ungrouped", "yes"))
    for name, value in given.items():
        if isinstance(value, bool):
            pairs.append((name, "yes" if value else "no"))
        elif value is not None:
            pairs.append((name, str(value)))
    try:
        return Filter.from_query(pairs)
    except UsageError as error:
        raise UsageError(f"--{error}") from error
