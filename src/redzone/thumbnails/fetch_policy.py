"""How far the settings that a run recorded are followed when its pictures are fetched again.

A run of an intranet was begun with `--allow-private-hosts`, and its posters are where they were: without that
permission the dashboard could show none of them. But looking at a page must not let a run folder that came
from somewhere else send requests into the network of whoever looks. So what run.json says counts only where
the file and its folder belong to this user and nobody else can write to them, as redzone itself leaves them;
then whoever could change it could as well run `redzone` as this user. A run of somebody else is shown under
the defaults: public addresses only.
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
    """Bounds for fetching a run's pictures again: where to, bytes, pixels, downloads in a second."""

    allow_private_hosts: bool = _DEFAULTS.allow_private_hosts
    max_image_bytes: int = _DEFAULTS.max_image_bytes
    max_image_pixels: int = _DEFAULTS.max_image_pixels
    images_per_s: float | None = _DEFAULTS.images_per_s


def fetch_policy(folder: RunFolder, record: RunRecord) -> FetchPolicy:
    """The run's own bounds if its run.json can be trusted, else the defaults."""
    if not _ours_alone(folder):
        return FetchPolicy()
    wanted = {name: record.settings[name] for name in FetchPolicy.__slots__ if name in record.settings}
    try:
        settings = Settings.model_validate(wanted)
    except ValidationError:
        return FetchPolicy()
    return FetchPolicy(
        settings.allow_private_hosts,
        settings.max_image_bytes,
        settings.max_image_pixels,
        settings.images_per_s,
    )


def _ours_alone(folder: RunFolder) -> bool:
    try:
        found = (folder.path.lstat(), folder.record_path.lstat())
    except OSError:
        return False
    user = os.geteuid()
    return all(
        entry.st_uid == user and not entry.st_mode & _OTHERS_WRITE and not stat.S_ISLNK(entry.st_mode)
        for entry in found
    )
