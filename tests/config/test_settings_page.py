"""docs/settings.md is what the settings say of themselves."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from redzone.cli import app
from redzone.config.loader import load
from redzone.config.settings import Settings, variables

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"
OPTION = re.compile(r"--[a-z][a-z-]+")
SERVERS = ("vllm ", "ollama ", "llama-server ")


def test_the_page_is_what_the_script_writes() -> None:
    """If this fails: `uv run python scripts/settings_page.py`."""
    script = runpy.run_path(str(ROOT / "scripts" / "settings_page.py"), run_name="settings_page")
    assert PAGE.read_text(encoding="utf-8") == script["render"]()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_on_the_page_with_all_its_variables_and_a_meaning(name: str) -> None:
    """One row each."""
    (row,) = (
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |")
    )
    assert all(f"`{variable}`" in row for variable in variables(name))
    assert len(row.split("|")[4]) > 20


def test_the_pages_name_only_variables_and_options_that_exist() -> None:
    """Each page's REDZONE_... is a setting, and each --option one of a command."""
    known = {variable for name in Settings.model_fields for variable in variables(name)}
    help_of = CliRunner(env={"COLUMNS": "400"}).invoke
    options = {
        option
        for name in ("analyze", "resume", "doctor")
        for option in OPTION.findall(help_of(app, [name, "--help"]).output)
    }
    for page in ("zones", "providers", "limits-and-retries", "settings"):
        text = (PAGE.parent / f"{page}.md").read_text(encoding="utf-8")
        assert set(re.findall(r"REDZONE_[A-Z_]+[A-Z]", text)) <= known
        commands = "\n".join(line for line in text.splitlines() if not line.startswith(SERVERS))
        assert set(OPTION.findall(commands)) <= options


def test_the_example_of_the_page_is_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as it stands."""
    for name in ("model", "zones", "zone"):
        for variable in variables(name):
            monkeypatch.delenv(variable, raising=False)
    example = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "redzone.toml").write_text(example)
    settings = load({}, tmp_path).settings
    assert settings.zones == ("red", "corner")
    assert settings.zone == {"corner": (0.0, 0.0, 0.3, 0.2)}
