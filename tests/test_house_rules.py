"""Rules of CONTRIBUTING.md that a machine can check: class names, plain words, and where tests are."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from redzone.cli import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "redzone"
TESTS = ROOT / "tests"

# Tests of several modules together, or of files that are not modules.
WITHOUT_A_MODULE = frozenset(
    {
        "bench/simulator/test_packs.py",
        "charts/test_charts.py",
        "commands/test_signals.py",
        "config/test_settings_page.py",
        "imaging/test_file_start_laws.py",
        "test_bad_input.py",
        "test_house_rules.py",
        "test_limiter_at_the_simulator.py",
        "test_model_answers.py",
        "test_partial_download.py",
        "test_resume.py",
        "web/test_damaged_runs.py",
        "web/test_documentation.py",
        "web/test_templates.py",
    }
)
WITHOUT_A_PACKAGE = ("web/browser/",)

# Translated idiom and private words, and what to write instead. Matched as whole words, in any case.
REFUSED = {
    "in hand": "in progress, busy",
    "answered 429": "429 responses",
    "answers 429": "429 responses",
    "are not its": "cannot be combined with",
    "is no day": "is not a date",
    "take away": "download",
    "takes away": "downloads",
    "taken away": "downloaded",
    "taking results away": "downloading results",
    "ended without a word": "exited without an error message",
    "no poster is like": "no posters match",
    "of its own making": "of its own",
    "again for more": "repeatable",
    "what stands there": "the current text",
    "what stands here": "the current text",
    "nobody else will come": "flushes all pending",
    "second look": "retry, fallback",
    "second looks": "retries, fallbacks",
    "is told": "is shown, is notified",
    "are told": "are shown, are notified",
    "a fault of the dashboard": "internal error",
    "the ladder": "the retry policy",
    "rung": "step",
    "rungs": "steps",
    "crew": "workers",
    "the way of a poster": "how a poster is processed",
    "the road of a poster": "how a poster is processed",
}
_REFUSED = re.compile(
    r"(?<![\w-])(" + "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in REFUSED) + r")(?![\w-])",
    re.IGNORECASE,
)
PROSE = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(SOURCE.rglob("*.html")),
    *sorted((ROOT / "examples").glob("*.md")),
)
MODULES = sorted(SOURCE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_public_class_name_is_defined_twice() -> None:
    """One word for one thing, so that a search for a class finds one class."""
    places: dict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(_name(module))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def _refused(text: str) -> list[str]:
    return [" ".join(found.split()).lower() for found in _REFUSED.findall(text)]


@pytest.mark.parametrize("path", PROSE, ids=_name)
def test_pages_and_templates_use_plain_words(path: Path) -> None:
    """If this fails: `REFUSED` says what to write instead."""
    assert _refused(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_docstrings_and_messages_use_plain_words(path: Path) -> None:
    """All string literals of a module. If this fails: `REFUSED` says what to write instead."""
    assert [found for text in _strings(path) for found in _refused(text)] == []


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("phrase", REFUSED)
def test_each_refused_phrase_is_found(phrase: str) -> None:
    """As its own words, also across a line end."""
    assert _refused(f"First, {phrase.replace(' ', chr(10))}. Last.") == [phrase]
    assert _refused(f"x{phrase}x") == []


def test_every_command_is_in_the_readme() -> None:
    """With its subcommands: `runs list\\|show\\|rm` names three."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    command = typer.main.get_command(app)
    for name, group in command.commands.items():  # type: ignore[attr-defined]  # the app is a group
        rows = re.findall(rf"`redzone {name}\b([^`]*)`([^\n]*)", text)
        assert rows, name
        shown = " ".join(part for row in rows for part in row)
        assert [sub for sub in getattr(group, "commands", {}) if not re.search(rf"\b{sub}\b", shown)] == []


def test_every_test_module_is_where_its_module_is() -> None:
    """`tests/net/test_fetcher.py` tests `src/redzone/net/fetcher.py`, and so does `test_fetcher_laws.py`."""
    names = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}
    assert names >= WITHOUT_A_MODULE
    misplaced = [
        name
        for name in sorted(names - WITHOUT_A_MODULE)
        if not name.startswith(WITHOUT_A_PACKAGE) and not _module_of(name).exists()
    ]
    assert misplaced == []


def _module_of(test: str) -> Path:
    path = Path(test)
    name = path.stem.removeprefix("test_").removesuffix("_laws")
    module = SOURCE / path.parent / name
    return module if module.is_dir() else module.with_suffix(".py")
