"""Runs over posters that are there: drawn files, and outcomes about them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from redzone.models import Box, Element, ElementKind, Outcome, Status, Zone, ZoneVerdict
from redzone.runs import RunFolder
from tests.outcomes import outcome
from tests.pictures import encoded, gradient
from tests.web.homes import write_run

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
SHAPES = {"portrait": (400, 600), "landscape": (640, 360), "tower": (200, 900), "tiny": (40, 60)}
HOSTILE = (
    '<script>document.title="owned"</script>',
    '"><img src=x onerror="document.title=1">',
    "\x1b[31mred\x1b[0m \u202egnp.exe",
    "../../../../etc/passwd",
    "{{ 7 * 7 }} ${7*7} &lt;b&gt;",
    "javascript:alert(1)",
)


def poster_file(folder: Path, name: str, size: tuple[int, int] = (400, 600)) -> Path:
    """A picture with something going on everywhere, its zone `red` all red."""
    picture = gradient(*size)
    width, height = size
    picture.paste(Image.new("RGB", (round(width * 0.6), round(height * 0.1)), "red"), (0, 0))
    path = folder / f"{name}.png"
    path.write_bytes(encoded(picture, "PNG"))
    return path


def said(status: Status, confidence_pct: float = 90.0, **changes: Any) -> ZoneVerdict:
    """A verdict about zone `red` that led to this status."""
    fails = status is Status.FAIL
    element = Element(kind=ElementKind.TEXT, label="HEAT", box=Box(x=0.1, y=0.02, w=0.3, h=0.06))
    values: dict[str, Any] = {
        "name": "red",
        "contains_key_elements": fails,
        "confidence_pct": confidence_pct,
        "elements": (element,) if fails else (),
        "justification": "The title reaches in." if fails else "Only sky.",
    }
    return ZoneVerdict(**(values | changes))


def judged(row: int, status: Status = Status.FAIL, image: Path | str = "", **changes: Any) -> Outcome:
    """An outcome with a verdict about zone `red`; the hash is that of the file if there is one."""
    path = Path(image) if image else None
    there = path is not None and path.is_file()
    values: dict[str, Any] = {
        "title": f"Poster {row}",
        "group": ("award", "just_added", "")[row % 3],
        "image": str(image) or f"/nowhere/{row}.jpg",
        "zones": (said(status, 100.0 - row),),
        "image_sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path and there else None,
    }
    return outcome(row, status, **(values | changes))


def run_of(home: Path, outcomes: Sequence[Outcome], **changes: Any) -> RunFolder:
    """A finished run with these outcomes, or whatever the changes say."""
    values: dict[str, Any] = {"rows": len(outcomes), "zones": (RED,)}
    return write_run(home, 1, outcomes, **(values | changes))


def one_picture(home: Path, **changes: Any) -> RunFolder:
    """A run of one poster, whose file is beside the home."""
    home.parent.mkdir(parents=True, exist_ok=True)
    return run_of(home, [judged(1, image=poster_file(home.parent, "poster"), **changes)])
