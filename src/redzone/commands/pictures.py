"""The pictures of a report: made as the dashboard makes them, by the same guarded fetcher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redzone.reports import Pictures, Shot
    from redzone.review import Finding
    from redzone.runs import RunFolder


def pictures_of(folder: RunFolder) -> Pictures:
    """The pictures of a run's findings, from disk where they are kept, else fetched again."""
    home = folder.path.parents[1]  # <home>/runs/<run id>

    def shots(findings: Sequence[Finding], width_px: int) -> Iterator[Shot]:
        from redzone.reports import Shot
        from redzone.thumbnails import Scaled, Thumbnail, collected, picture_of, terms_of

        wanted = [picture_of(finding.row, finding.outcome) for finding in findings]
        for got in collected(home, wanted, Scaled(width_px), terms_of(folder, folder.read())):
            if isinstance(got, Thumbnail):
                yield Shot(got.data, changed=got.changed)
            else:
                yield Shot(None, got.reason)

    return shots
