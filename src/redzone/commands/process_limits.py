"""The limit on open files: raised to what a run needs, or the run is made to fit it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redzone.plan import MAX_WORKERS

if TYPE_CHECKING:
    from redzone.config.settings import Settings

FILES_PER_WORKER = 3  # an image connection, a model connection, a file or a DNS query
RESERVED_FILES = 48  # run folder, cache, event loop, and modules while they are imported


def open_files_needed(settings: Settings) -> int:
    """Files and sockets that a run with these settings may hold open at the same time."""
    return most_workers(settings) * FILES_PER_WORKER + settings.http_pool_connections + RESERVED_FILES


def most_workers(settings: Settings) -> int:
    """The number of workers, or with `auto` the most there can be: more with packs."""
    if isinstance(settings.workers, int):
        return settings.workers
    return min(MAX_WORKERS, settings.max_workers * settings.pack)


def raise_open_files(needed: int) -> int:
    """Raises the soft limit on open files to `needed`, as far as the hard limit allows.

    Returns the limit that now applies, which may be lower than `needed`. Never lowers a limit. On systems
    without such limits (Windows) it returns `needed`.
    """
    try:
        import resource
    except ImportError:
        return needed
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed if soft == resource.RLIM_INFINITY else soft
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft  # the system has a lower limit of its own (macOS: kern.maxfilesperproc)
    return wanted


def fit_open_files(settings: Settings) -> tuple[Settings, str]:
    """Raises the limit on open files, or lowers workers and connections to what it allows.

    Returns the settings to run with, and a notice for the user if they had to be lowered, else "".
    Raises UsageError if the limit does not allow even one worker.
    """
    needed = open_files_needed(settings)
    allowed = raise_open_files(needed)
    if allowed >= needed:
        return settings, ""
    # connections are bounded by the workers below, so idle ones need no room of their own
    workers = min(most_workers(settings), (allowed - RESERVED_FILES) // FILES_PER_WORKER)
    if workers < 1:
        from redzone.errors import UsageError

        raise UsageError(
            f"only {allowed} open files are allowed, too few for a run; "
            f"raise the limit first: ulimit -n {needed}"
        )
    fitted = settings.model_copy(
        update={
            "workers": workers if isinstance(settings.workers, int) else "auto",
            "max_workers": min(settings.max_workers, max(1, workers // settings.pack)),
            "http_pool_connections": min(settings.http_pool_connections, workers),
            "http_pool_maxsize": min(settings.http_pool_maxsize, workers),
        }
    )
    if workers == most_workers(settings):
        return fitted, ""
    return fitted, (
        f"only {allowed} open files are allowed: using at most {workers} workers instead of "
        f"{most_workers(settings)}; ulimit -n {needed} allows them all"
    )
