"""Writes the exact versions of a fresh resolution to constraint-dependencies in pyproject.toml.

    uv run python scripts/pin.py

uv.lock names registry hosts, so it is not in git; these constraints pin the same versions in a fresh clone.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
EXPORT = [
    "uv", "export", "--quiet", "--upgrade", "--all-extras", "--all-groups", "--no-hashes", "--no-annotate",
    "--no-header", "--no-emit-project",
]  # fmt: skip


def main() -> None:
    """Resolves without the old pins, then writes the new ones."""
    text = PYPROJECT.read_text(encoding="utf-8")
    block = re.compile(r"^constraint-dependencies = \[.*?^\]\n", re.DOTALL | re.MULTILINE)
    PYPROJECT.write_text(block.sub("constraint-dependencies = [\n]\n", text), encoding="utf-8")
    try:
        export = subprocess.run(
            EXPORT, cwd=PYPROJECT.parent, capture_output=True, text=True, check=True
        ).stdout
    except subprocess.CalledProcessError:
        PYPROJECT.write_text(text, encoding="utf-8")
        raise
    pins = "".join(f'  "{line}",\n' for line in sorted(export.splitlines()) if line.strip())
    PYPROJECT.write_text(
        block.sub(lambda _: f"constraint-dependencies = [\n{pins}]\n", text), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
