"""Options that choose findings, the same for every command that takes some of a run's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from redzone.query import Filter

StatusOption = Annotated[
    list[str] | None, typer.Option(help="Only these: pass, fail, unsure, error. Again for more.")
]
GroupOption = Annotated[
    list[str] | None, typer.Option(help="Only rows of this group, '' for none. Again for more.")
]
MinConfidenceOption = Annotated[
    float | None, typer.Option(metavar="PCT", min=0, max=100, help="Only verdicts at least this sure.")
]
MaxConfidenceOption = Annotated[
    float | None, typer.Option(metavar="PCT", min=0, max=100, help="Only verdicts at most this sure.")
]
KindOption = Annotated[
    list[str] | None, typer.Option(help="Only where one was found: text, logo, face. Again for more.")
]
ReviewedOption = Annotated[
    bool | None, typer.Option("--reviewed/--unreviewed", help="Only what a person has reviewed, or not.")
]
DisagreedOption = Annotated[
    bool | None, typer.Option("--disagreed/--agreed", help="Only where reviewers differ, or do not.")
]
SourceOption = Annotated[
    list[str] | None, typer.Option(help="Only from: model, local, cache, duplicate. Again for more.")
]
CodeOption = Annotated[
    list[str] | None, typer.Option(help="Only errors with this code, such as fetch-timeout. Again for more.")
]
TextOption = Annotated[
    str, typer.Option(help="Only with this in the id, title, group, justification, note or a label.")
]


def build_filter(lists: dict[str, list[str] | None], **given: str | float | bool | None) -> Filter:
    """The filter of a command's options, `lists` being those that may be given again. Raises UsageError."""
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
