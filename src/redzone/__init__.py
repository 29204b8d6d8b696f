"""redzone finds posters whose badge corner hides their title, logo or face.

The library: `analyze`, `resume` and `estimate`, and the values that they give. See docs/library.md.
"""

from typing import TYPE_CHECKING, Any

from redzone._version import __version__

if TYPE_CHECKING:
    from redzone.api import Run, RunResult, analyze, estimate, resume
    from redzone.config.settings import Settings
    from redzone.errors import RedzoneError, RunStopped, UsageError
    from redzone.models import Outcome, RunEstimate, Status

__all__ = [
    "Outcome",
    "RedzoneError",
    "Run",
    "RunEstimate",
    "RunResult",
    "RunStopped",
    "Settings",
    "Status",
    "UsageError",
    "__version__",
    "analyze",
    "estimate",
    "resume",
]

_HOMES = {
    "redzone.api": ("Run", "RunResult", "analyze", "estimate", "resume"),
    "redzone.config.settings": ("Settings",),
    "redzone.errors": ("RedzoneError", "RunStopped", "UsageError"),
    "redzone.models": ("Outcome", "RunEstimate", "Status"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: `redzone --help` needs none of it."""
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
