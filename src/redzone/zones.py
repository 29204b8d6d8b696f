"""Zones as data: presets of real platforms, and the forms in which a user names one."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from redzone.errors import SettingsInvalid
from redzone.models import Zone

PRESETS: Mapping[str, Zone] = {
    zone.name: zone
    for zone in (
        # The streaming badge that this tool is named after.
        Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),
        # Prime Video adds an icon in the upper left-hand corner whose size varies with the device and
        # asks that no critical material lies there (Video Central help, "Artwork requirements"); the
        # figure is ours: a fifth of the width, square on a 2:3 poster.
        Zone(name="icon", x=0.0, y=0.0, w=0.2, h=0.134),
        # Prime Video poster art, 2:3: top and bottom padding of 240 px on 2000x3000 px
        # (Video Central help, "Artwork specifications").
        Zone(name="prime-top", x=0.0, y=0.0, w=1.0, h=0.08),
        Zone(name="prime-bottom", x=0.0, y=0.92, w=1.0, h=0.08),
        # Prime Video cover art, 16:9: top padding of 160 px on 1920x1080 px (same source).
        Zone(name="prime-cover-top", x=0.0, y=0.0, w=1.0, h=0.1482),
    )
}


def parse_zone(text: str, own: Mapping[str, tuple[float, float, float, float]]) -> Zone:
    """A preset's name, a name of redzone.toml's [zone], or `NAME=x,y,w,h` in fractions.

    Raises SettingsInvalid with the forms that are possible.
    """
    name, equals, numbers = text.partition("=")
    name = name.strip()
    try:
        if equals:
            x, y, w, h = (float(part) for part in numbers.split(","))
            return Zone(name=name, x=x, y=y, w=w, h=h)
        if name in own:
            x, y, w, h = own[name]
            return Zone(name=name, x=x, y=y, w=w, h=h)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise SettingsInvalid(
            f"zone {text!r}: {reason}; give fractions, such as corner=0,0,0.6,0.1"
        ) from error
    except ValueError as error:
        raise SettingsInvalid(f"zone {text!r}: give four numbers, such as {name}=0,0,0.6,0.1") from error
    if name in PRESETS:
        return PRESETS[name]
    known = ", ".join([*PRESETS, *own])
    raise SettingsInvalid(f"zone {text!r} is not known; presets: {known}; or NAME=x,y,w,h")
