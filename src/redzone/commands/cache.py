"""`redzone cache`: shows, prunes and clears the verdict cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from redzone.commands.terminal import HomeOption, JsonOption, load_settings, print_json, resolve_home, say

if TYPE_CHECKING:
    from redzone.cache import Cache

app = typer.Typer(help="Show, prune or clear the verdict cache.", no_args_is_help=True)


@contextmanager
def _cache(home: HomeOption) -> Iterator[Cache]:
    from redzone.wiring import open_cache

    loaded = load_settings({"home": home})
    cache = open_cache(loaded.settings.model_copy(update={"enable_cache": True}), resolve_home(loaded))
    try:
        yield cache
    finally:
        cache.close()


@app.command()
def stats(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what the cache holds."""
    with _cache(home) as cache:
        found = cache.stats()
    if as_json:
        print_json(
            {
                "path": str(found.path),
                "verdicts": found.verdicts,
                "expired": found.expired,
                "urls": found.urls,
                "bytes": found.bytes,
            }
        )
        return
    typer.echo(f"path      {found.path}")
    typer.echo(f"verdicts  {found.verdicts:,} ({found.expired:,} expired)")
    typer.echo(f"addresses {found.urls:,}")
    typer.echo(f"size      {found.bytes / 1e6:.1f} MB")


@app.command()
def prune(home: HomeOption = None) -> None:
    """Delete expired entries."""
    with _cache(home) as cache:
        say(f"{cache.prune():,} expired entries deleted")


@app.command()
def clear(home: HomeOption = None) -> None:
    """Delete all entries; the next run pays for every image again."""
    with _cache(home) as cache:
        say(f"{cache.clear():,} entries deleted")
