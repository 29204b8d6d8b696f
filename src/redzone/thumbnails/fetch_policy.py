"""Which of a run's recorded settings apply when its images are fetched again.

A run on an intranet was started with `--allow-private-hosts`; without that permission the dashboard could
not show its posters. But opening a page must not let a run folder from somewhere else send requests into the
viewer's network. So the settings in run.json apply only if the file and its folder belong to this user and
nobody else can write to them (as redzone creates them): anyone who can change such a file can also run
`redzone` as this user. Any other run gets the defaults: public addresses only.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from pydantic import ValidationError

from redzone.config.settings import Settings
from redzone.runs import RunFolder, RunRecord

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Limits for fetching a run's images again: hosts, bytes, pixels, downloads per second."""

    allow_private_hosts: bool = _DEFAULTS.allow_private_hosts
    max_image_bytes: int = _DEFAULTS.max_image_bytes
    max_image_pixels: int = _DEFAULTS.max_image_pixels
    images_per_s: float | None = _DEFAULTS.images_per_s


def fetch_policy(folder: RunFolder, record: RunRecord) -> FetchPolicy:
    """The run's own limits if its run.json can be trusted, else the defaults."""
    if not _only_user_can_write(folder):
        return FetchPolicy()
    recorded = {name: record.settings[name] for name in FetchPolicy.__slots__ if name in record.settings}
    try:
        settings = Settings.model_validate(recorded)
    except ValidationError:
        return FetchPolicy()
    return FetchPolicy(
        settings.allow_private_hosts,
        settings.max_image_bytes,
        settings.max_image_pixels,
        settings.images_per_s,
    )


def _only_user_can_write(folder: RunFolder) -> bool:
    try:
        found = (folder.path.lstat(), folder.record_path.lstat())
    except OSError:
        return False
    user = os.geteuid()
    return all(
        entry.st_uid == user and not entry.st_mode & _OTHERS_WRITE and not stat.S_ISLNK(entry.st_mode)
        for entry in found
    )
