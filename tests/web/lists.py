"""Runs whose input is there and unchanged, as an export wants it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redzone.models import Outcome
from redzone.runs import RunFolder, RunInputs
from tests.web.posters import run_of

COLUMNS = ("id", "title", "group", "image", "price")


def listed_run(home: Path, outcomes: Sequence[Outcome], more: int = 0, **changes: Any) -> RunFolder:
    """A run of a CSV beside the home: a row for each outcome, and `more` that were not judged yet."""
    home.parent.mkdir(parents=True, exist_ok=True)
    path = home.parent / "posters.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for found in outcomes:
            writer.writerow([found.id, found.title, found.group, found.image, f"{found.row}.50"])
        for number in range(more):
            writer.writerow([f"later-{number}", "Later", "award", "/nowhere/later.jpg", ""])
    values = {
        "inputs": RunInputs(paths=(str(path),)),
        "input_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "columns": COLUMNS,
        "rows": len(outcomes) + more,
    }
    return run_of(home, outcomes, **(values | changes))
