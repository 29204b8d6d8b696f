"""`redzone config`: shows each setting with its value and source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from redzone.commands.terminal import JsonOption, load_settings, print_json, resolve_home

app = typer.Typer(help="Show the current settings and where they come from.", no_args_is_help=True)

SECRETS = {"openai_api_key"}


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Show every setting with its value and source."""
    loaded = load_settings()
    values: dict[str, Any] = loaded.settings.model_dump(mode="json", exclude=SECRETS)
    for name in SECRETS:
        values[name] = _secret(loaded.settings.openai_api_key, loaded.origins[name])
    ordered = {name: values[name] for name in type(loaded.settings).model_fields}
    if as_json:
        print_json(
            {name: {"value": value, "source": loaded.origins[name]} for name, value in ordered.items()}
        )
        return
    width = max(map(len, ordered))
    for name, value in ordered.items():
        shown = "unset" if value is None else value
        typer.echo(f"{name:<{width}}  {shown}  ({loaded.origins[name]})")


def _secret(value: Any, origin: str) -> str:
    """Whether the key is set, with its last four characters if the key is long enough."""
    if value is None:
        return "not set"
    text = value.get_secret_value()
    tail = f", ...{text[-4:]}" if len(text) >= 12 else ""
    return f"set ({origin}{tail})"


@app.command()
def path() -> None:
    """Show which files are read and where runs are stored."""
    from redzone.config.loader import CONFIG_NAME, find_config

    config = find_config(Path.cwd())
    dotenv = Path.cwd() / ".env"
    typer.echo(f"config  {config or f'none (no {CONFIG_NAME} in this or a parent folder)'}")
    typer.echo(f".env    {dotenv if dotenv.is_file() else 'none'}")
    typer.echo(f"home    {resolve_home(load_settings())}")
